"""Jobs that share a transaction share its statements, and each finds what those before it wrote."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from central.ledger import writer
from central.ledger.bulk import TOGETHER
from central.ledger.engine import Ledger
from central.ledger.facts import STATEMENTS
from central.ledger.writer import Transaction
from central.memory import LedgerMemory
from runtime.clock import SystemClock

LEVELS = STATEMENTS["stock"]
COUNT = sa.text("SELECT count(*) FROM stock")


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[Transaction]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    ledger.create()
    made = Transaction(ledger, 0)
    yield made
    made.close()
    ledger.close()


def level(sku: int, units: int = 1) -> tuple[object, ...]:
    return ("store-1", f"sku-{sku}", units, None, 0, 0)


def test_rows_wait_until_somebody_looks(transaction: Transaction) -> None:
    transaction.later(LEVELS, [level(1)])
    transaction.later(LEVELS, [level(2)])
    assert transaction.connection.execute(COUNT).scalar() == 2


def test_rows_that_nobody_looked_at_are_committed(transaction: Transaction) -> None:
    transaction.later(LEVELS, [level(1)])
    transaction.commit()
    transaction.close()
    assert transaction.connection.execute(COUNT).scalar() == 1


def test_rows_of_a_transaction_that_is_given_up_are_gone(transaction: Transaction) -> None:
    transaction.later(LEVELS, [level(1)])
    transaction.close()
    assert transaction.connection.execute(COUNT).scalar() == 0


def test_the_later_of_two_rows_with_one_key_stays(transaction: Transaction) -> None:
    transaction.later(LEVELS, [level(1, 5)])
    transaction.later(LEVELS, [level(1, 7)])
    assert transaction.connection.execute(sa.text("SELECT on_hand_units FROM stock")).scalars().all() == [7]


@pytest.mark.parametrize("count", [1, TOGETHER[-1] - 1, TOGETHER[-1], sum(TOGETHER), 2 * TOGETHER[0] + 3])
def test_every_row_is_written_once_however_they_are_cut(transaction: Transaction, count: int) -> None:
    transaction.later(LEVELS, [level(sku, sku) for sku in range(count)])
    found = transaction.connection.execute(
        sa.text("SELECT sku, on_hand_units FROM stock ORDER BY on_hand_units")
    )
    assert [tuple(row) for row in found] == [(f"sku-{sku}", sku) for sku in range(count)]


def test_what_waits_is_bounded(transaction: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_LATER_ROWS", 10)
    transaction.later(LEVELS, [level(sku) for sku in range(11)])
    assert transaction._later == {}


def test_after_a_commit_a_new_transaction_begins_with_the_next_look(transaction: Transaction) -> None:
    """Rows written straight by the driver must not be committed one by one."""
    transaction.connection.execute(COUNT)
    transaction.commit()
    transaction.later(LEVELS, [level(1)])
    assert transaction.connection.execute(COUNT).scalar() == 1
    transaction.close()
    assert transaction.connection.execute(COUNT).scalar() == 0


def test_who_comes_while_a_group_is_at_work_joins_it(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    ledger.create()
    centre = writer.LedgerWriter(ledger, LedgerMemory(), SystemClock(), poll_s=0.01)
    seen: list[Transaction] = []

    def first(transaction: Transaction) -> None:
        seen.append(transaction)
        centre.submit(seen.append)

    centre.submit(first)
    stop = threading.Event()
    stop.set()  # it works off what waits, and ends
    centre.run(stop)
    assert len(seen) == 2
    assert seen[0] is seen[1]
    ledger.close()
