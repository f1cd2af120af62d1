"""HQ's client, exports and pages against a real centre: every question it asks is understood."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from central_rig import START_MS, STORE, CentreProcess, Gateway, kill_leftover
from central_rows import alert, day_close, forecast, health, level, proposal, quarantined, receipt, window
from hq_browser import CHARTS_JS, HqProcess, chromium, wait_for

from contract.api.common import Decision
from contract.api.offers import CampaignChange
from contract.api.replays import ReplayPost, RuleChange
from contract.api.restock import KillSwitch, TriggerState
from contract.api.rollouts import ConfigPut
from hq.calendar_form import NEW, calendar_of, typed_from
from hq.central_api import CentralApi
from hq.charts.sku_chart import sku_chart
from hq.errors import CentralRefusedError
from hq.pages.shop import SORTS

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    process = CentreProcess(tmp_path_factory.mktemp("centre"), auto_approve_below_cents=1)
    process.command("init")
    process.start()
    _set_up(process)
    gateway = Gateway(process, process.add_gateway())
    gateway.send(
        receipt(1), receipt(2), window(on_hand_units=3), level(1, on_hand=3), level(2, on_hand=0), forecast(1), health(),
        proposal(1), proposal(2), alert(), quarantined(), day_close(receipts=2, lines=2, units=2, cents=500),
    )  # fmt: skip
    process.wait_quiet()
    yield process
    process.stop()
    kill_leftover(process.process)


def _set_up(centre: CentreProcess) -> None:
    from central_rows import gtin

    hours = [{"weekday": day, "opens_minute": 0, "closes_minute": 1440} for day in range(7)]
    store = {
        "name": "Market Street",
        "region": "north",
        "timezone": "America/New_York",
        "currency": "USD",
        "hours": hours,
    }
    items = [
        {"sku": f"sku-{n}", "gtins": [gtin(n)], "name": f"Good {n}", "category": "food"} for n in (1, 2, 3)
    ]
    prices = [{"sku": f"sku-{n}", "price_cents": 250, "from_ms": START_MS - DAY_MS} for n in (1, 2, 3)]
    supply = [
        {
            "sku": f"sku-{n}",
            "supplier": "depot",
            "lead_time_days": 2,
            "review_days": 1,
            "pack_units": 12,
            "cost_cents": 150,
        }
        for n in (1, 2, 3)
    ]
    with centre.client() as admin:
        for path, body in (
            ("", store),
            ("/items", {"items": items}),
            ("/prices", {"prices": prices}),
            ("/supply", {"lines": supply}),
        ):
            answer = admin.put(f"/v1/stores/{STORE}{path}", json=body)
            assert answer.is_success, answer.text


def ask(centre, question):
    async def go():
        api = CentralApi(centre.url, centre.token("hq"))
        try:
            return await question(api)
        finally:
            await api.close()

    return asyncio.run(asyncio.wait_for(go(), 60))


def test_a_calendar_that_a_person_changed_is_in_force_and_in_the_audit(centre):
    typed = replace(NEW, supplier="bakery", name="Bakery", timezone="Europe/Berlin", closed_days="2017-12-25")
    made = calendar_of(typed)
    assert not isinstance(made, dict)

    async def change(api):
        put = await api.put_supplier("bakery", made)
        return put, (await api.suppliers()).rows, (await api.audit()).rows

    put, suppliers, audit = ask(centre, change)
    assert put in suppliers
    assert typed_from(put) == typed
    assert put.next_cutoff_ms is not None
    assert ("put-supplier", "bakery") in {(entry.action, entry.subject) for entry in audit}


def test_every_question_is_understood_and_answered(centre):
    until_ms = START_MS + DAY_MS
    assert ask(centre, lambda api: api.health()).status == "ok"
    assert [day.units for day in ask(centre, lambda api: api.overview(START_MS - DAY_MS, until_ms)).days] == [
        2
    ]
    assert ask(centre, lambda api: api.accounting()).balanced
    assert ask(centre, lambda api: api.accounting(STORE)).receipts.tills == 2
    assert ask(centre, lambda api: api.stores()).rows == [ask(centre, lambda api: api.store(STORE))]
    assert ask(centre, lambda api: api.sku(STORE, "sku-1")).on_hand_units == 3
    assert [row.code for row in ask(centre, lambda api: api.alerts(STORE)).rows] == ["low-stock"]
    assert ask(centre, lambda api: api.alerts(STORE, only_open=False)).rows
    assert [row.reason for row in ask(centre, lambda api: api.quarantine(STORE)).rows] == ["bad sum"]
    assert [row.gateway for row in ask(centre, lambda api: api.gateways()).rows] == ["gw-1"]
    assert ask(centre, lambda api: api.campaigns()).rows == []
    assert ask(centre, lambda api: api.doors()).webhooks == []
    assert ask(centre, lambda api: api.audit(STORE)).rows


@pytest.mark.parametrize("sort", [sign + name for name in SORTS for sign in ("", "-")])
def test_the_centre_sorts_by_every_column_that_the_page_offers(centre, sort):
    page = ask(centre, lambda api: api.skus(STORE, sort=sort))
    assert len(page.rows) == 3


def test_a_filter_and_a_cursor_are_the_centres(centre):
    assert [row.sku for row in ask(centre, lambda api: api.skus(STORE, search="good 2")).rows] == ["sku-2"]
    first = ask(centre, lambda api: api.skus(STORE, limit=2))
    rest = ask(centre, lambda api: api.skus(STORE, after=first.next or "", limit=2))
    assert [row.sku for row in [*first.rows, *rest.rows]] == ["sku-1", "sku-2", "sku-3"]
    assert rest.next is None


@pytest.mark.parametrize("step", ["15m", "1h", "1d"])
def test_a_series_of_the_centre_becomes_a_chart(centre, step):
    series = ask(centre, lambda api: api.series(STORE, "sku-1", START_MS - DAY_MS, START_MS + DAY_MS, step))
    shown = {one["name"]: one["data"] for one in sku_chart(series)["series"]}
    assert sum(item["value"][1] or 0 for item in shown["Sold"]) == 2
    assert bool(shown["Forecast"]) == (step == "1d")


def test_decisions_and_switches_reach_the_centre(centre):
    waiting = ask(centre, lambda api: api.triggers(STORE, ("proposed",))).rows
    first, second = sorted(waiting, key=lambda row: row.sku)
    assert ask(centre, lambda api: api.evidence(first.trigger)).quantity_units == 24
    sent = ask(centre, lambda api: api.approve(first.trigger, Decision(who="Ada")))
    assert sent.state in (TriggerState.APPROVED, TriggerState.SENT)
    ended = ask(centre, lambda api: api.reject(second.trigger, Decision(who="Ada", reason="closing")))
    assert ended.state is TriggerState.REJECTED
    with pytest.raises(CentralRefusedError) as caught:
        ask(centre, lambda api: api.approve(second.trigger, Decision(who="Ada")))
    assert caught.value.status == 409
    assert ask(centre, lambda api: api.triggers(STORE, ("proposed", "rejected"), sku=second.sku)).rows
    switch = KillSwitch(scope="supplier", target="depot", on=True, who="Ada", reason="recall")
    ask(centre, lambda api: api.put_kill_switch(switch))
    assert switch in ask(centre, lambda api: api.kill_switches()).rows
    assert "Ada" in [row.who for row in ask(centre, lambda api: api.audit(STORE)).rows]


def test_a_shops_configuration_comes_back_as_it_was_put(centre):
    assert ask(centre, lambda api: api.config(STORE)).version == 0
    put = ConfigPut.model_validate_json(
        '{"rules": {"low_stock": {"raise_days": 1.5}}, "gates": {"new_alerts": 7}}'
    )
    assert ask(centre, lambda api: api.put_config(STORE, put)).version == 1
    seen = ask(centre, lambda api: api.config(STORE))
    assert (seen.version, seen.rules, seen.gates) == (1, put.rules, put.gates)
    with pytest.raises(CentralRefusedError, match="store-9 is unknown"):
        ask(centre, lambda api: api.config("store-9"))


def test_a_campaign_is_changed_by_a_person_and_the_rest_of_it_stays(centre):
    put = {
        "cause": "surplus", "name": "Plenty", "discount_percent": 20, "max_discount_cents": 300, "budget_cents": 5000,
        "starts_ms": START_MS, "ends_ms": START_MS + DAY_MS, "cap_per_member": 3,
    }  # fmt: skip
    with centre.client() as admin:
        assert admin.put("/v1/campaigns/plenty", json=put).is_success
        change = CampaignChange(active=False, budget_cents=700, who="Ada", reason="too dear")
        view = ask(centre, lambda api: api.change_campaign("plenty", change))
        assert (view.active, view.budget_cents, view.ends_ms) == (False, 700, START_MS + DAY_MS)
        for wrong, says in (
            (CampaignChange(who="Ada", reason="none"), "nothing is changed"),
            (CampaignChange(ends_ms=START_MS - 1, who="Ada", reason="early"), "must be after the start"),
        ):
            with pytest.raises(CentralRefusedError, match=says):
                ask(centre, lambda api, wrong=wrong: api.change_campaign("plenty", wrong))
        with pytest.raises(CentralRefusedError, match="campaign nothing does not exist"):
            ask(centre, lambda api: api.change_campaign("nothing", change))
        audit = [row for row in admin.get("/v1/audit").json()["rows"] if row["action"] == "change-campaign"]
    assert [(row["who"], row["reason"]) for row in audit] == [
        ("Ada", "active False, budget_cents 700: too dear")
    ]


def test_a_replay_and_the_regions_are_asked_of_the_real_centre(centre):
    post = ReplayPost(days=7, changes=RuleChange(service_level=0.99))
    assert ask(centre, lambda api: api.replay(STORE, post)).store == STORE
    with pytest.raises(CentralRefusedError, match="nothing is changed"):
        ask(centre, lambda api: api.replay(STORE, ReplayPost()))
    seen = ask(centre, lambda api: api.outlook())
    assert (seen.stores_read, seen.stores_total) == (1, 1)


def test_a_page_over_the_real_centre_shows_what_the_gateway_sent(centre, tmp_path: Path):
    (tmp_path / "hq").mkdir()
    hq = HqProcess(tmp_path / "hq", centre.url, centre.token("hq"), clock_file=str(centre.folder / "clock"))
    try:
        with chromium(tmp_path / "profile") as driver:
            driver.get(f"{hq.url}/shops/{STORE}/skus/sku-1")
            text = "return document.body.innerText"
            wait_for(lambda: "Good 1" in driver.execute_script(text), "the SKU")
            wait_for(lambda: "On hand\n3" in driver.execute_script(text), "what is on hand")
            (chart,) = wait_for(lambda: driver.execute_script(CHARTS_JS), "the chart")
            assert chart["series"]["Sold"] > 0
            assert chart["series"]["Forecast"] > 0
            stranger = {"Authorization": "Bearer x"}
            assert httpx.get(f"{centre.url}/v1/stores", headers=stranger, timeout=30).status_code == 401
            driver.get(f"{hq.url}/fleet")
            wait_for(lambda: "Keys and tokens refused" in driver.execute_script(text), "the door")
        orders = httpx.get(f"{hq.url}/export/orders.csv", timeout=30).text.splitlines()
        assert len(orders) == 1 + 2
    finally:
        assert hq.stop() == 0
