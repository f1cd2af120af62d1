"""On PostgreSQL no write transaction spans stores: told from the statements that a working centre runs."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from central_rig import START_MS
from central_rows import delivery, level, proposal, receipt, sale, window
from ledger_kinds import POSTGRESQL, database
from local_postgresql import why_absent
from sqlalchemy import event
from test_ledger import Bench

from central import sagas
from central.context import CHAIN
from central.ingestion import take_batch
from central.ledger import coupon_rows, store_rows
from central.ledger.lanes import LaneTransaction
from central.ledger.tables import CHAIN_TABLES, metadata
from contract.api.offers import MemberPut
from contract.api.stores import StorePut
from contract.batch import BatchRows, batch_from_records
from contract.documents import SupplyLine

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent())

STORES = ("store-1", "store-2", "store-3")
CELL = "882a930995fffff"
STORE_TABLES = {table.name for table in metadata.sorted_tables} - CHAIN_TABLES


class Watch:
    """Of each transaction: the stores that its statements' values name, and the tables that it writes."""

    def __init__(self, engine: sa.Engine) -> None:
        self.transactions: list[tuple[set[str], set[str]]] = []
        self._open: dict[int, tuple[set[str], set[str]]] = {}
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", self._commit)
        event.listen(
            engine,
            "rollback",
            lambda connection: self._open.pop(id(connection.connection.driver_connection), None),
        )

    def _statement(
        self, connection: Any, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        words = statement.split()
        if words[0] not in ("INSERT", "UPDATE", "DELETE"):
            return
        table = words[2 if words[0] in ("INSERT", "DELETE") else 1].strip('"')
        seen = self._open.setdefault(id(connection.connection.driver_connection), (set(), set()))
        seen[1].add(table)
        if table in STORE_TABLES:
            seen[0].update(store for store in STORES if _names(store, parameters))

    def _commit(self, connection: Any) -> None:
        seen = self._open.pop(id(connection.connection.driver_connection), None)
        if seen is not None:
            self.transactions.append(seen)


def _names(store: str, parameters: Any) -> bool:
    if isinstance(parameters, str):
        return parameters == store or f'"{store}"' in parameters
    if isinstance(parameters, dict):
        return any(_names(store, value) for value in parameters.values())
    return isinstance(parameters, list | tuple) and any(_names(store, value) for value in parameters)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Bench]:
    with database(POSTGRESQL) as url:
        made = Bench(tmp_path, url)
        yield made
        made.centre.stop.set()
        made.ledger.close()


def _set_up(work: Any) -> None:
    put = StorePut(name="Shop", timezone="America/New_York", currency="USD", hours=[], h3_cell=CELL)
    store_rows.put_store(work.connection, work.store.store, put)
    work.store.exists, work.store.h3_cell, work.store.currency = True, CELL, "USD"
    work.store.supply = {
        "sku-1": SupplyLine(
            sku="sku-1", supplier="depot", lead_time_days=2, review_days=1, pack_units=12, cost_cents=150
        )
    }


def test_no_write_transaction_spans_stores(centre: Bench) -> None:
    running = threading.Thread(target=centre.centre.writer.run, args=(centre.centre.stop,), daemon=True)
    rounds = threading.Thread(target=centre.centre.rounds.run, args=(centre.centre.stop,), daemon=True)
    running.start()
    rounds.start()
    watch = Watch(centre.ledger.write)
    work_of = centre.centre
    for number, store in enumerate(STORES, 1):
        work_of.call_store(store, _set_up)
        rows = [
            level(1, 3, seq=1), window(1, seq=2), receipt(number, [sale(1, 2)], seq=3, member="m-1"),
            delivery("D-1", 12, seq=4), proposal(1, seq=5),
        ]  # fmt: skip
        batch = batch_from_records(
            gateway=f"gw-{number}", store=store, epoch="e1", sent_at_ms=START_MS, have={}, rows=rows
        )
        answer = work_of.call_store(
            store, lambda work, b=batch, r=rows: take_batch(work, b, BatchRows(tuple(r), ()))
        )
        assert answer.acked_through == 5
    member = MemberPut(
        marketing_consent=True, location_consent=True, h3_cell=CELL, timezone="America/New_York", quiet_from_minute=0,
        quiet_until_minute=0,
    )  # fmt: skip
    work_of.call_store(CHAIN, lambda work: coupon_rows.put_member(work.connection, "m-1", member, START_MS))
    for kind, subject in ((sagas.CAMPAIGN_KEYS, "plenty"), (sagas.UNLINK_MEMBER, "m-1")):
        saga = work_of.call_store(
            CHAIN, lambda work, k=kind, s=subject: sagas.begin(work.connection, k, s, 0)
        )
        sagas.carry_out(work_of, saga, lambda: 0)
    assert centre.rows("SELECT count(*) FROM receipts WHERE member IS NOT NULL") == [(0,)]
    assert centre.rows("SELECT count(*) FROM sagas") == [(0,)]
    wide = [stores for stores, _ in watch.transactions if len(stores) > 1]
    assert wide == []
    assert set().union(*(stores for stores, _ in watch.transactions)) == set(STORES)
    written = set().union(*(tables for _, tables in watch.transactions))
    assert {
        "receipts",
        "receipt_lines",
        "windows",
        "stock_facts",
        "proposals",
        "stock",
        "rollups",
        "positions",
    } <= written
    centre.centre.stop.set()
    running.join(30)
    rounds.join(30)


def test_a_transaction_that_would_touch_a_second_store_is_refused(centre: Bench) -> None:
    transaction = centre.centre.writer.transaction(START_MS)
    assert isinstance(transaction, LaneTransaction)
    try:
        centre.centre.work(transaction, "store-1")
        with pytest.raises(RuntimeError, match="store-2"):
            centre.centre.work(transaction, "store-2")
    finally:
        transaction.close()


def test_a_process_sees_at_once_what_another_wrote_of_a_store(centre: Bench, tmp_path: Path) -> None:
    other = Bench.__new__(Bench)
    other.settings, other.ledger = centre.settings, type(centre.ledger)(centre.settings.url)
    other.centre = type(centre.centre)(other.ledger, centre.settings, centre.centre.clock)
    try:
        first = [level(1, 3, seq=1), receipt(1, seq=2)]
        assert centre.send(first).acked_through == 2  # type: ignore[union-attr]
        assert other.send(first).verdict.value == "duplicate"  # type: ignore[union-attr]
        assert other.send([receipt(2, seq=3)]).acked_through == 3  # type: ignore[union-attr]
        assert centre.send([receipt(2, seq=3)]).verdict.value == "duplicate"  # type: ignore[union-attr]
        assert centre.send([receipt(2, seq=4), receipt(3, seq=5)]).acked_through == 5  # type: ignore[union-attr]
        assert centre.rows("SELECT count(*) FROM receipts") == [(3,)]
    finally:
        other.ledger.close()
