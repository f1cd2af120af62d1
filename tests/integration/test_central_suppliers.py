"""Orders wait for their supplier's cut-off, change and shrink until then, and ask for a change after it: over real HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from central_rig import START_MS, STORE, CentreProcess, Gateway, running
from central_rows import forecast, proposal
from ledger_kinds import MOSTLY_SQLITE, database
from test_central_loop import get, post, put, set_up_store, supply_on_order

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SUPPLIER = {
    "name": "The depot", "timezone": "America/New_York", "order_weekdays": [0, 3], "cutoff_minute": 15 * 60,
    "lead_time_days": 2, "freeze_min": 60,
}  # fmt: skip
SEND_MS = START_MS + 6 * HOUR_MS
"""START_MS is 8 in the morning in New York, a Monday; the freeze begins at 14."""
TRIGGER, CHANGE = "shelfloop.restock.trigger.v1", "shelfloop.restock.change.v1"


@pytest.fixture(params=MOSTLY_SQLITE)
def centre(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CentreProcess]:
    with database(request.param) as url:
        yield from running(CentreProcess(tmp_path, database_url=url, auto_approve_below_cents=100_000))


@pytest.fixture
def gateway(centre: CentreProcess) -> Gateway:
    set_up_store(centre.client())
    put(centre.client("system"), "/v1/suppliers/depot", SUPPLIER)
    return Gateway(centre, centre.add_gateway())


def the_trigger(centre: CentreProcess) -> dict[str, Any]:
    [row] = get(centre.client("hq"), "/v1/triggers")["rows"]
    return dict(row)


def events(centre: CentreProcess) -> list[tuple[str, int, int]]:
    centre.wait_quiet()
    rows = [row["event"] for row in get(centre.client("system"), "/v1/feed")["rows"]]
    return [(row["type"], row["data"]["revision"], row["data"]["quantity_units"]) for row in rows]


def test_an_order_is_merged_until_the_cut_off_and_goes_out_once(
    centre: CentreProcess, gateway: Gateway
) -> None:
    [view] = get(centre.client("hq"), "/v1/suppliers")["rows"]
    assert (view["next_cutoff_ms"], view["next_delivery_day"]) == (SEND_MS + HOUR_MS, "2017-09-06")
    gateway.send(proposal(1, units=24))
    held = the_trigger(centre)
    assert (held["state"], held["due_ms"], held["quantity_units"]) == ("approved", SEND_MS, 24)
    assert supply_on_order(gateway.send(proposal(1, units=36, target_units=36.0)))["sku-1"] == 36
    assert events(centre) == []
    centre.advance_to(SEND_MS + 60_000)
    centre.wait_until(lambda: the_trigger(centre)["state"] == "sent")
    assert events(centre) == [(TRIGGER, 2, 36)]
    assert the_trigger(centre)["due_ms"] is None


def test_a_held_order_that_is_not_needed_any_more_is_never_sent(
    centre: CentreProcess, gateway: Gateway
) -> None:
    gateway.send(proposal(1, units=24))
    gateway.send(proposal(1, units=24, on_hand_units=60))
    assert the_trigger(centre)["state"] == "cancelled"
    centre.advance_to(SEND_MS + HOUR_MS)
    assert events(centre) == [], "nobody hears of the end of what nobody heard of"


def test_what_would_run_out_before_the_lorry_comes_goes_out_at_once(
    centre: CentreProcess, gateway: Gateway
) -> None:
    put(centre.client("system"), "/v1/suppliers/depot", {**SUPPLIER, "emergency_lead_days": 1})
    gateway.send(forecast(1), proposal(1, units=24, on_hand_units=0))
    trigger = the_trigger(centre)
    assert (trigger["kind"], trigger["due_ms"]) == ("emergency", None)
    assert events(centre) == [(TRIGGER, 1, 24)]


def test_a_kill_switch_holds_what_the_cut_off_would_send(centre: CentreProcess, gateway: Gateway) -> None:
    hq = centre.client("hq")
    gateway.send(proposal(1, units=24))
    switch = {"scope": "store", "target": STORE, "on": True, "who": "Ann", "reason": "flood"}
    put(hq, "/v1/kill-switches", switch)
    centre.advance_to(SEND_MS + 60_000)
    centre.advance_to(SEND_MS + 120_000)
    assert (the_trigger(centre)["state"], events(centre)) == ("approved", [])
    put(hq, "/v1/kill-switches", {**switch, "on": False})
    centre.advance_to(SEND_MS + 180_000)
    centre.wait_until(lambda: the_trigger(centre)["state"] == "sent")


@pytest.mark.parametrize(
    ("answer", "revision", "units"), [("acknowledged", 2, 48), ("rejected", 2, 24), ("ordered", 1, 24)]
)
def test_an_acknowledged_order_is_changed_only_when_the_supplier_agrees(
    centre: CentreProcess, gateway: Gateway, answer: str, revision: int, units: int
) -> None:
    system = centre.client("system")
    gateway.send(proposal(1, units=24))
    centre.advance_to(SEND_MS + 60_000)
    centre.wait_until(lambda: the_trigger(centre)["state"] == "sent")
    trigger = the_trigger(centre)["trigger"]

    def report(status: str, revision: int, **more: object) -> dict[str, Any]:
        body = {"revision": revision, "status": status, "at_ms": START_MS, **more}
        return dict(post(system, f"/v1/triggers/{trigger}/statuses", body))

    report("acknowledged", 1)
    more = {"units": 48, "target_units": 48.0, "watermark_ms": SEND_MS, "at_ms": SEND_MS}
    gateway.send(proposal(1, **more))
    assert events(centre)[-1] == (CHANGE, 2, 48)
    after = report(answer, revision)
    assert (after["quantity_units"], after["state"]) == (
        units,
        "ordered" if answer == "ordered" else "acknowledged",
    )
    assert report(answer, revision) == after, "the same answer again changes nothing"
    shipped = report("shipped", revision, quantity_units=units, despatch="D-1")
    assert (shipped["state"], shipped["shipped_units"]) == ("shipped", units)
    assert get(centre.client("hq"), f"/v1/triggers/{trigger}/evidence")["agrees"] is (units == 48)


def test_budgets_and_empty_depots_make_orders_wait_or_shrink(centre: CentreProcess, gateway: Gateway) -> None:
    system, hq = centre.client("system"), centre.client("hq")
    put(system, f"/v1/stores/{STORE}/budget", {"cents_a_day": 5_000})
    stock = [{"sku": "sku-3", "available_units": 13}, {"sku": "sku-4", "available_units": 3}] * 2
    reply = put(system, "/v1/suppliers/depot/availability", {"rows": stock})
    assert (reply["accepted"], len(reply["rejected"])) == (2, 2)
    gateway.send(*(proposal(n, units=24) for n in range(1, 5)))
    rows = {row["sku"]: row for row in get(hq, "/v1/triggers")["rows"]}
    assert rows["sku-1"]["state"] == "approved"
    assert "of today's budget is left" in rows["sku-2"]["doubt"], "36.00 of 50.00 are spent"
    assert rows["sku-3"]["quantity_units"] == 12
    assert "sku-4" not in rows
    put(system, f"/v1/stores/{STORE}/budget", {"cents_a_day": None})
    gateway.send(proposal(2, units=24))
    assert {row["state"] for row in get(hq, "/v1/triggers", sku="sku-2")["rows"]} == {"approved"}


def test_a_snoozed_order_sleeps_until_it_is_due(centre: CentreProcess, gateway: Gateway) -> None:
    hq = centre.client("hq")
    gateway.send(proposal(1, doubt="cell silent"))
    trigger = the_trigger(centre)["trigger"]
    until = START_MS + 2 * HOUR_MS
    past = post(hq, f"/v1/triggers/{trigger}/snooze", {"until_ms": START_MS, "who": "Ann"}, 422)
    assert "must be ahead" in past["detail"]
    snoozed = post(
        hq, f"/v1/triggers/{trigger}/snooze", {"until_ms": until, "who": "Ann", "reason": "holiday"}
    )
    assert (snoozed["state"], snoozed["due_ms"]) == ("snoozed", until)
    gateway.send(proposal(1, units=48, target_units=48.0))
    assert the_trigger(centre)["state"] == "snoozed"
    centre.advance_to(until + 60_000)
    centre.wait_until(lambda: the_trigger(centre)["state"] == "proposed")
    assert ("Ann", "snooze") in {(row["who"], row["action"]) for row in get(hq, "/v1/audit")["rows"]}


def test_a_supplier_that_cannot_be_is_refused_with_the_reason(centre: CentreProcess) -> None:
    system = centre.client("system")
    for change, words in (
        ({"timezone": "Mars/Olympus"}, "timezone 'Mars/Olympus'"),
        ({"order_weekdays": [1, 1]}, "order_weekdays: a weekday stands twice"),
    ):
        reply = system.put("/v1/suppliers/depot", json={**SUPPLIER, **change})
        assert reply.status_code == 422
        assert words in reply.json()["detail"]
    reply = system.put("/v1/suppliers/nobody/availability", json={"rows": []})
    assert reply.status_code == 404
    assert "PUT /v1/suppliers/nobody first" in reply.json()["detail"]


def test_the_gateway_is_told_the_coming_cut_offs_and_when_what_is_on_order_arrives(
    centre: CentreProcess, gateway: Gateway
) -> None:
    order = {
        "order": "PO-1",
        "store": STORE,
        "sku": "sku-1",
        "quantity_units": 12,
        "at_ms": START_MS,
        "arrives_day": "2017-09-05",
    }
    post(centre.client("system"), "/v1/orders", order)
    reply = gateway.send(proposal(1, units=36, target_units=48.0))
    [supply] = [document for document in reply.documents if document.kind == "supply"]
    [line] = [line for line in supply.lines if line.sku == "sku-1"]
    assert line.on_order_units == sum(part.units for part in line.on_order)
    # What nobody named a day for is expected by the line's lead time.
    days = {part.day: part.units for part in line.on_order}
    assert days["2017-09-05"] == 12
    assert sum(units for day, units in days.items() if day != "2017-09-05") > 0
    slots = supply.slots["depot"]
    assert (slots[0].until_ms, slots[0].arrives_day) == (SEND_MS, "2017-09-06")
    assert [slot.arrives_day for slot in slots[:3]] == ["2017-09-06", "2017-09-09", "2017-09-13"]


def test_the_audit_vouches_for_what_suppliers_said_that_they_have_and_expect(centre: CentreProcess) -> None:
    system = centre.client("system")
    put(system, "/v1/suppliers/depot", SUPPLIER)
    put(system, "/v1/suppliers/depot/availability", {"rows": [{"sku": "sku-1", "available_units": 13}]})
    load = {"sku": "sku-1", "day": "2017-09-06", "units": 24}
    put(system, "/v1/suppliers/depot/arrivals", {"rows": [load]})
    file = "sku,day,units\nsku-1,2017-09-06,30\nsku-2,2017-09-07,12\n"
    reply = system.post("/v1/suppliers/depot/arrivals", content=file, headers={"Content-Type": "text/csv"})
    assert (reply.status_code, reply.json()["added"], reply.json()["changed"]) == (200, 1, 1), reply.text
    said = [row["action"] for row in get(centre.client("hq"), "/v1/audit")["rows"]]
    assert (said.count("supplier-stock"), said.count("supplier-arrivals")) == (1, 2)
    assert "all hold" in centre.command("audit", "verify")
