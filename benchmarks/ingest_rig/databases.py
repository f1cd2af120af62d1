"""Databases for a run, and a centre on one of them without its HTTP side."""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from local_postgresql import LocalPostgresql

from benchmarks.ingest_rig.batches import SKUS, START_MS
from central.centre import Centre
from central.ingestion import take_batch
from central.ledger.engine import Ledger
from central.ledger.unsummed import stores_behind
from central.settings import CentralSettings
from contract.batch_reading import read_batch
from simulator.fleet_setup import add_fleet

NewUrl = Callable[[], str]


@contextmanager
def server(kind: str) -> Iterator[NewUrl]:
    """Gives URLs of empty databases. PostgreSQL is started for it, with fsync on."""
    with tempfile.TemporaryDirectory(prefix="shelfloop-bench-") as folder:
        if kind == "sqlite":
            numbers = itertools.count()
            yield lambda: f"sqlite:///{folder}/{next(numbers)}.sqlite3"
            return
        postgresql = LocalPostgresql(fsync=True)
        postgresql.start()
        try:
            yield postgresql.new_database
        finally:
            postgresql.close()


class _Clock:
    def now_ms(self) -> int:
        return START_MS


class InProcess:
    """A centre whose batches are bytes in, commits out, in this thread."""

    def __init__(self, url: str, stores: int, skus: int = SKUS) -> None:
        self.ledger = Ledger(url)
        self.ledger.create()
        self.fleet = add_fleet(self.ledger, stores, skus=skus)
        self.centre = Centre(
            self.ledger, CentralSettings(state_dir=Path("unused"), database_url=url), _Clock()
        )

    def take(self, *bodies: bytes, is_pressed: bool = False) -> None:
        """One transaction. Raises when a batch is not acknowledged whole. is_pressed: as when others wait for the ledger."""
        transaction = self.centre.writer.transaction(START_MS)
        transaction.is_pressed = is_pressed
        try:
            for body in bodies:
                batch, rows = read_batch(body, "zstd")
                answer = self.centre.store_job(
                    batch.store, partial(take_batch, batch=batch, read=rows), sums_may_wait=True, writes=True
                )(transaction)
                assert answer.acked_through == batch.seq_to
                assert not answer.rejected
            transaction.commit()
        finally:
            transaction.close()

    def is_behind(self) -> bool:
        """Whether sums of what was taken are not written yet."""
        with self.ledger.read.connect() as connection:
            return bool(stores_behind(connection))


_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def size_bytes(ledger: Ledger) -> int:
    kind = ledger.url.get_backend_name()
    with ledger.read.connect() as connection:
        return int(connection.execute(sa.text(_SIZE[kind])).scalar() or 0)


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
