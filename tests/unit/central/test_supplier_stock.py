"""What a distribution centre will have on the day of picking: its word, and what is to arrive there until then."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from central_rows import START_MS, forecast
from ledger_kinds import SQLITE
from test_ledger import bench
from test_lifecycle_attacked import HOUR_MS, Life, life
from test_restock import WANTED, decide

from central.core.masters import arrivals_from_csv
from central.core.restock import Hold, Raise
from central.importing import import_arrivals
from central.ledger import supplier_stock
from contract.api.suppliers import Arriving

__all__ = ["life"]
ZONE = ZoneInfo("America/New_York")


@pytest.fixture
def connection() -> Iterator[object]:
    with bench(SQLITE) as made, made.ledger.write.begin() as open_connection:
        yield open_connection


def test_what_is_to_arrive_until_the_picking_is_there_by_then(connection):
    """
    Mon: 10 are there  │  Mon, Wed: 24 come  │  Fri: 100 come
    """
    supplier_stock.put_stock(connection, "depot", {"sku-1": 10}, START_MS)
    rows = [Arriving(sku="sku-1", day=day, units=units) for day, units in (
        ("2017-09-04", 24), ("2017-09-06", 24), ("2017-09-08", 100))]  # fmt: skip
    supplier_stock.put_arrivals(connection, "depot", rows, replaces=True)
    found = {
        day: supplier_stock.available_units(connection, "depot", "sku-1", date.fromisoformat(day), ZONE)
        for day in ("2017-09-04", "2017-09-05", "2017-09-06", "2017-09-08")
    }
    assert list(found.values()) == [10, 10, 34, 134], "what came on the day of the word is in the word"
    assert supplier_stock.available_units(connection, "depot", "sku-2", date(2017, 9, 8), ZONE) is None
    supplier_stock.put_stock(connection, "depot", {"sku-1": 5}, START_MS + 3 * 24 * HOUR_MS)
    assert supplier_stock.available_units(connection, "depot", "sku-1", date(2017, 9, 8), ZONE) == 105


def test_an_order_takes_what_will_be_there_at_its_cut_off(life: Life) -> None:
    life.calendar(order_weekdays=[2])  # Wednesday
    life.run(lambda work: supplier_stock.put_stock(work.connection, "depot", {"sku-1": 0}, START_MS))
    assert life.propose().startswith("held: the supplier can ship 0 units")
    file = arrivals_from_csv("sku,day,units\nsku-1,2017-09-06,12\nsku-1,2017-09-07,120\n")
    report = life.run(lambda work: import_arrivals(work, "depot", file, "Ann"))
    assert (report.added, report.changed) == (2, 0)
    assert life.run(lambda work: import_arrivals(work, "depot", file, "Ann")).unchanged == 2
    assert life.propose().startswith("held for the cut-off")
    assert life.trigger == ("approved", 1, 12)


def test_an_emergency_takes_only_what_is_there_today(life: Life) -> None:
    life.calendar(order_weekdays=[2], emergency_lead_days=1)
    life.tell(forecast(1))
    life.run(lambda work: supplier_stock.put_stock(work.connection, "depot", {"sku-1": 12}, START_MS))
    rows = [Arriving(sku="sku-1", day="2017-09-06", units=120)]
    life.run(lambda work: supplier_stock.put_arrivals(work.connection, "depot", rows, replaces=True))
    life.propose(on_hand_units=0)
    assert life.rows("SELECT kind, quantity_units FROM triggers") == [("emergency", 12)]


def test_where_nothing_is_there_for_an_emergency_the_regular_order_waits_for_the_lorry():
    urgent = replace(
        WANTED, on_hand_units=0, regular_days=3, emergency_days=1, expected_before_regular_units=9.0,
        send_ms=START_MS + HOUR_MS,
    )  # fmt: skip
    decision = decide(replace(urgent, available_units=120, available_now_units=0))
    assert isinstance(decision, Raise)
    assert (decision.is_emergency, decision.send_ms) == (False, START_MS + HOUR_MS)
    assert isinstance(decide(replace(urgent, available_units=0, available_now_units=0)), Hold)


@pytest.mark.parametrize(
    ("row", "column"),
    [("sku-1,2017-02-30,5", "day"), ("sku-1,2017-09-06,5.5", "units"), ("sku-1,2017-09-06,-1", "units")],
)
def test_a_row_that_cannot_be_is_named(row, column):
    read = arrivals_from_csv(f"sku,day,units\n{row}\nsku-2,2017-09-06,5\n")
    assert [(problem.line, problem.column) for problem in read.problems] == [(2, column)]
    assert [good.value.sku for good in read.good] == ["sku-2"]


def test_a_load_that_stands_twice_counts_once():
    read = arrivals_from_csv("sku;day;units\na;2017-09-06;5\na;2017-09-06;9\na;2017-09-07;9\n")
    assert [(good.value.day, good.value.units) for good in read.good] == [
        ("2017-09-06", 5),
        ("2017-09-07", 9),
    ]
