"""The two doors to a SQLite file: what a centre keeps of it in memory does not grow with the number of its readers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from central.ledger.engine import READER_CACHE_KB, READERS, WRITER_CACHE_KB, Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    made.create()
    yield made
    made.close()


def test_all_readers_together_keep_no_more_pages_than_two_writers(ledger: Ledger) -> None:
    kept = {}
    for name, engine in (("read", ledger.read), ("write", ledger.write)):
        with engine.connect() as connection:
            kept[name] = -connection.execute(sa.text("PRAGMA cache_size")).scalar_one()
    assert kept == {"read": READER_CACHE_KB, "write": WRITER_CACHE_KB}
    assert READERS * kept["read"] <= 2 * kept["write"]


def test_who_reads_alone_is_answered_by_one_connection(ledger: Ledger) -> None:
    """Else each of them would come to keep its own pages and statements."""
    used = set()
    for _ in range(3 * READERS):
        with ledger.read.connect() as connection:
            used.add(id(connection.connection.driver_connection))
    assert len(used) == 1
