"""The embedded time series: roll-up tables in the ledger. A projection: `rebuild_store` makes it again from the facts."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.rollups import MINUTE_MS, RollupSums
from central.ledger import facts
from contract.devices import LineKind, Place
from contract.records import ReceiptRecord, SkuWindow, SoldLine, StockFact, StockFactKind

_DROP_MINUTES = sa.text("DELETE FROM rollups WHERE store_id = :store AND step_ms = :step AND at_ms < :before")
_DROP_ALL = sa.text("DELETE FROM rollups WHERE store_id = :store")
_RECEIPTS = sa.text(
    """SELECT r.business_date, r.register_id, r.sequence, r.at_ms, r.seq, r.total_cents, r.member, r.clock_quality,
    l.kind, l.sku, l.quantity_units, l.quantity_g, l.extended_cents FROM receipts r JOIN receipt_lines l
    ON l.store_id = r.store_id AND l.business_date = r.business_date AND l.register_id = r.register_id
    AND l.sequence = r.sequence WHERE r.store_id = :store ORDER BY r.business_date, r.register_id, r.sequence, l.line"""
)
_MANAGED = sa.text("SELECT sku FROM items WHERE store_id = :store AND managed = 1")
_WINDOWS = sa.text("SELECT * FROM windows WHERE store_id = :store ORDER BY at_ms")
_FACTS = sa.text("SELECT * FROM stock_facts WHERE store_id = :store ORDER BY at_ms, seq")


def drop_minutes_before(connection: Connection, store: str, before_ms: int) -> None:
    connection.execute(_DROP_MINUTES, {"store": store, "step": MINUTE_MS, "before": before_ms})


def rebuild_store(connection: Connection, store: str, zone: ZoneInfo) -> int:
    """Makes the store's sums again from receipts, windows and stock facts. Returns how many rows there are now."""
    managed = {row.sku for row in connection.execute(_MANAGED, {"store": store})}
    sums = RollupSums(zone, managed)
    for receipt in _receipts(connection, store):
        sums.add_receipt(receipt)
    for row in connection.execute(_WINDOWS, {"store": store}).mappings():
        sums.add_window(SkuWindow.model_construct(**_fields(row)))
    for row in connection.execute(_FACTS, {"store": store}).mappings():
        values = _fields(row)
        values["fact"], values["place"] = StockFactKind(values["fact"]), Place(values["place"])
        sums.add_stock_fact(StockFact.model_construct(**values))
    connection.execute(_DROP_ALL, {"store": store})
    facts.add_rollups(connection, store, sums.rows)
    return len(sums.rows)


def _fields(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("store_id", "gateway", "epoch")}


def _receipts(connection: Connection, store: str) -> Iterator[ReceiptRecord]:
    key: tuple[str, str, int] | None = None
    fields: dict[str, Any] = {}
    lines: list[SoldLine] = []
    for row in connection.execute(_RECEIPTS, {"store": store}):
        this = (row.business_date, row.register_id, row.sequence)
        if this != key:
            if key is not None:
                yield ReceiptRecord.model_construct(**fields, lines=lines)
            key, lines = this, []
            fields = {
                "seq": row.seq, "at_ms": row.at_ms, "register_id": row.register_id, "total_cents": row.total_cents,
                "business_date": row.business_date, "sequence": row.sequence, "member": row.member,
            }  # fmt: skip
        lines.append(
            SoldLine.model_construct(
                kind=LineKind(row.kind), sku=row.sku, quantity_units=row.quantity_units, quantity_g=row.quantity_g,
                extended_cents=row.extended_cents,
            )
        )  # fmt: skip
    if key is not None:
        yield ReceiptRecord.model_construct(**fields, lines=lines)
