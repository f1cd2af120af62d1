"""The mismatch map: surplus here, shortage there, what is worth carrying, and what is reserved once a transfer is open."""

import json
from collections.abc import Iterator
from functools import partial

import pytest
from central_rows import START_MS, forecast, level
from ledger_kinds import SQLITE, on_both
from test_ledger import STORE, Bench, bench

from central import mismatch
from central.access import Principal, Scope
from central.api.transfers import get_mismatch_regions
from central.ledger.transfer_views import names_of, shops, transfers_of
from central.mismatch import COSTS_BETWEEN, MismatchDesk, terms_of
from central.transferring import raise_transfer
from contract.documents import SupplyLine

GIVER, OTHER = "store-2", "store-3"
CELL = "882a100d63fffff"


def stand(centre: Bench, store: str, on_hand: int) -> None:
    """A shop that sells sku-1, with so many on hand."""
    line = SupplyLine(
        sku="sku-1", supplier="depot", lead_time_days=2, review_days=1, pack_units=12, cost_cents=150
    )
    supply = json.dumps({"kind": "supply", "version": 1, "lines": [line.model_dump(mode="json")]})
    told = forecast(1)
    if store != STORE:
        centre.change(
            f"""INSERT INTO stores (store_id, name, region, timezone, currency, hours, closed_days)
            VALUES ('{store}', 'Shop {store}', 'north', 'UTC', 'USD', '[]', '[]')"""
        )
        centre.change(
            f"INSERT INTO items (store_id, sku, gtin, name, category, managed) VALUES ('{store}', 'sku-1', '', 'Good', 'x', 1)"
        )
        centre.change(
            f"""INSERT INTO forecasts (store_id, sku, first_day, at_ms, mean, quantiles, bundle) VALUES ('{store}', 'sku-1',
            '{told.first_day}', {START_MS}, '{json.dumps(told.mean)}', '{json.dumps(told.quantiles)}', '')"""
        )
        centre.change(
            f"""INSERT INTO stock (store_id, sku, on_hand_units, on_shelf_units, at_ms, shrink_units)
            VALUES ('{store}', 'sku-1', {on_hand}, {on_hand}, {START_MS}, 0)"""
        )
    else:
        centre.put_supply()
        centre.send([forecast(1), level(1, on_hand=on_hand, seq=2)])
    centre.change(f"UPDATE stores SET h3_cell = '{CELL}' WHERE store_id = '{store}'")
    centre.change(
        f"INSERT INTO prices (store_id, sku, price_cents, from_ms) VALUES ('{store}', 'sku-1', 2000, 0)"
    )
    centre.change(f"DELETE FROM documents WHERE store_id = '{store}' AND kind = 'supply'")
    centre.change(
        f"INSERT INTO documents (store_id, kind, version, body) VALUES ('{store}', 'supply', 1, '{supply}')"
    )


@pytest.fixture
def centre() -> Iterator[Bench]:
    with bench(SQLITE) as made:
        yield made


@on_both
def test_the_map_says_what_is_worth_carrying_and_an_open_transfer_reserves_it(kind: str) -> None:
    with bench(kind) as centre:
        for store, on_hand in ((STORE, 0), (GIVER, 40), (OTHER, 0)):
            stand(centre, store, on_hand)
        look, found = centre.centre.mismatch.look()
        lines = {line.store: line for line in look.lines}
        spare = lines[GIVER].spare_units
        assert lines[STORE].missed_units > 1
        assert lines[STORE].spare_units == 0
        assert {one.transfer.taker for one in found} == {STORE, OTHER}
        mine = next(one for one in found if one.transfer.taker == STORE)
        assert look.offers[STORE, "sku-1"] == mine.transfer
        assert mine.transfer.net_cents > 0

        terms = terms_of(centre.settings)
        raised = partial(
            raise_transfer, transfer=mine.transfer, giver=mine.giver, taker=mine.taker, terms=terms
        )
        assert centre.run(raised)
        look, found = centre.centre.mismatch.look()
        lines = {line.store: line for line in look.lines}
        assert list(look.waiting) == [(STORE, "sku-1")]
        assert (STORE, "sku-1") not in look.offers
        assert STORE in lines, "it stays on the map until the goods are there"
        assert lines[GIVER].spare_units == spare - mine.transfer.quantity_units
        assert {one.transfer.taker for one in found} == {OTHER}
        with centre.ledger.read.connect() as connection:
            [leaves] = transfers_of(connection, GIVER, 10)
            [comes] = transfers_of(connection, STORE, 10)
            assert transfers_of(connection, OTHER, 10) == []
            assert names_of(connection, [(GIVER, "sku-1"), (OTHER, "sku-9")]) == {(GIVER, "sku-1"): "Good"}
            assert shops(connection)[GIVER].region == "north"
        assert (leaves.direction, leaves.other_store, leaves.other_name) == ("leaves", STORE, "Shop")
        assert (comes.direction, comes.other_store, comes.trigger) == ("comes", GIVER, leaves.trigger)
        assert leaves.quantity_units == mine.transfer.quantity_units


def test_in_a_small_chain_every_question_sees_what_is_new(centre: Bench) -> None:
    """However long the last look took: a machine may be slow, and the first look is of an empty ledger."""
    desk = MismatchDesk(centre.centre, monotonic_s=iter(range(0, 10**6, 1000)).__next__)
    assert desk.kept().lines == ()
    stand(centre, STORE, 0)
    stand(centre, GIVER, 40)
    assert {line.store for line in desk.kept().lines} == {STORE, GIVER}


def test_a_question_takes_no_new_look_before_twenty_times_the_last_ones_length(
    centre: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mismatch, "SMALL", 0)
    stand(centre, STORE, 0)
    stand(centre, GIVER, 40)
    now_s = [0.0]

    def tick() -> float:
        now_s[0] += 1.0
        return now_s[0]

    desk = MismatchDesk(centre.centre, monotonic_s=tick)
    first = desk.kept()
    assert desk.kept() is first
    now_s[0] += COSTS_BETWEEN
    assert desk.kept() is not first
    looked, _ = desk.look()
    assert desk.kept() is looked, "what the round saw answers questions, too"


def test_sums_by_region_are_made_once_a_look_for_each_reach_and_see_a_shop_that_moved(
    centre: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mismatch, "SMALL", 0)
    stand(centre, STORE, 0)
    stand(centre, GIVER, 40)
    look, _ = centre.centre.mismatch.look()
    monkeypatch.setattr(centre.centre.mismatch, "kept", lambda: look)
    everywhere = Principal(Scope.HQ, "Ann")
    one_shop = Principal(Scope.HQ, "Bob", stores=frozenset({GIVER}))

    def regions(principal: Principal) -> list[tuple[str, int]]:
        return [(row.region, row.stores) for row in get_mismatch_regions(principal, centre.centre).rows]

    for _ in range(2):
        assert regions(everywhere) == [("", 1), ("north", 1)]
        assert regions(one_shop) == [("north", 1)]
    assert len(look.summed) == 2
    centre.change(f"UPDATE stores SET region = 'south' WHERE store_id = '{GIVER}'")
    assert regions(everywhere) == [("", 1), ("south", 1)]
