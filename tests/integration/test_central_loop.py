"""From a batch to the order, the offer and the books: a real centre, real HTTP, real webhooks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from central_rig import START_MS, STORE, CentreProcess, Gateway, Receiver, running
from central_rows import (
    alert,
    day_close,
    delivery,
    forecast,
    gap,
    gtin,
    health,
    level,
    proposal,
    quarantined,
    receipt,
    sale,
    window,
)  # fmt: skip
from ledger_kinds import KINDS, MOSTLY_SQLITE, database
from standardwebhooks import Webhook

from contract.devices import LineKind
from contract.records import SoldLine

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
CELL = "882a930995fffff"


@pytest.fixture(params=MOSTLY_SQLITE)
def centre(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CentreProcess]:
    with database(request.param) as url:
        yield from running(
            CentreProcess(
                tmp_path, database_url=url, auto_approve_below_cents=10_000, campaign_interval_min=10
            )
        )


@pytest.fixture
def gateway(centre: CentreProcess) -> Gateway:
    set_up_store(centre.client())
    return Gateway(centre, centre.add_gateway())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def set_up_store(admin: httpx.Client, store: str = STORE, items: int = 5) -> None:
    hours = [{"weekday": day, "opens_minute": 360, "closes_minute": 1440} for day in range(7)]
    body: dict[str, Any] = {
        "name": "Shop 1", "region": "north", "timezone": "America/New_York", "currency": "USD", "h3_cell": CELL,
        "hours": hours,
    }  # fmt: skip
    put(admin, f"/v1/stores/{store}", body)
    goods = [
        {
            "sku": f"sku-{n}",
            "gtins": [gtin(n)],
            "name": f"Good {n}",
            "category": "drinks" if n < 3 else "food",
        }
        for n in range(1, items + 1)
    ]
    put(admin, f"/v1/stores/{store}/items", {"items": goods})
    prices = [
        {"sku": f"sku-{n}", "price_cents": 250, "from_ms": START_MS - DAY_MS} for n in range(1, items + 1)
    ]
    put(admin, f"/v1/stores/{store}/prices", {"prices": prices})
    supply = [
        {
            "sku": f"sku-{n}", "supplier": "depot", "lead_time_days": 2, "review_days": 1, "pack_units": 12,
            "cost_cents": 150,
        }
        for n in range(1, items + 1)
    ]  # fmt: skip
    put(admin, f"/v1/stores/{store}/supply", {"lines": supply})
    rows = [{"sku": f"sku-{n}", "units": [2] * 14} for n in range(1, items + 1)]
    put(admin, f"/v1/stores/{store}/history", {"first_live_day": "2017-09-04", "rows": rows})
    put(admin, f"/v1/stores/{store}/planogram", {"facings": []})


def put(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    reply = client.put(path, json=body)
    assert reply.is_success, f"{path}: {reply.text}"
    return reply.json() if reply.content else None


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    reply = client.get(path, params=query)
    assert reply.status_code == 200, f"{path}: {reply.text}"
    return reply.json()


def post(client: httpx.Client, path: str, body: dict[str, Any], status: int = 200) -> Any:
    reply = client.post(path, json=body)
    assert reply.status_code == status, f"{path}: {reply.text}"
    return reply.json()


def supply_on_order(receipt: Any) -> dict[str, int]:
    for document in receipt.documents:
        if document.kind == "supply":
            return {line.sku: line.on_order_units for line in document.lines}
    return {}


@pytest.mark.parametrize("centre", KINDS, indirect=True)
def test_a_proposal_becomes_an_order_that_the_delivery_closes(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    system, hq = centre.client("system"), centre.client("hq")
    made = post(system, "/v1/webhooks", {"url": receiver.url}, 201)
    first = gateway.send()
    assert {document.kind for document in first.documents} == {
        "store", "items", "prices", "supply", "history", "planogram"
    }  # fmt: skip

    facings = [
        {"device": "shelf-1", "cell": f"c{n}", "sku": sku, "from_ms": START_MS, "capacity_units": 9}
        for n, sku in enumerate(("sku-1", "sku-9", None))
    ]
    told = put(system, f"/v1/stores/{STORE}/planogram", {"facings": facings})
    assert told["accepted"] == 2
    assert told["rejected"] == [f"shelf-1/c1: SKU 'sku-9' is not in the item list of {STORE}"]

    reply = gateway.send(level(on_hand=3), proposal(units=24))
    [planogram] = [document for document in reply.documents if document.kind == "planogram"]
    assert [facing.sku for facing in planogram.facings] == ["sku-1", None]
    assert supply_on_order(reply)["sku-1"] == 24
    centre.wait_quiet()

    [(headers, body)] = receiver.calls
    event = Webhook(made["secret"]).verify(body, headers)
    assert event["type"] == "shelfloop.restock.trigger.v1"
    assert event["data"]["quantity_units"] == 24
    assert headers["webhook-id"] == event["id"]
    trigger = event["data"]["trigger"]
    assert get(hq, f"/v1/triggers/{trigger}")["state"] == "sent"
    assert get(system, "/v1/feed")["rows"][0]["event"] == event

    for status in ("acknowledged", "ordered"):
        post(system, f"/v1/triggers/{trigger}/statuses", {"revision": 1, "status": status, "at_ms": START_MS})
    shipped = {"revision": 1, "status": "shipped", "at_ms": START_MS, "quantity_units": 24, "despatch": "D-1"}
    for _ in range(2):
        assert post(system, f"/v1/triggers/{trigger}/statuses", shipped)["state"] == "shipped"
    late = post(
        system, f"/v1/triggers/{trigger}/statuses", {"revision": 1, "status": "rejected", "at_ms": START_MS}
    )
    assert late["state"] == "shipped"

    reply = gateway.send(delivery("D-1", 22))
    assert supply_on_order(reply)["sku-1"] == 0
    closed = get(hq, f"/v1/triggers/{trigger}")
    assert (closed["state"], closed["shipped_units"], closed["received_units"]) == ("closed", 24, 22)
    assert any(row["action"] == "received-short" for row in get(hq, "/v1/audit")["rows"])
    evidence = get(hq, f"/v1/triggers/{trigger}/evidence")
    assert (evidence["agrees"], evidence["recomputed_quantity_units"]) == (True, 24)
    assert "all hold" in centre.command("audit", "verify")


def test_a_delivery_that_overtakes_its_despatch_note_closes_the_order(
    centre: CentreProcess, gateway: Gateway
) -> None:
    system = centre.client("system")
    gateway.send(proposal())
    trigger = get(system, "/v1/triggers")["rows"][0]["trigger"]
    gateway.send(delivery("D-9", 24))
    shipped = {"revision": 1, "status": "shipped", "at_ms": START_MS, "despatch": "D-9"}
    assert post(system, f"/v1/triggers/{trigger}/statuses", shipped)["state"] == "closed"


def test_what_is_dear_or_doubtful_waits_for_a_person(centre: CentreProcess, gateway: Gateway) -> None:
    hq, system = centre.client("hq"), centre.client("system")
    gateway.send(proposal(1, units=120, target_units=120.0), proposal(2, doubt="cell silent"), proposal(3))
    rows = {row["sku"]: row for row in get(hq, "/v1/triggers", limit=10)["rows"]}
    assert {sku: row["state"] for sku, row in rows.items()} == {
        "sku-1": "proposed", "sku-2": "proposed", "sku-3": "sent"
    }  # fmt: skip
    assert "limit" in rows["sku-1"]["doubt"]
    assert rows["sku-2"]["doubt"] == "cell silent"

    dear, doubtful = rows["sku-1"]["trigger"], rows["sku-2"]["trigger"]
    early = {"revision": 1, "status": "acknowledged", "at_ms": START_MS}
    assert "never sent" in post(system, f"/v1/triggers/{dear}/statuses", early, 409)["detail"]
    broken = {"who": "Ann", "quantity_units": 13}
    assert "whole packs" in post(hq, f"/v1/triggers/{dear}/approve", broken, 422)["detail"]
    approved = post(
        hq, f"/v1/triggers/{dear}/approve", {"who": "Ann", "quantity_units": 60, "reason": "half will do"}
    )
    assert (approved["quantity_units"], approved["revision"]) == (60, 2)
    assert (
        post(hq, f"/v1/triggers/{doubtful}/reject", {"who": "Ann", "reason": "counted it"})["state"]
        == "rejected"
    )
    assert (
        "only one that waits" in post(hq, f"/v1/triggers/{doubtful}/approve", {"who": "Ann"}, 409)["detail"]
    )
    centre.wait_quiet()
    events = [row["event"]["data"] for row in get(system, "/v1/feed")["rows"]]
    assert {(data["sku"], data["quantity_units"]) for data in events} == {("sku-1", 60), ("sku-3", 24)}
    audit = {(row["who"], row["action"]) for row in get(hq, "/v1/audit")["rows"]}
    assert {("Ann", "approve"), ("Ann", "reject")} <= audit
    assert "all hold" in centre.command("audit", "verify")


def test_a_kill_switch_makes_orders_wait_and_off_lets_them_go(
    centre: CentreProcess, gateway: Gateway
) -> None:
    hq = centre.client("hq")
    switch = {"scope": "supplier", "target": "depot", "on": True, "who": "Ann", "reason": "strike"}
    put(hq, "/v1/kill-switches", switch)
    gateway.send(proposal(1))
    [row] = get(hq, "/v1/triggers")["rows"]
    assert (row["state"], "strike" in row["doubt"]) == ("proposed", True)
    put(hq, "/v1/kill-switches", {**switch, "on": False})
    gateway.send(proposal(1))
    [row] = get(hq, "/v1/triggers")["rows"]
    assert (row["state"], row["revision"]) == ("sent", 2)


@pytest.mark.parametrize(
    ("scope", "target", "expected"),
    [
        ("chain", "", set()),
        ("store", STORE, {("store-2", "sku-1")}),
        ("supplier", "depot", {(STORE, "sku-2")}),
    ],
)
def test_a_kill_switch_stops_what_it_covers_and_nothing_else(
    centre: CentreProcess, gateway: Gateway, scope: str, target: str, expected: set[tuple[str, str]]
) -> None:
    admin, hq = centre.client(), centre.client("hq")
    set_up_store(admin, "store-2")
    lines = [
        {
            "sku": f"sku-{n}", "supplier": supplier, "lead_time_days": 2, "review_days": 1, "pack_units": 12,
            "cost_cents": 150,
        }
        for n, supplier in ((1, "depot"), (2, "dairy"))
    ]  # fmt: skip
    put(admin, f"/v1/stores/{STORE}/supply", {"lines": lines})
    other = Gateway(centre, centre.add_gateway("store-2", "gw-2"), store="store-2", name="gw-2")
    put(
        hq,
        "/v1/kill-switches",
        {"scope": scope, "target": target, "on": True, "who": "Ann", "reason": "drill"},
    )
    gateway.send(proposal(1), proposal(2))
    other.send(proposal(1))
    centre.wait_quiet()
    rows = {(row["store"], row["sku"]): row for row in get(hq, "/v1/triggers")["rows"]}
    sent = {place for place, row in rows.items() if row["state"] == "sent"}
    covered = {place for place, row in rows.items() if "drill" in row["doubt"]}
    assert len(rows) == 3
    assert sent == rows.keys() - covered
    assert {rows[place]["state"] for place in covered} == {"proposed"}
    assert sent == expected


def test_an_outside_order_counts_as_on_order_until_it_is_delivered(
    centre: CentreProcess, gateway: Gateway
) -> None:
    system = centre.client("system")
    order = {
        "order": "PO-7", "store": STORE, "sku": "sku-1", "quantity_units": 12, "at_ms": START_MS, "despatch": "D-7",
    }  # fmt: skip
    assert [post(system, "/v1/orders", order)["accepted"] for _ in range(2)] == [1, 0]
    assert supply_on_order(gateway.send(proposal(1, units=24)))["sku-1"] == 24
    [row] = get(system, "/v1/triggers")["rows"]
    assert (row["quantity_units"], row["on_order_units"]) == (12, 12)
    assert supply_on_order(gateway.send(delivery("D-7", 12)))["sku-1"] == 12
    assert "all hold" in centre.command("audit", "verify")


def test_a_shops_skus_are_those_whose_stock_is_minded(centre: CentreProcess, gateway: Gateway) -> None:
    goods = [
        {"sku": f"sku-{n}", "gtins": [gtin(n)], "name": f"Good {n}", "category": "food", "managed": n == 1}
        for n in range(1, 5)
    ]
    put(centre.client(), f"/v1/stores/{STORE}/items", {"items": goods})
    gateway.send(level(1, on_hand=0), level(2, on_hand=4), level(3, on_hand=None))
    store = get(centre.client("hq"), f"/v1/stores/{STORE}")
    assert (store["skus"], store["skus_out_of_stock"]) == (2, 1)


def test_the_books_count_transmissions_cells_and_triggers(centre: CentreProcess, gateway: Gateway) -> None:
    system, hq = centre.client("system"), centre.client("hq")
    old = {"accepted_total": 5}
    new = {
        "accepted_total": 40, "duplicates_total": 3, "rejected_total": 1, "quarantined_total": 2,
        "picks_counted_units": 9, "put_back_units": 4, "unresolved_units": 1,
    }  # fmt: skip
    gateway.send(
        health(counters=old), health(counters=new), proposal(1), proposal(2), proposal(3, doubt="cell silent")
    )
    centre.wait_quiet()
    [first, _, waiting] = sorted(get(hq, "/v1/triggers")["rows"], key=lambda row: str(row["sku"]))
    post(
        system,
        f"/v1/triggers/{first['trigger']}/statuses",
        {"revision": 1, "status": "acknowledged", "at_ms": START_MS},
    )
    assert waiting["state"] == "proposed"
    for store in ("", STORE):
        books = get(hq, "/v1/accounting", store=store)
        assert books["transmissions"] == {"accepted": 40, "duplicates": 3, "rejected": 1, "quarantined": 2}
        assert books["cells"] == {"picked_units": 9, "put_back_units": 4, "unresolved_units": 1}
        assert books["triggers"] == {"created": 3, "sent": 2, "acknowledged": 1, "waiting": 1}
    assert get(hq, "/v1/accounting", store="store-9")["triggers"]["created"] == 0


def test_receipts_are_the_sales_and_balance_with_the_tills(centre: CentreProcess, gateway: Gateway) -> None:
    hq = centre.client("hq")
    lines = [sale(1, 2), sale(2, 1), SoldLine(kind=LineKind.DISCOUNT, extended_cents=-50)]
    back = [sale(1, 1, kind=LineKind.RETURN, extended_cents=-250)]
    gateway.send(
        receipt(1, lines), receipt(2, back), window(1, picked_units=3, on_hand_units=7), level(1, 7), forecast(1), health(), gap(),
        alert(), quarantined(), day_close(receipts=2, lines=4, units=2, cents=450),
    )  # fmt: skip
    books = get(hq, "/v1/accounting")
    assert books["balanced"] is True
    assert books["cents"] == {"tills": 450, "ledger": 450}
    sku = get(hq, f"/v1/stores/{STORE}/skus/sku-1")
    assert (sku["sold_today_units"], sku["on_hand_units"], sku["price_cents"]) == (1, 7, 250)
    series = get(
        hq,
        f"/v1/stores/{STORE}/skus/sku-1/series",
        from_ms=START_MS - DAY_MS,
        to_ms=START_MS + DAY_MS,
        step="1h",
    )
    assert sum(point["sold_units"] for point in series["points"]) == 1
    assert sum(point["picked_units"] for point in series["points"]) == 3
    assert len(series["forecast"]) > 0
    [everywhere] = get(hq, "/v1/skus/sku-1/days/2017-09-04")["rows"]
    assert (everywhere["store"], everywhere["sold_units"], everywhere["on_hand_units"]) == (STORE, 1, 7)
    leading = get(hq, "/v1/categories/hours", from_ms=START_MS - DAY_MS, to_ms=START_MS + DAY_MS)["rows"]
    assert sum(row["sold_units"] for row in leading) == 2
    refused = hq.get("/v1/categories/hours", params={"from_ms": 0, "to_ms": START_MS})
    assert (refused.status_code, "8 days" in refused.text) == (422, True)
    overview = get(hq, "/v1/overview", from_ms=0, to_ms=START_MS + DAY_MS)
    assert (overview["losses"], overview["open_alerts"], overview["quarantined_total"]) == (1, 1, 1)
    assert [(day["receipts"], day["units"], day["cents"]) for day in overview["days"]] == [(2, 2, 450)]
    assert overview["gateways_online"] == 1
    gateway.send(alert(cleared=True))
    assert get(hq, "/v1/alerts", open=True)["rows"] == []
    found = get(hq, f"/v1/stores/{STORE}/skus", search="good 1", sort="-sold_today_units")
    assert [row["sku"] for row in found["rows"]] == ["sku-1"]


@pytest.mark.parametrize("centre", KINDS, indirect=True)
def test_a_coupon_goes_out_is_redeemed_once_and_reversed(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    app, hq = centre.client("member-app"), centre.client("hq")
    post(app, "/v1/webhooks", {"url": receiver.url}, 201)
    consent = {
        "marketing_consent": True, "location_consent": True, "h3_cell": CELL, "timezone": "America/New_York",
        "quiet_from_minute": 0, "quiet_until_minute": 0,
    }  # fmt: skip
    for n in range(20):
        put(app, f"/v1/members/m-{n}", consent)
    put(app, "/v1/members/m-no", {**consent, "marketing_consent": False})
    gateway.send(level(1, 100), forecast(1), level(2, 0), forecast(2), level(3, None), forecast(3))
    campaign = {
        "cause": "surplus", "name": "Plenty", "discount_percent": 20, "max_discount_cents": 100, "budget_cents": 10_000,
        "cap_per_day": 5, "holdout_percent": 20, "starts_ms": START_MS, "ends_ms": START_MS + 7 * DAY_MS,
    }  # fmt: skip
    put(hq, "/v1/campaigns/plenty", campaign)
    centre.advance_to(START_MS + HOUR_MS)
    centre.wait_quiet()
    events = receiver.events()
    assert len(events) == 5
    assert {event["data"]["sku"] for event in events} == {"sku-1"}
    assert "m-no" not in {event["data"]["member"] for event in events}

    data = events[0]["data"]
    discount = SoldLine(
        kind=LineKind.DISCOUNT, extended_cents=-data["discount_cents"], coupon_code=data["code"].lower()
    )
    later = {"at_ms": START_MS + HOUR_MS}
    reply = gateway.send(receipt(1, [sale(1), discount], **later), receipt(2, [sale(1), discount], **later))
    keys = next(document for document in reply.documents if document.kind == "coupons")
    assert [key.campaign for key in keys.keys] == ["plenty"]
    returned = SoldLine(
        kind=LineKind.DISCOUNT, extended_cents=data["discount_cents"], coupon_code=data["code"]
    )
    gateway.send(receipt(3, [sale(1, kind=LineKind.RETURN, extended_cents=-250), returned], **later))
    [view] = get(hq, "/v1/campaigns")["rows"]
    assert {name: view[name] for name in ("issued", "redeemed", "refused", "reversed", "delivered")} == {
        "issued": 5, "redeemed": 1, "refused": 1, "reversed": 1, "delivered": 5,
    }  # fmt: skip
    centre.wait_quiet()
    kinds = [event["type"] for event in receiver.events()[5:]]
    assert kinds == ["shelfloop.coupon.redeemed.v1", "shelfloop.coupon.reversed.v1"]
    assert all(event["data"]["code"] is None for event in receiver.events()[5:])

    assert app.delete(f"/v1/members/{data['member']}").status_code == 204
    assert f"'{data['member']}'" not in str(get(app, "/v1/feed"))
    centre.advance_to(START_MS + 5 * DAY_MS)
    centre.wait_until(
        lambda: all(row["event"]["data"]["code"] is None for row in get(app, "/v1/feed")["rows"]), 60
    )
    assert "all hold" in centre.command("audit", "verify")
