"""A load that is noted at the centre and scanned at the dock is in the books once; where they differ, the dock's count stands."""

import pytest
from edge_shop import START_MS, Shop, gtin
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contract.documents import AnyDocument
from contract.records import StockFactKind
from edge.core.despatches import MAX_ROWS, Despatches
from edge.core.messages import DocumentArrived

DOCUMENT = TypeAdapter(AnyDocument)


def note(version=1, units=12, despatch="D-7", sku="sku-1", **more):
    line = {
        "note": "N-1", "despatch": despatch, "sku": sku, "quantity_units": units, "expected_units": 12,
        "at_ms": START_MS - 1000, **more,
    }  # fmt: skip
    return DocumentArrived(
        DOCUMENT.validate_python({"kind": "deliveries", "version": version, "lines": [line]})
    )


def scan(shop, *units, despatch="D-7"):
    lines = [{"gtin": gtin(1), "quantity_units": n, "expected_units": n} for n in units]
    return shop.event("dock", "delivery", despatch=despatch, lines=lines)


def book(shop):
    return shop.core.state.level("sku-1").on_hand_units


def delivered(shop):
    return [(fact.units, fact.despatch) for fact in shop.facts(StockFactKind.DELIVERY)]


def test_a_noted_load_fills_the_back_room_once_however_often_the_note_comes():
    shop = Shop().opened()
    shop.batch(note(1))
    shop.batch(note(2), note(2))
    shop.restart()
    shop.batch(note(3))
    assert (delivered(shop), book(shop)) == ([(12, "D-7")], 27)
    [fact] = shop.facts(StockFactKind.DELIVERY)
    assert (fact.at_ms, fact.reason, fact.on_hand_units) == (START_MS - 1000, "note N-1", 27)


def test_a_substitute_says_what_it_stands_for():
    shop = Shop().opened()
    shop.batch(note(instead_of="sku-2"))
    assert shop.facts(StockFactKind.DELIVERY)[0].reason == "instead of sku-2"


def test_what_the_dock_scanned_before_its_note_came_is_not_taken_in_again():
    shop = Shop().opened()
    shop.batch(scan(shop, 11))
    shop.batch(note())
    assert (delivered(shop), book(shop)) == ([(11, "D-7")], 26)


@pytest.mark.parametrize(
    ("scans", "facts"), [([12], []), ([11], [-1]), ([5, 7], [-7, 7]), ([14], [2])], ids=str
)
def test_the_docks_count_replaces_the_notes(scans, facts):
    shop = Shop().opened()
    shop.batch(note())
    for units in scans:
        shop.batch(scan(shop, units))
    assert [units for units, _ in delivered(shop)] == [12, *facts]
    assert book(shop) == 15 + sum(scans)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=12))
def test_the_books_have_what_the_dock_counted_or_else_what_the_note_said(steps):
    despatches, books = Despatches(), 0
    noted, scans = [], []
    for is_note, units in steps:
        if is_note:
            books += units if despatches.noted("D", "a", units, 0) else 0
            noted.append(units)
        else:
            books += despatches.scanned("D", "a", units, 0)[0]
            scans.append(units)
    assert books == (sum(scans) if scans else (noted or [0])[0])


def test_what_is_remembered_of_loads_is_bounded():
    despatches = Despatches()
    for number in range(MAX_ROWS + 100):
        despatches.scanned(f"D-{number}", "a", 1, number)
    assert len(despatches.rows.by_key) <= MAX_ROWS
    assert f"a/D-{MAX_ROWS + 99}" in despatches.rows.by_key
    assert "a/D-0" not in despatches.rows.by_key
