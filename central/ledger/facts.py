"""Rows of what gateways tell: bulk inserts, in the order of the columns of `tables`. All rows of a call are one store's."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.accounting import DayKey, TillSums
from central.core.days import day_of
from central.core.rollups import CategoryHour, Key, Sums
from central.ledger import retention, tables
from central.ledger.bulk import BulkStatement

Rows = Sequence[dict[str, Any]]

_PUT_DAY_CLOSE = BulkStatement(
    sa.text(
        """INSERT INTO day_closes (store_id, register_id, business_date, at_ms, receipts, lines, units, grams, cents)
        VALUES (:store_id, :register_id, :business_date, :at_ms, :receipts, :lines, :units, :grams, :cents)
        ON CONFLICT (store_id, register_id, business_date) DO UPDATE SET at_ms = excluded.at_ms,
        receipts = excluded.receipts, lines = excluded.lines, units = excluded.units, grams = excluded.grams,
        cents = excluded.cents WHERE excluded.at_ms >= day_closes.at_ms"""
    ),
    newest_of=("register_id", "business_date"),
)
_PUT_FORECAST = BulkStatement(
    sa.text(
        """INSERT INTO forecasts (store_id, sku, first_day, at_ms, mean, quantiles, bundle)
        VALUES (:store_id, :sku, :first_day, :at_ms, :mean, :quantiles, :bundle)
        ON CONFLICT (store_id, sku, first_day) DO UPDATE SET at_ms = excluded.at_ms, mean = excluded.mean,
        quantiles = excluded.quantiles, bundle = excluded.bundle WHERE excluded.at_ms >= forecasts.at_ms"""
    ),
    newest_of=("sku", "first_day"),
)
_PUT_STOCK = BulkStatement(
    sa.text(
        """INSERT INTO stock (store_id, sku, on_hand_units, on_shelf_units, at_ms, shrink_units)
        VALUES (:store_id, :sku, :on_hand_units, :on_shelf_units, :at_ms, :shrink_units)
        ON CONFLICT (store_id, sku) DO UPDATE SET on_hand_units = excluded.on_hand_units,
        on_shelf_units = excluded.on_shelf_units, at_ms = excluded.at_ms, shrink_units = excluded.shrink_units"""
    )
)
_ADD_ROLLUP = BulkStatement(
    sa.text(
        """INSERT INTO rollups (store_id, step_ms, at_ms, sku, receipts, sold_units, sold_cents, picked_units,
        delivered_units, shrink_units, unresolved_g, stock_out_ms, on_hand_units, level_ms, level_order)
        VALUES (:store_id, :step_ms, :at_ms, :sku, :receipts, :sold_units, :sold_cents, :picked_units,
        :delivered_units, :shrink_units, :unresolved_g, :stock_out_ms, :on_hand_units, :level_ms,
        :level_order)
        ON CONFLICT (store_id, step_ms, at_ms, sku) DO UPDATE SET
        receipts = rollups.receipts + excluded.receipts, sold_units = rollups.sold_units + excluded.sold_units,
        sold_cents = rollups.sold_cents + excluded.sold_cents,
        picked_units = rollups.picked_units + excluded.picked_units,
        delivered_units = rollups.delivered_units + excluded.delivered_units,
        shrink_units = rollups.shrink_units + excluded.shrink_units,
        unresolved_g = rollups.unresolved_g + excluded.unresolved_g,
        stock_out_ms = rollups.stock_out_ms + excluded.stock_out_ms,
        on_hand_units = CASE WHEN (excluded.level_ms, excluded.level_order) >= (rollups.level_ms, rollups.level_order)
                             THEN excluded.on_hand_units ELSE rollups.on_hand_units END,
        level_order = CASE WHEN (excluded.level_ms, excluded.level_order) >= (rollups.level_ms, rollups.level_order)
                           THEN excluded.level_order ELSE rollups.level_order END,
        level_ms = CASE WHEN excluded.level_ms >= rollups.level_ms THEN excluded.level_ms ELSE rollups.level_ms END"""
    ),
    often_same=("receipts", "sold_units", "sold_cents", "delivered_units", "shrink_units", "unresolved_g"),
)
_ADD_CATEGORY_HOUR = BulkStatement(
    sa.text(
        """INSERT INTO category_hours (store_id, at_ms, category, sold_units, sold_cents, picked_units,
        delivered_units, shrink_units, stock_out_ms) VALUES (:store_id, :at_ms, :category, :sold_units, :sold_cents,
        :picked_units, :delivered_units, :shrink_units, :stock_out_ms)
        ON CONFLICT (store_id, at_ms, category) DO UPDATE SET
        sold_units = category_hours.sold_units + excluded.sold_units,
        sold_cents = category_hours.sold_cents + excluded.sold_cents,
        picked_units = category_hours.picked_units + excluded.picked_units,
        delivered_units = category_hours.delivered_units + excluded.delivered_units,
        shrink_units = category_hours.shrink_units + excluded.shrink_units,
        stock_out_ms = category_hours.stock_out_ms + excluded.stock_out_ms"""
    )
)
_CATEGORY_SUMS = attrgetter(
    "sold_units", "sold_cents", "picked_units", "delivered_units", "shrink_units", "stock_out_ms"
)
_PUT_POSITION = BulkStatement(
    sa.text(
        """INSERT INTO positions (store_id, gateway, epoch, through_seq, ordinal, opened_ms, changed_ms, unsummed_from)
        VALUES (:store_id, :gateway, :epoch, :through_seq, :ordinal, :opened_ms, :changed_ms, :unsummed_from)
        ON CONFLICT (store_id, gateway, epoch) DO UPDATE SET through_seq = excluded.through_seq,
        changed_ms = excluded.changed_ms, unsummed_from = excluded.unsummed_from"""
    )
)
_ADD_TILL_DAY = BulkStatement(
    sa.text(
        """INSERT INTO till_days (store_id, business_date, register_id, receipts, lines, units, grams, cents,
        first_number, last_number) VALUES (:store_id, :business_date, :register_id, :receipts, :lines, :units, :grams,
        :cents, :first_number, :last_number)
        ON CONFLICT (store_id, business_date, register_id) DO UPDATE SET
        receipts = till_days.receipts + excluded.receipts, lines = till_days.lines + excluded.lines,
        units = till_days.units + excluded.units, grams = till_days.grams + excluded.grams,
        cents = till_days.cents + excluded.cents,
        first_number = CASE WHEN till_days.first_number <= excluded.first_number THEN till_days.first_number
                            ELSE excluded.first_number END,
        last_number = CASE WHEN till_days.last_number >= excluded.last_number THEN till_days.last_number
                           ELSE excluded.last_number END"""
    )
)
_CLOSE_TILL_DAY = BulkStatement(
    sa.text(
        """INSERT INTO till_days (store_id, business_date, register_id, told_ms, told_receipts, told_lines, told_units,
        told_grams, told_cents) VALUES (:store_id, :business_date, :register_id, :at_ms, :receipts, :lines, :units,
        :grams, :cents)
        ON CONFLICT (store_id, business_date, register_id) DO UPDATE SET told_ms = excluded.told_ms,
        told_receipts = excluded.told_receipts, told_lines = excluded.told_lines, told_units = excluded.told_units,
        told_grams = excluded.told_grams, told_cents = excluded.told_cents
        WHERE till_days.told_ms IS NULL OR excluded.told_ms >= till_days.told_ms"""
    ),
    newest_of=("register_id", "business_date"),
)
STATEMENTS = {
    **{
        name: BulkStatement(tables.metadata.tables[name].insert())
        for name in (
            "windows", "receipts", "receipt_lines", "stock_facts", "proposals", "alerts", "gaps", "quarantine",
            "coupon_events", "staging_events", "model_scores",
        )
    },
    "day_closes": _PUT_DAY_CLOSE,
    "till_days": _ADD_TILL_DAY,
    "told_till_days": _CLOSE_TILL_DAY,
    "forecasts": _PUT_FORECAST,
    "stock": _PUT_STOCK,
    "rollups": _ADD_ROLLUP,
    "category_hours": _ADD_CATEGORY_HOUR,
    "positions": _PUT_POSITION,
}  # fmt: skip
"""What a batch writes, by table (`told_…`: the other side of it): new rows, or what is added to those that are there."""

_CLEAR_ALERT = sa.text(
    """UPDATE alerts SET cleared_ms = :at_ms WHERE store_id = :store_id AND code = :code AND subject = :subject
    AND cleared_ms IS NULL AND at_ms <= :at_ms"""
)
_RECEIPT_HASH = sa.text(
    """SELECT content_hash FROM receipts WHERE store_id = :store AND business_date = :day AND register_id = :register
    AND sequence = :sequence"""
)
DELIVERY = sa.text(
    """SELECT units, at_ms, epoch, seq FROM stock_facts WHERE store_id = :store AND despatch = :despatch AND sku = :sku
    AND fact = 'delivery' ORDER BY at_ms"""
)
_COUNT_TROUBLES = sa.text(
    """UPDATE gateways SET rejected_total = rejected_total + :rejected,
    quarantined_total = quarantined_total + :quarantined, gaps_total = gaps_total + :gaps WHERE gateway = :gateway"""
)
_PUT_HEALTH = sa.text(
    """UPDATE gateways SET watermark_ms = :watermark_ms, version = :version, bundle = :bundle, counters = :counters,
    devices_online = :devices_online, devices_offline = :devices_offline WHERE gateway = :gateway"""
)


_PUT_IDENTITY = sa.text(
    """INSERT INTO identities (store_id, gateway, run, replaced, since_ms)
    VALUES (:store, :gateway, :run, :replaced, :now) ON CONFLICT (store_id, gateway) DO UPDATE SET run = excluded.run,
    replaced = excluded.replaced, since_ms = excluded.since_ms"""
)
_LAST_HEARD = sa.text("SELECT coalesce(last_heard_ms, 0) FROM gateways WHERE gateway = :gateway")


def put_identity(
    connection: Connection, store: str, gateway: str, run: str, replaced: str, now_ms: int
) -> None:
    values = {"store": store, "gateway": gateway, "run": run, "replaced": replaced, "now": now_ms}
    connection.execute(_PUT_IDENTITY, values)


def last_heard_ms(connection: Connection, gateway: str) -> int:
    """By whichever worker, half a minute old at most."""
    return connection.execute(_LAST_HEARD, {"gateway": gateway}).scalar() or 0


def insert(connection: Connection, table: str, rows: Rows) -> None:
    STATEMENTS[table].run(connection, rows)


def put_stock(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """rows: in the order of the table's columns."""
    STATEMENTS["stock"].run_tuples(connection, rows)


def add_increments(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """rows: as `rollups` has its columns. A key stands once at most."""
    STATEMENTS["rollups"].run_tuples(connection, rows)


def add_rollups(connection: Connection, store: str, sums: dict[Key, Sums]) -> None:
    add_increments(connection, rollup_rows(store, sums))


def add_category_hours(connection: Connection, store: str, hours: dict[CategoryHour, Sums]) -> None:
    STATEMENTS["category_hours"].run_tuples(connection, category_rows(store, hours))


def till_rows(store: str, tills: dict[DayKey, TillSums]) -> list[tuple[Any, ...]]:
    """Increments of the stored sums, in the order of their statement."""
    return [
        (store, day, register, sums.receipts, sums.lines, sums.units, sums.grams, sums.cents, sums.first_number,
         sums.last_number)
        for (day, register), sums in sorted(tills.items())
    ]  # fmt: skip


def rollup_rows(store: str, sums: dict[Key, Sums]) -> list[tuple[Any, ...]]:
    """Increments of the stored sums, as `rollups` has its columns; of two levels the later one stays."""
    # In the order of the key: rows that lie together are written one after the other.
    ordered = sorted([(step_ms, at_ms, sku, row) for (step_ms, sku, at_ms), row in sums.items()])
    return [
        (store, step_ms, at_ms, sku, row.receipts, row.sold_units, row.sold_cents, row.picked_units, row.delivered_units,
         row.shrink_units, row.unresolved_g, row.stock_out_ms, row.on_hand_units, row.level_ms,
         row.level_order)
        for step_ms, at_ms, sku, row in ordered
    ]  # fmt: skip


def category_rows(store: str, hours: dict[CategoryHour, Sums]) -> list[tuple[Any, ...]]:
    """Increments of the stored sums, as `category_hours` has its columns."""
    return [(store, *key, *_CATEGORY_SUMS(hours[key])) for key in sorted(hours)]


def clear_alert(connection: Connection, store: str, code: str, subject: str, at_ms: int) -> None:
    connection.execute(_CLEAR_ALERT, {"store_id": store, "code": code, "subject": subject, "at_ms": at_ms})


def receipt_hash(connection: Connection, store: str, register: str, day: str, sequence: int) -> str | None:
    """The content hash of the receipt that the ledger has under this identity."""
    key = {"store": store, "day": day, "register": register, "sequence": sequence}
    return connection.execute(_RECEIPT_HASH, key).scalar()


def receipts_from(connection: Connection, store: str, zone: ZoneInfo) -> str:
    """The first business date of which the ledger still has all receipts; empty: of all."""
    kept_ms = retention.kept_since_ms(connection, store, "receipts")
    return "" if kept_ms is None else day_of(kept_ms, zone)


def deliveries_of(connection: Connection, store: str, despatch: str, sku: str) -> list[tuple[int, int]]:
    """(at_ms, units) of what arrived of `sku` with `despatch`."""
    found = connection.execute(DELIVERY, {"store": store, "despatch": despatch, "sku": sku})
    return [(row.at_ms, row.units) for row in found]


def count_troubles(
    connection: Connection, gateway: str, *, rejected: int, quarantined: int, gaps: int
) -> None:
    connection.execute(
        _COUNT_TROUBLES, {"gateway": gateway, "rejected": rejected, "quarantined": quarantined, "gaps": gaps}
    )


def put_health(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_PUT_HEALTH, row)
