"""Desired-state documents: which version a store has, what is newer than a gateway's, and what changes them."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.context import Work
from central.core.days import day_after, day_of, day_start_ms, days_between
from central.core.rollups import DAY_MS, STORE_TOTAL
from central.memory import Document as KeptDocument
from contract.documents import (
    CouponsDocument,
    Document,
    DocumentKind,
    HistoryDocument,
    ItemsDocument,
    PlanogramDocument,
    PricesDocument,
    StoreDocument,
    SupplyDocument,
)  # fmt: skip

KINDS = tuple(kind.value for kind in DocumentKind)
CLASSES: dict[str, type[Document]] = {
    "store": StoreDocument, "items": ItemsDocument, "planogram": PlanogramDocument, "prices": PricesDocument,
    "supply": SupplyDocument, "history": HistoryDocument, "coupons": CouponsDocument,
}  # fmt: skip
MAX_HISTORY_DAYS = 400

_PUT = sa.text(
    """INSERT INTO documents (store_id, kind, version, body) VALUES (:store, :kind, :version, :body)
    ON CONFLICT (store_id, kind) DO UPDATE SET version = excluded.version, body = excluded.body"""
)
_SOLD = sa.text(
    """SELECT sku, at_ms, sold_units FROM rollups WHERE store_id = :store AND step_ms = :step AND at_ms >= :from_ms
    AND at_ms < :to_ms"""
)


def put_document(work: Work, kind: str, body: dict[str, Any]) -> int:
    """Makes `body` (without version) the newest document of its kind. Equal content keeps its version. Returns it."""
    known = work.store.documents.get(kind)
    body = {**body, "kind": kind}
    if known is not None and {**json.loads(known.body), "version": 0} == {**body, "version": 0}:
        return known.version
    return _write(work, kind, body, 1 if known is None else known.version + 1)


def refresh_supply(work: Work) -> None:
    """Writes what is on order now into the supply document, when it changed."""
    work.supply_changed = False
    store = work.store
    if not store.supply:
        return
    lines = [
        {**line.model_dump(mode="json"), "on_order_units": min(store.on_order(line.sku), 100_000)}
        for line in store.supply.values()
    ]
    put_document(work, "supply", {"lines": lines})


def newer_than(work: Work, have: dict[str, int]) -> tuple[bytes, ...]:
    """The documents that a gateway with the versions `have` lacks.

    A gateway that is ahead of the centre (whose ledger was lost) gets ours with a version above its own.
    """
    found = []
    for kind, document in work.store.documents.items():
        theirs = have.get(kind, 0)
        if theirs == document.version:
            continue
        if theirs > document.version:
            _write(work, kind, json.loads(document.body), theirs + 1)
        if kind == DocumentKind.HISTORY and theirs == 0:
            found.append(_history_until_now(work))
        else:
            found.append(work.store.documents[kind].body)
    return tuple(found)


def _write(work: Work, kind: str, body: dict[str, Any], version: int) -> int:
    text = json.dumps({**body, "version": version}, separators=(",", ":"))
    work.connection.execute(_PUT, {"store": work.store.store, "kind": kind, "version": version, "body": text})
    work.store.documents[kind] = KeptDocument(version, text.encode())
    return version


def _history_until_now(work: Work) -> bytes:
    """The imported history with the ledger's own sales appended: what a gateway that lost its database needs."""
    store = work.store
    kept = store.documents[DocumentKind.HISTORY]
    document = json.loads(kept.body)
    first, today = document["first_live_day"], day_of(work.now_ms, store.zone)
    days = min(days_between(first, today), MAX_HISTORY_DAYS)
    if days <= 0:
        return kept.body
    begin = day_after(today, -days)
    sold = _sold_by_day(
        work.connection, store.store, day_start_ms(begin, store.zone), day_start_ms(today, store.zone)
    )
    starts = [day_start_ms(day_after(begin, step), store.zone) for step in range(days)]
    # A day without any receipt was not heard, which is not the same as sold nothing.
    heard = [(STORE_TOTAL, start) in sold for start in starts]
    if not any(heard):
        return kept.body
    rows = {row["sku"]: row["units"] for row in document["rows"]}
    for sku in {sku for sku, _ in sold if sku in store.items}:
        rows.setdefault(sku, [])
    appended = [
        {
            "sku": sku,
            "units": (
                units
                + [
                    max(sold.get((sku, start), 0), 0) if ok else None
                    for start, ok in zip(starts, heard, strict=True)
                ]
            )[-MAX_HISTORY_DAYS:],
        }
        for sku, units in rows.items()
    ]
    return json.dumps({**document, "first_live_day": today, "rows": appended}, separators=(",", ":")).encode()


def _sold_by_day(connection: Connection, store: str, from_ms: int, to_ms: int) -> dict[tuple[str, int], int]:
    rows = connection.execute(_SOLD, {"store": store, "step": DAY_MS, "from_ms": from_ms, "to_ms": to_ms})
    return {(row.sku, row.at_ms): row.sold_units for row in rows}
