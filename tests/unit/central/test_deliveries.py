"""Delivery notes on a real ledger: what is noted counts once, as on-order or on hand, never as both and never as neither."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from central_rows import START_MS, delivery, proposal
from ledger_kinds import SQLITE, on_both
from test_ledger import STORE, Bench, bench

from central import arrivals, deliveries, order_reports
from central.errors import ConflictError, SenderError
from central.ledger import facts, note_rows
from contract.api.deliveries import DeliveryNote
from contract.api.restock import OutsideOrder, ReportedStatus, StatusPost
from contract.documents import DeliveriesDocument
from contract.records import Record

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@pytest.fixture
def centre() -> Iterator[Bench]:
    with bench(SQLITE) as made:
        made.put_supply()
        yield made


def take(centre: Bench, *lines: dict[str, object], note: str = "N-1", **more: object) -> bool:
    values = {"note": note, "store": STORE, "at_ms": START_MS - HOUR_MS, "despatch": "D-1", "lines": lines}
    made = DeliveryNote.model_validate({**values, **more})
    taken: bool = centre.run(lambda work: deliveries.take_note(work, made, "the erp"))
    return taken


def line(units: int, number: int = 1, **more: object) -> dict[str, object]:
    return {"sku": f"sku-{number}", "quantity_units": units, **more}


def order(centre: Bench, units: int, number: int = 1, despatch: str | None = "D-1") -> None:
    made = OutsideOrder(
        order=f"PO-{number}", store=STORE, sku=f"sku-{number}", quantity_units=units, at_ms=START_MS, despatch=despatch
    )  # fmt: skip
    centre.run(lambda work: arrivals.place_outside_order(work, made))


def on_order(centre: Bench, number: int = 1) -> int:
    units: int = centre.run(lambda work: work.store.on_order(f"sku-{number}"))
    centre.centre.memory.forget()
    assert centre.run(lambda work: work.store.on_order(f"sku-{number}")) == units, "memory and rows agree"
    return units


def noted(centre: Bench) -> list[tuple[str, int, str | None]]:
    """What goes down to the gateway."""
    [[body]] = centre.rows("SELECT body FROM documents WHERE kind = 'deliveries'")
    return [
        (row.sku, row.quantity_units, row.instead_of) for row in DeliveriesDocument.from_json(str(body)).lines
    ]


def tell(centre: Bench, *rows: Record, start: int = 1) -> None:
    centre.send([row.model_copy(update={"seq": start + place}) for place, row in enumerate(rows)])


@on_both
def test_a_note_is_on_order_until_the_gateway_tells_the_delivery_and_once(kind: str) -> None:
    with bench(kind) as centre:
        centre.put_supply()
        order(centre, 24)
        assert take(centre, line(24))
        assert not take(centre, line(24)), "the same note again"
        assert (on_order(centre), noted(centre)) == (24, [("sku-1", 24, None)])
        tell(centre, delivery("D-1", 24, at_ms=START_MS - HOUR_MS, reason="note N-1"))
        assert (on_order(centre), noted(centre)) == (0, [])
        assert centre.rows("SELECT sum(units) FROM stock_facts WHERE fact = 'delivery'") == [(24,)]
        assert centre.rows("SELECT state, booked_units FROM delivery_notes") == [("arrived", 24)]
        assert not take(centre, line(24))
        assert on_order(centre) == 0


def test_a_delivery_that_comes_with_a_backlog_is_on_order_no_more(centre: Bench) -> None:
    order(centre, 24)
    take(centre, line(6, 2), note="N-2", despatch="D-2")
    centre.send([delivery("D-0", 1, number=3)], epoch="e-before")
    centre.send([delivery("D-9", 1, number=3)], epoch="e-live")
    centre.send([delivery("D-1", 24, seq=2), delivery("D-2", 6, number=2, seq=3)], epoch="e-before")
    assert (on_order(centre), on_order(centre, 2), noted(centre)) == (0, 0, [])


def test_the_same_number_with_other_lines_is_refused(centre: Bench) -> None:
    take(centre, line(24))
    with pytest.raises(ConflictError, match="N-1 is known with other lines"):
        take(centre, line(12))
    assert on_order(centre) == 24


def test_goods_that_nobody_ordered_count_as_on_order_until_they_are_in_the_books(centre: Bench) -> None:
    take(centre, line(7), despatch=None)
    assert on_order(centre) == 7
    tell(centre, delivery("N-1", 7))
    assert on_order(centre) == 0


def test_a_short_delivery_frees_what_does_not_come_at_once(centre: Bench) -> None:
    order(centre, 24)
    take(centre, line(10, expected_units=24))
    assert on_order(centre) == 10
    assert centre.rows("SELECT subject, reason FROM audit WHERE action = 'delivered-short'") == [
        ("N-1 sku-1", "14 units short of 24")
    ]


def test_what_did_not_come_at_all_is_on_order_no_more(centre: Bench) -> None:
    order(centre, 24)
    take(centre, line(0, expected_units=24), line(3, 2))
    assert (on_order(centre), on_order(centre, 2)) == (0, 3)
    assert noted(centre) == [("sku-2", 3, None)]


def test_a_substitute_takes_the_place_of_what_was_ordered(centre: Bench) -> None:
    order(centre, 24)
    take(centre, line(20, 2, substitutes="sku-1", expected_units=24))
    assert (on_order(centre), on_order(centre, 2)) == (0, 20)
    assert noted(centre) == [("sku-2", 20, "sku-1")]


@pytest.mark.parametrize("units", [24, 18])
def test_a_note_names_the_trigger_that_it_fills(centre: Bench, units: int) -> None:
    tell(centre, proposal(1, units=24))
    [[trigger]] = centre.rows("SELECT trigger_id FROM triggers")
    take(centre, line(units, order=trigger, expected_units=24))
    assert centre.rows("SELECT state, despatch, shipped_units FROM triggers") == [("shipped", "D-1", units)]
    assert on_order(centre) == units
    tell(centre, delivery("D-1", units), start=2)
    assert centre.rows("SELECT state, received_units FROM triggers") == [("closed", units)]
    assert on_order(centre) == 0


def test_a_note_that_comes_before_its_order_is_said_to_be_shipped_counts_once(centre: Bench) -> None:
    tell(centre, proposal(1, units=24))
    take(centre, line(20, expected_units=24))
    assert on_order(centre) == 44, "nobody has said yet that they are the same"
    shipped = StatusPost(
        revision=1, status=ReportedStatus.SHIPPED, at_ms=START_MS, quantity_units=24, despatch="D-1"
    )
    centre.run(lambda work: order_reports.report(work, f"{STORE}-r1", shipped))
    assert on_order(centre) == 20
    tell(centre, delivery("D-1", 20), start=2)
    assert (on_order(centre), centre.rows("SELECT state, received_units FROM triggers")) == (
        0,
        [("closed", 20)],
    )


def test_a_note_that_comes_after_the_docks_scan_adds_nothing_and_says_the_difference(centre: Bench) -> None:
    order(centre, 24)
    tell(centre, delivery("D-1", 22))
    take(centre, line(24))
    assert (on_order(centre), noted_or_none(centre)) == (0, [])
    [[said]] = centre.rows("SELECT reason FROM audit WHERE action = 'note-differs'")
    assert said == "the note says 24 units, the dock counted 22: the dock's count stands"


def noted_or_none(centre: Bench) -> list[tuple[str, int, str | None]]:
    return noted(centre) if centre.rows("SELECT 1 FROM documents WHERE kind = 'deliveries'") else []


@pytest.mark.parametrize(
    ("lines", "more", "words"),
    [
        ([line(1, 9)], {}, "line 1: store store-1 has no SKU 'sku-9'"),
        ([line(1), line(2)], {}, "line 2: SKU sku-1 stands twice"),
        ([line(1, order="PO-9")], {}, "line 1: 'PO-9' is no open trigger or order of SKU sku-1"),
        ([line(1)], {"at_ms": START_MS + HOUR_MS}, "must be when the goods arrived"),
        ([line(1)], {"at_ms": START_MS - 31 * DAY_MS}, "at most 30 days ago"),
    ],
)
def test_a_note_that_cannot_be_changes_nothing_and_is_told_why(
    centre: Bench, lines: list[dict[str, object]], more: dict[str, object], words: str
) -> None:
    with pytest.raises(SenderError, match=words):
        take(centre, *lines, **more)
    assert on_order(centre) == 0
    with centre.ledger.read.connect() as connection:
        assert note_rows.note_lines(connection, STORE, 10) == []


@pytest.mark.parametrize(
    ("statement", "index"),
    [(facts.DELIVERY, "stock_facts_despatch"), (note_rows.ARRIVED, "delivery_notes_open")],
    ids=["known", "arrived"],
)
def test_a_lorrys_lines_are_looked_up_not_searched_for_in_all_of_a_store(centre, statement, index):
    """Each line of each delivery asks: a month of them after an outage must not read the month for each."""
    values = {"store": STORE, "despatch": "D-1", "sku": "sku-1", "units": 1}
    asked = {name: values[name] for name in statement.compile().params}
    with centre.ledger.read.connect() as connection:
        plan = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {statement.text}"), asked).all()
    assert any(f"INDEX {index} (store_id=? AND despatch=? AND sku=?)" in row[3] for row in plan), plan
