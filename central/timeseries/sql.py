"""The embedded time series: roll-up tables in the ledger. A projection: `rebuild_store` makes it again from the facts."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_after, day_of, day_start_ms
from central.core.rollups import RollupSums, Sums, category_hours, order_of_epoch
from central.ledger import category_days, facts, retention, unsummed
from central.ledger.window_runs import windows_of
from contract.devices import LineKind
from contract.records import ReceiptRecord, SoldLine, StockFact

_DROP = sa.text("DELETE FROM rollups WHERE store_id = :store AND at_ms >= :from_ms")
_DROP_HOURS = sa.text("DELETE FROM category_hours WHERE store_id = :store AND at_ms >= :from_ms")
_RECEIPTS = sa.text(
    """SELECT r.business_date, r.register_id, r.sequence, r.at_ms, r.seq, r.total_cents, r.member, r.clock_quality,
    l.kind, l.sku, l.quantity_units, l.quantity_g, l.extended_cents FROM receipts r LEFT JOIN receipt_lines l
    ON l.store_id = r.store_id AND l.business_date = r.business_date AND l.register_id = r.register_id
    AND l.sequence = r.sequence WHERE r.store_id = :store AND r.business_date >= :first AND r.business_date <= :last
    ORDER BY r.business_date, r.register_id, r.sequence, l.line"""
)
_ITEMS = sa.text("SELECT sku, category FROM items WHERE store_id = :store AND managed = 1")
_FACTS = sa.text("SELECT * FROM stock_facts WHERE store_id = :store AND at_ms >= :from_ms AND at_ms < :to_ms")
_EPOCHS = sa.text("SELECT gateway, epoch, ordinal FROM positions WHERE store_id = :store")
_SPAN = sa.text(
    """SELECT min(first_ms) AS first_ms, max(last_ms) AS last_ms, min(first_day) AS first_day, max(last_day) AS last_day
    FROM (SELECT min(at_ms) AS first_ms, max(at_ms) AS last_ms, NULL AS first_day, NULL AS last_day FROM stock_facts
    WHERE store_id = :store
    UNION ALL SELECT min(at_ms), max(until_ms), NULL, NULL FROM windows WHERE store_id = :store
    UNION ALL SELECT NULL, NULL, min(business_date), max(business_date) FROM receipts WHERE store_id = :store) spans"""
)


def rebuild_store(connection: Connection, store: str, zone: ZoneInfo) -> int:
    """Makes the store's sums again from receipts, windows and stock facts. Returns how many rows were made.

    A business day at a time: memory stays small. Where facts are no longer kept, the sums of then stay as they are.
    """
    # First of all, since of facts that are no longer all kept it can only be added, not made anew.
    unsummed.sum_up(connection, store, zone)
    categories = {row.sku: row.category for row in connection.execute(_ITEMS, {"store": store})}
    days = _days(connection, store, zone)
    kept_ms = retention.facts_kept_since_ms(connection, store)
    # A sale after midnight is of the business date before: of the first day that is kept some may be gone.
    from_ms = 0 if kept_ms is None else day_start_ms(day_after(day_of(kept_ms, zone), 1), zone)
    kept_hours = category_days.unpacked(connection, store, from_ms)
    for statement in (_DROP, _DROP_HOURS):
        connection.execute(statement, {"store": store, "from_ms": from_ms})
    for hours in kept_hours:
        facts.add_category_hours(connection, store, {key: Sums(**sums) for key, sums in hours.items()})
    count = 0
    for day in days:
        start_ms, end_ms = day_start_ms(day, zone), day_start_ms(day_after(day, 1), zone)
        if start_ms >= from_ms:
            sums = _sums_of_day(connection, store, zone, day, categories)
            rows = {key: row for key, row in sums.rows().items() if start_ms <= key[2] < end_ms}
            facts.add_rollups(connection, store, rows)
            facts.add_category_hours(connection, store, category_hours(rows, categories.get))
            count += len(rows)
    return count


def _days(connection: Connection, store: str, zone: ZoneInfo) -> list[str]:
    """From the day of the oldest fact to that of the newest."""
    row = connection.execute(_SPAN, {"store": store}).one()
    found = [day for day in (row.first_day, row.last_day) if day is not None]
    found += [day_of(at_ms, zone) for at_ms in (row.first_ms, row.last_ms) if at_ms is not None]
    if not found:
        return []
    # The hour of a receipt may lie on the day before or after its business date.
    days, last = [day_after(min(found), -1)], day_after(max(found), 1)
    while days[-1] < last:
        days.append(day_after(days[-1], 1))
    return days


def _sums_of_day(
    connection: Connection, store: str, zone: ZoneInfo, day: str, categories: dict[str, str]
) -> RollupSums:
    """Everything that has a bucket on `day`, and a little more: the caller takes the buckets of the day."""
    sums = RollupSums(zone, categories)
    for receipt in _receipts(connection, store, day_after(day, -1), day_after(day, 1)):
        sums.add_receipt(receipt)
    start_ms, end_ms = day_start_ms(day, zone), day_start_ms(day_after(day, 1), zone)
    # In the order in which they came: of two levels of one moment the later record stands.
    ordinals = {
        (row.gateway, row.epoch): row.ordinal for row in connection.execute(_EPOCHS, {"store": store})
    }
    told: list[tuple[int, int, str, Any]] = [
        (ordinals.get((gateway, epoch), 0), window.seq, gateway, window)
        for gateway, epoch, window in windows_of(connection, store, start_ms, end_ms)
    ]
    rows = connection.execute(_FACTS, {"store": store, "from_ms": start_ms, "to_ms": end_ms}).mappings()
    told.extend(
        (
            ordinals.get((row["gateway"], row["epoch"]), 0),
            row["seq"],
            row["gateway"],
            unsummed.fact_from_row(row),
        )
        for row in rows
    )
    for ordinal, *_, record in sorted(told, key=lambda one: one[:3]):
        sums.epoch_order = order_of_epoch(ordinal)
        if isinstance(record, StockFact):
            sums.add_stock_fact(record)
        else:
            sums.add_windows([record])
    return sums


def _receipts(connection: Connection, store: str, first: str, last: str) -> Iterator[ReceiptRecord]:
    key: tuple[str, str, int] | None = None
    fields: dict[str, Any] = {}
    lines: list[SoldLine] = []
    for row in connection.execute(_RECEIPTS, {"store": store, "first": first, "last": last}):
        this = (row.business_date, row.register_id, row.sequence)
        if this != key:
            if key is not None:
                yield ReceiptRecord.model_construct(**fields, lines=lines)
            key, lines = this, []
            fields = {
                "seq": row.seq, "at_ms": row.at_ms, "register_id": row.register_id, "total_cents": row.total_cents,
                "business_date": row.business_date, "sequence": row.sequence, "member": row.member,
            }  # fmt: skip
        if row.kind is not None:
            lines.append(
                SoldLine.model_construct(
                    kind=LineKind(row.kind), sku=row.sku, quantity_units=row.quantity_units,
                    quantity_g=row.quantity_g, extended_cents=row.extended_cents,
                )
            )  # fmt: skip
    if key is not None:
        yield ReceiptRecord.model_construct(**fields, lines=lines)
