"""What the books read from the centre's own ledger file, and from the shelves as they stand at the end."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from central.ledger.tables import stock_facts
from simulator.catalogue import CellPlan
from simulator.orchestrator.bookkeeper import swapped_facings
from simulator.orchestrator.ledger_facts import LedgerFacts, ledger_facts


def test_each_kind_of_fact_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    engine = sa.create_engine(f"sqlite:///{path}")
    place = {"store_id": "shop-1", "gateway": "gw-1", "epoch": "e1"}
    facts = [
        ("opening", 10, 30, None, None, ""),
        ("opening", 10, 31, None, None, ""),
        ("stocktake", 20, 29, None, None, ""),
        ("delivery", 30, 12, 12, "D-1", ""),
        ("delivery", 30, 10, 12, "D-2", ""),
        ("adjustment", 40, -6, None, None, "damage"),
        ("adjustment", 41, -1, None, None, "other"),
    ]
    rows = [
        {
            **place, "seq": seq, "fact": fact, "at_ms": at_ms, "units": units, "expected_units": expected_units,
            "despatch": despatch, "reason": reason, "sku": f"S{seq}", "place": "store",
        }
        for seq, (fact, at_ms, units, expected_units, despatch, reason) in enumerate(facts, 1)
    ]  # fmt: skip
    with engine.begin() as connection:
        stock_facts.create(connection)
        connection.execute(sa.insert(stock_facts), rows)
    engine.dispose()
    assert ledger_facts(path) == LedgerFacts(
        despatches=("D-1", "D-2"), short_deliveries=1, opening_counts=1, stocktakes=1, damages=1
    )


def test_no_ledger_is_no_empty_ledger(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        ledger_facts(tmp_path / "none.sqlite3")


def test_two_cells_that_changed_goods_are_two_swapped_facings() -> None:
    cells = [
        CellPlan(
            device="shelf-1", cell=f"c{number}", sku=f"S{number}", tag="t", capacity_units=9, tare_g=300.0, shelf_units=9,
            back_room_units=3,
        )
        for number in range(3)
    ]  # fmt: skip
    stock = [
        {"device": "shelf-1", "cell": f"c{at}", "sku": f"S{sku}"} for at, sku in ((0, 1), (1, 0), (2, 2))
    ]
    assert swapped_facings(cells, stock) == 2
