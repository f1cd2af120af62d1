"""Rows of stores, items and price steps."""

import json
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger.bulk import BulkStatement
from contract.api.stores import StorePut
from contract.documents import Item, Price

_PUT_STORE = sa.text(
    """INSERT INTO stores (store_id, name, region, timezone, currency, h3_cell, hours, closed_days)
    VALUES (:store, :name, :region, :timezone, :currency, :h3_cell, :hours, :closed_days)
    ON CONFLICT (store_id) DO UPDATE SET name = excluded.name, region = excluded.region,
    timezone = excluded.timezone, currency = excluded.currency, h3_cell = excluded.h3_cell, hours = excluded.hours,
    closed_days = excluded.closed_days"""
)
_CLEAR_ITEMS = sa.text("DELETE FROM items WHERE store_id = :store")
_PUT_ITEM = BulkStatement(
    sa.text(
        """INSERT INTO items (store_id, sku, gtin, name, category, managed)
    VALUES (:store, :sku, :gtin, :name, :category, :managed)"""
    )
)
_CLEAR_FUTURE = sa.text("DELETE FROM prices WHERE store_id = :store AND from_ms > :now")
_PUT_PRICE = BulkStatement(
    sa.text(
        """INSERT INTO prices (store_id, sku, from_ms, price_cents) VALUES (:store, :sku, :from_ms, :cents)
    ON CONFLICT (store_id, sku, from_ms) DO UPDATE SET price_cents = excluded.price_cents"""
    )
)
_ZONES = sa.text("SELECT store_id, timezone FROM stores ORDER BY store_id")
_STORES_OF = sa.text(
    "SELECT store_id FROM stores WHERE CAST(:region AS TEXT) IS NULL OR region = :region ORDER BY store_id"
)
_WATERMARKS = sa.text(
    "SELECT store_id, max(watermark_ms) AS newest_ms FROM gateways WHERE watermark_ms IS NOT NULL GROUP BY store_id"
)
_EXISTS = sa.text("SELECT 1 FROM stores WHERE store_id = :store")
_DOCUMENT = sa.text("SELECT version, body FROM documents WHERE store_id = :store AND kind = :kind")
_DOCUMENTS_OF = sa.text(
    """SELECT s.store_id, d.version, d.body FROM stores s LEFT JOIN documents d ON d.store_id = s.store_id AND d.kind = :kind
    WHERE CAST(:region AS TEXT) IS NULL OR s.region = :region ORDER BY s.store_id"""
)
_DOCUMENTS_BY_REGION = sa.text(
    """SELECT s.region, d.body FROM stores s JOIN documents d ON d.store_id = s.store_id AND d.kind = :kind
    ORDER BY s.region, s.store_id"""
)
_REGION_OF = sa.text("SELECT region FROM stores WHERE store_id = :store")
_PUT_DOCUMENT = sa.text(
    """INSERT INTO documents (store_id, kind, version, body) VALUES (:store, :kind, :version, :body)
    ON CONFLICT (store_id, kind) DO UPDATE SET version = excluded.version, body = excluded.body"""
)
_HAS_ITEM = sa.text("SELECT 1 FROM items WHERE store_id = :store AND sku = :sku")
_NEWEST = sa.text(
    """SELECT (SELECT max(at_ms) FROM stock WHERE store_id = :store) AS stock_ms,
    (SELECT max(at_ms) FROM receipts WHERE store_id = :store AND business_date =
        (SELECT max(business_date) FROM receipts WHERE store_id = :store)) AS receipt_ms"""
)


def put_store(connection: Connection, store: str, put: StorePut) -> None:
    connection.execute(
        _PUT_STORE,
        {
            "store": store, "name": put.name, "region": put.region, "timezone": put.timezone,
            "currency": put.currency, "h3_cell": put.h3_cell,
            "hours": json.dumps([hours.model_dump() for hours in put.hours]),
            "closed_days": json.dumps(put.closed_days),
        },
    )  # fmt: skip


def put_items(connection: Connection, store: str, items: Sequence[Item]) -> None:
    """Replaces the store's item list."""
    connection.execute(_CLEAR_ITEMS, {"store": store})
    rows = [
        {
            "store": store, "sku": item.sku, "gtin": item.gtins[0], "name": item.name, "category": item.category,
            "managed": int(item.managed),
        }
        for item in items
    ]  # fmt: skip
    _PUT_ITEM.run(connection, rows)


def put_prices(connection: Connection, store: str, prices: Sequence[Price], now_ms: int) -> None:
    """Announced prices that are not in the new list are withdrawn; those in force stay as history."""
    connection.execute(_CLEAR_FUTURE, {"store": store, "now": now_ms})
    rows = [
        {"store": store, "sku": price.sku, "from_ms": price.from_ms, "cents": price.price_cents}
        for price in prices
    ]
    _PUT_PRICE.run(connection, rows)


def zones(connection: Connection) -> list[tuple[str, str]]:
    """(store, name of its time zone) of all stores."""
    return [(row.store_id, row.timezone) for row in connection.execute(_ZONES)]


def stores_of(connection: Connection, region: str | None) -> list[str]:
    """Of one region, or of the chain."""
    return [row.store_id for row in connection.execute(_STORES_OF, {"region": region})]


def watermarks_ms(connection: Connection) -> dict[str, int]:
    """The newest of each store's gateways: up to then it told all. Without stores of which none told anything."""
    return {row.store_id: row.newest_ms for row in connection.execute(_WATERMARKS)}


def exists(connection: Connection, store: str) -> bool:
    return connection.execute(_EXISTS, {"store": store}).first() is not None


def document(connection: Connection, store: str, kind: str) -> tuple[int, str] | None:
    """(version, body) of the newest desired-state document of `kind`; None when none was put."""
    row = connection.execute(_DOCUMENT, {"store": store, "kind": kind}).first()
    return None if row is None else (row.version, row.body)


def documents_of(
    connection: Connection, region: str | None, kind: str
) -> list[tuple[str, tuple[int, str] | None]]:
    """Each store of the region, or of the chain, with its document as `document` gives it."""
    rows = connection.execute(_DOCUMENTS_OF, {"region": region, "kind": kind})
    return [(row.store_id, None if row.version is None else (row.version, row.body)) for row in rows]


def documents_by_region(connection: Connection, kind: str) -> Iterator[tuple[str, str]]:
    """(region, body) of each store that has the document, regions together."""
    for row in connection.execute(_DOCUMENTS_BY_REGION, {"kind": kind}):
        yield row.region, row.body


def region_of(connection: Connection, store: str) -> str | None:
    """None for a store that is none."""
    row = connection.execute(_REGION_OF, {"store": store}).first()
    return None if row is None else str(row.region)


def put_document(connection: Connection, store: str, kind: str, version: int, body: str) -> None:
    values = {"store": store, "kind": kind, "version": version, "body": body}
    connection.execute(_PUT_DOCUMENT, values)


def has_item(connection: Connection, store: str, sku: str) -> bool:
    return connection.execute(_HAS_ITEM, {"store": store, "sku": sku}).first() is not None


def newest_ms(connection: Connection, store: str) -> int | None:
    row = connection.execute(_NEWEST, {"store": store}).one()
    return max((at for at in (row.stock_ms, row.receipt_ms) if at is not None), default=None)
