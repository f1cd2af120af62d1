"""Surplus in one shop, shortage in another: a transfer is proposed with its worth, decided by a person, and closed by the delivery."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from central_rig import START_MS, STORE, CentreProcess, Gateway, running
from central_rows import delivery, forecast, level, proposal
from ledger_kinds import MOSTLY_SQLITE, database
from test_central_loop import get, post, put, set_up_store

HOUR_MS = 3_600_000
FAR_CELL = "881f1d4b11fffff"


@pytest.fixture(params=MOSTLY_SQLITE)
def centre(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CentreProcess]:
    with database(request.param) as url:
        yield from running(
            CentreProcess(
                tmp_path, database_url=url, transfer_handling_cents=10, auto_approve_below_cents=100_000
            )
        )


@pytest.fixture
def shops(centre: CentreProcess) -> dict[str, Gateway]:
    for store in (STORE, "store-2"):
        set_up_store(centre.client(), store)
    return {
        STORE: Gateway(centre, centre.add_gateway()),
        "store-2": Gateway(centre, centre.add_gateway("store-2", "gw-2"), store="store-2", name="gw-2"),
    }


def test_what_one_shop_can_spare_is_carried_to_the_one_that_misses_it(
    centre: CentreProcess, shops: dict[str, Gateway]
) -> None:
    hq, system = centre.client("hq"), centre.client("system")
    shops[STORE].send(forecast(1), level(1, on_hand=0))
    shops["store-2"].send(forecast(1), level(1, on_hand=90))
    lines = {line["store"]: line for line in get(hq, "/v1/mismatch")["rows"]}
    assert lines[STORE]["missed_units"] > 0
    assert lines["store-2"]["spare_units"] > 0
    assert lines[STORE]["offer"]["giver"] == "store-2"
    assert lines[STORE]["offer"]["net_cents"] > 0
    assert (lines[STORE]["name"], lines[STORE]["region"]) == ("Good 1", "north")
    assert get(hq, "/v1/mismatch", region="south")["rows"] == []
    centre.advance_to(START_MS + HOUR_MS)
    centre.wait_until(lambda: bool(get(hq, "/v1/triggers")["rows"]))
    [row] = get(hq, "/v1/triggers")["rows"]
    assert (row["kind"], row["store"], row["supplier"], row["state"]) == (
        "transfer", STORE, "store-2", "proposed",
    )  # fmt: skip
    assert "units from store-2" in row["why"]
    assert get(hq, f"/v1/triggers/{row['trigger']}/evidence")["agrees"] is True
    [leaves] = get(hq, "/v1/stores/store-2/transfers")["rows"]
    assert (leaves["direction"], leaves["other_store"], leaves["quantity_units"]) == (
        "leaves", STORE, row["quantity_units"],
    )  # fmt: skip
    centre.advance_to(START_MS + 2 * HOUR_MS)
    shops[STORE].send(proposal(1, units=24, on_hand_units=0))
    kinds = sorted(one["kind"] for one in get(hq, "/v1/triggers", sku="sku-1")["rows"])
    assert kinds == ["restock", "transfer"], "asked once, and the order beside it has its own trigger"

    post(hq, f"/v1/triggers/{row['trigger']}/approve", {"who": "Ann"})
    centre.wait_quiet()
    events = [event["event"]["data"] for event in get(system, "/v1/feed")["rows"]]
    sent = next(data for data in events if data["kind"] == "transfer")
    assert (sent["supplier"], sent["quantity_units"]) == ("store-2", row["quantity_units"])
    shipped = {
        "revision": 1, "status": "shipped", "at_ms": START_MS, "despatch": "T-1", "quantity_units": row["quantity_units"],
    }  # fmt: skip
    post(system, f"/v1/triggers/{row['trigger']}/statuses", shipped)
    shops[STORE].send(delivery("T-1", row["quantity_units"]))
    assert get(hq, f"/v1/triggers/{row['trigger']}")["state"] == "closed"


def test_no_transfer_crosses_the_reach(centre: CentreProcess, shops: dict[str, Gateway]) -> None:
    hq, admin = centre.client("hq"), centre.client()
    place = get(admin, "/v1/stores/store-2")
    hours = [{"weekday": day, "opens_minute": 360, "closes_minute": 1440} for day in range(7)]
    body = {name: place[name] for name in ("name", "region", "timezone", "currency")}
    put(admin, "/v1/stores/store-2", {**body, "h3_cell": FAR_CELL, "hours": hours})
    shops[STORE].send(forecast(1), level(1, on_hand=0))
    shops["store-2"].send(forecast(1), level(1, on_hand=90))
    rounds = centre.status()["counters"].get("transfer_rounds", 0)
    centre.advance_to(START_MS + 3 * HOUR_MS)
    centre.wait_until(lambda: centre.status()["counters"].get("transfer_rounds", 0) > rounds)
    assert get(hq, "/v1/triggers")["rows"] == []
    assert len(get(hq, "/v1/mismatch")["rows"]) == 2, "the map shows it all the same"
