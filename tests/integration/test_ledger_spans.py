"""On PostgreSQL no write transaction spans stores: told from the statements that a working centre runs."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from central_rig import START_MS
from central_rows import delivery, gtin, health, level, proposal, receipt, sale, window
from ledger_kinds import POSTGRESQL, database
from local_postgresql import why_absent
from test_ledger import Bench

from central import approvals, arrivals, assortment, deliveries, sagas, transferring
from central.context import CHAIN
from central.core.masters import items_from_csv, suppliers_from_csv
from central.core.transfers import Outlook, Terms, Transfer
from central.importing import import_items, import_suppliers
from central.ingestion import Answer, take_batch
from central.ledger import coupon_rows, store_rows
from central.ledger.lanes import LaneTransaction
from central.ledger.postgresql import Stream
from central.ledger.tables import CHAIN_TABLES, metadata
from central.retention import Retention
from central.setup import add_gateway
from contract.api.common import Decision
from contract.api.deliveries import AssortmentPost, DeliveryNote
from contract.api.offers import MemberPut
from contract.api.restock import OutsideOrder
from contract.api.stores import StorePut
from contract.batch import BatchRows, batch_from_records
from contract.documents import SupplyLine
from contract.records import Record

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent())

STORES = ("store-1", "store-2", "store-3")
CELL = "882a930995fffff"
DAY_MS, FAR_DAY = 86_400_000, "2020-05-31"
STORE_TABLES = {table.name for table in metadata.sorted_tables} - CHAIN_TABLES


class Watch:
    """Of each transaction of this process: the stores that its statements' values name, and the tables that it writes.

    At the driver, which everything passes: what SQLAlchemy runs, and what goes past it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.transactions: list[tuple[set[str], set[str]]] = []
        self._open: dict[int, tuple[set[str], set[str]]] = {}
        self._committing: set[int] = set()
        execute, many = psycopg.Cursor.execute, psycopg.Cursor.executemany
        commit, rollback = psycopg.Connection.commit, psycopg.Connection.rollback

        def executed(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
            self._statement(cursor.connection, str(query), params)
            return execute(cursor, query, params, **more)

        def executed_many(cursor: Any, query: Any, params_seq: Any, **more: Any) -> Any:
            params_seq = list(params_seq)
            self._statement(cursor.connection, str(query), params_seq)
            return many(cursor, query, params_seq, **more)

        def committed(connection: Any) -> None:
            commit(connection)
            self._end(connection)

        def rolled_back(connection: Any) -> None:
            rollback(connection)
            self._open.pop(id(connection), None)

        send, finish = Stream.send, Stream.finish
        # A stream goes past the driver's cursors: its statements are looked at where they are sent.

        def sent(stream: Stream, sql: str, values: Any = ()) -> None:
            if sql.startswith("COMMIT"):
                self._committing.add(id(stream))
            self._statement(stream.driver, sql, values)
            send(stream, sql, values)

        def finished(stream: Stream) -> Any:
            results = finish(stream)
            if id(stream) in self._committing:
                self._committing.discard(id(stream))
                self._end(stream.driver)
            return results

        monkeypatch.setattr(Stream, "send", sent)
        monkeypatch.setattr(Stream, "finish", finished)
        monkeypatch.setattr(psycopg.Cursor, "execute", executed)
        monkeypatch.setattr(psycopg.Cursor, "executemany", executed_many)
        monkeypatch.setattr(psycopg.Connection, "commit", committed)
        monkeypatch.setattr(psycopg.Connection, "rollback", rolled_back)

    def _statement(self, connection: Any, statement: str, parameters: Any) -> None:
        words = statement.split()
        if words[0] not in ("INSERT", "UPDATE", "DELETE", "WITH"):
            return
        place = next(words.index(word) for word in ("INSERT", "UPDATE", "DELETE") if word in words)
        table = words[place + (1 if words[place] == "UPDATE" else 2)].strip('"')
        seen = self._open.setdefault(id(connection), (set(), set()))
        seen[1].add(table)
        if table in STORE_TABLES:
            seen[0].update(store for store in STORES if _names(store, parameters))
        if connection.autocommit:
            self._end(connection)

    def _end(self, connection: Any) -> None:
        seen = self._open.pop(id(connection), None)
        if seen is not None:
            self.transactions.append(seen)

    @property
    def wide(self) -> list[tuple[set[str], set[str]]]:
        return [seen for seen in self.transactions if len(seen[0]) > 1]

    @property
    def written(self) -> set[str]:
        return set().union(*(tables for _, tables in self.transactions))


def _names(store: str, parameters: Any) -> bool:
    if isinstance(parameters, str):
        return parameters == store or f'"{store}"' in parameters
    if isinstance(parameters, dict):
        # A transfer's row names the giver beside the store that it is of.
        of = [parameters[name] for name in ("store_id", "store") if name in parameters]
        if of:
            return store in of
        return any(_names(store, value) for value in parameters.values())
    return isinstance(parameters, list | tuple) and any(_names(store, value) for value in parameters)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Bench]:
    """At work: its writer and its rounds run."""
    with database(POSTGRESQL) as url:
        made = Bench(tmp_path, url)
        for number, store in enumerate(STORES[1:], 2):
            add_gateway(made.settings, store, f"gw-{number}")
        stop = made.centre.stop
        threads = [
            threading.Thread(target=run, args=(stop,), daemon=True)
            for run in (made.centre.writer.run, made.centre.rounds.run)
        ]
        for thread in threads:
            thread.start()
        yield made
        stop.set()
        for thread in threads:
            thread.join(60)
        made.ledger.close()


def _set_up(work: Any) -> None:
    put = StorePut(name="Shop", timezone="America/New_York", currency="USD", hours=[], h3_cell=CELL)
    store_rows.put_store(work.connection, work.store.store, put)
    work.store.exists, work.store.h3_cell, work.store.currency = True, CELL, "USD"
    work.store.supply = {
        f"sku-{number}": SupplyLine(
            sku=f"sku-{number}", supplier="depot", lead_time_days=2, review_days=1, pack_units=12, cost_cents=150
        )
        for number in (1, 2)
    }  # fmt: skip


def _take(centre: Bench, number: int, rows: list[Record]) -> Answer:
    store = STORES[number - 1]
    batch = batch_from_records(
        gateway=f"gw-{number}", store=store, epoch="e1", sent_at_ms=START_MS, have={}, rows=rows
    )
    return centre.centre.call_store(store, lambda work: take_batch(work, batch, BatchRows(tuple(rows), ())))


def test_no_write_transaction_spans_stores(centre: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    work_of = centre.centre
    for number, store in enumerate(STORES, 1):
        work_of.call_store(store, _set_up)
        rows = [
            level(1, 3, seq=1), window(1, seq=2), receipt(number, [sale(1, 2)], seq=3, member="m-1"),
            delivery("D-1", 12, seq=4), proposal(1, seq=5),
        ]  # fmt: skip
        assert _take(centre, number, rows).acked_through == 5
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
    assert watch.wide == []
    assert set().union(*(stores for stores, _ in watch.transactions)) == set(STORES)
    assert {
        "receipts", "receipt_lines", "windows", "stock_facts", "proposals", "stock", "rollups", "positions",
    } <= watch.written  # fmt: skip


def test_none_spans_stores_when_systems_and_people_act(
    centre: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imports, notes, orders from outside, the assortment, decisions, transfers between two stores, and forgetting."""
    watch = Watch(monkeypatch)
    work_of = centre.centre
    suppliers = suppliers_from_csv(
        "supplier,name,timezone,order_weekdays,cutoff_minute,lead_time_days\ndepot,Depot,Europe/Berlin,0 3,900,2\n"
    )
    assert work_of.call_store(CHAIN, lambda work: import_suppliers(work, suppliers, "the erp")).added == 1
    items = items_from_csv(
        f"sku,gtins,name,category\nsku-1,{gtin(1)},Good 1,food\nsku-2,{gtin(2)},Good 2,food\n"
    )
    for number, store in enumerate(STORES, 1):
        work_of.call_store(store, _set_up)
        assert work_of.call_store(store, lambda work: import_items(work, items, "the erp")).added == 2
        note = DeliveryNote.model_validate(
            {
                "note": f"N-{number}", "store": store, "at_ms": START_MS, "despatch": f"D-{number}",
                "lines": [{"sku": "sku-1", "quantity_units": 12}],
            }
        )  # fmt: skip
        assert work_of.call_store(store, lambda work, n=note: deliveries.take_note(work, n, "the erp"))
        order = OutsideOrder(
            order=f"PO-{number}", store=store, sku="sku-2", quantity_units=24, at_ms=START_MS
        )
        assert work_of.call_store(store, lambda work, o=order: arrivals.place_outside_order(work, o))
        change = {"sku": "sku-2", "from_ms": START_MS, "change": "delist"}
        post = AssortmentPost.model_validate({"changes": [change]})
        taken, refused = work_of.call_store(
            store, lambda work, p=post: assortment.take_changes(work, p, "the erp")
        )
        assert (taken, refused) == (1, [])
        assert (
            _take(centre, number, [receipt(1, seq=1), window(1, seq=2), proposal(1, seq=3)]).acked_through
            == 3
        )

    transfer = Transfer("sku-1", "store-2", "store-1", 6, 5.0, 10.0, 1.0, 500, None)
    giver = Outlook("store-2", 60, [6.0] * 7, [8.0] * 7, (), 2, None, 100, 150)
    taker = Outlook("store-1", 0, [6.0] * 7, [8.0] * 7, (), 2, None, 100, 150)
    assert work_of.call_store(
        "store-1", lambda work: transferring.raise_transfer(work, transfer, giver, taker, Terms())
    )
    decision = Decision(who="hq", reason="agreed")
    waiting = [
        str(trigger) for (trigger,) in centre.rows("SELECT trigger_id FROM triggers WHERE state = 'proposed'")
    ]
    assert any(trigger.startswith("store-1") for trigger in waiting)
    for trigger in waiting:
        store = trigger.rpartition("-r")[0]
        work_of.call_store(store, lambda work, t=trigger: approvals.reject(work, t, decision))

    # A year later one receipt is news, and all that was told before has had its time.
    for number in range(1, len(STORES) + 1):
        later_ms = START_MS + 1000 * DAY_MS
        later = [
            receipt(2, seq=4, at_ms=later_ms, business_date=FAR_DAY), health(seq=5, at_ms=later_ms, watermark_ms=later_ms),
        ]  # fmt: skip
        assert _take(centre, number, later).acked_through == 5
    monkeypatch.setattr(work_of.clock, "now_ms", lambda: START_MS + 1000 * DAY_MS)
    assert Retention(work_of).prune() > 0
    assert centre.rows("SELECT count(*) FROM windows") == [(0,)]

    assert watch.wide == []
    assert {
        "suppliers", "items", "documents", "delivery_notes", "outside_orders", "assortment", "triggers", "kept_since",
        "audit", "windows",
    } <= watch.written  # fmt: skip


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
