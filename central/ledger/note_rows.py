"""Rows of delivery notes, and of the assortment's changes."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger import tables
from contract.api.deliveries import AssortmentChange, AssortmentView, DeliveryLineView

_INSERT_NOTE = tables.delivery_notes.insert()
_DIGEST = sa.text("SELECT digest FROM delivery_notes WHERE store_id = :store AND note = :note LIMIT 1")
_OPEN = sa.text(
    """SELECT note, despatch, sku, quantity_units, expected_units, at_ms, substitutes FROM delivery_notes
    WHERE store_id = :store AND state = 'open' ORDER BY at_ms, note, sku"""
)
_OPEN_OF_LOAD = sa.text(
    """SELECT note, quantity_units, at_ms FROM delivery_notes WHERE store_id = :store AND despatch = :despatch
    AND sku = :sku AND state = 'open' ORDER BY note"""
)
ARRIVED = sa.text(
    """UPDATE delivery_notes SET state = 'arrived', booked_units = :units WHERE store_id = :store
    AND despatch = :despatch AND sku = :sku AND state = 'open'"""
)
_NOTES = sa.text(
    """SELECT note, despatch, sku, quantity_units, expected_units, substitutes, at_ms, state, booked_units
    FROM delivery_notes WHERE store_id = :store ORDER BY heard_ms DESC, note, sku LIMIT :limit"""
)
_CHANGE = sa.text(
    """SELECT pack_units, min_order_units, gtin, applied FROM assortment WHERE store_id = :store AND sku = :sku
    AND change = :change AND from_ms = :from_ms"""
)
_PUT_CHANGE = sa.text(
    """INSERT INTO assortment (store_id, sku, change, from_ms, pack_units, min_order_units, gtin, applied, heard_ms)
    VALUES (:store, :sku, :change, :from_ms, :pack_units, :min_order_units, :gtin, 0, :now)
    ON CONFLICT (store_id, sku, change, from_ms) DO UPDATE SET pack_units = excluded.pack_units,
    min_order_units = excluded.min_order_units, gtin = excluded.gtin, heard_ms = excluded.heard_ms"""
)
_DUE_STORES = sa.text(
    "SELECT DISTINCT store_id FROM assortment WHERE applied = 0 AND from_ms <= :now ORDER BY store_id"
)
_DUE = sa.text(
    """SELECT sku, change, from_ms, pack_units, min_order_units, gtin FROM assortment
    WHERE store_id = :store AND applied = 0 AND from_ms <= :now ORDER BY from_ms, sku, change"""
)
_APPLIED = sa.text(
    """UPDATE assortment SET applied = 1 WHERE store_id = :store AND sku = :sku AND change = :change
    AND from_ms = :from_ms"""
)
_CHANGES = sa.text(
    """SELECT sku, change, from_ms, pack_units, min_order_units, gtin, applied FROM assortment
    WHERE store_id = :store ORDER BY from_ms DESC, sku, change LIMIT :limit"""
)


def note_digest(connection: Connection, store: str, note: str) -> str | None:
    """Of the note's content as it came; None when it did not come yet."""
    found = connection.execute(_DIGEST, {"store": store, "note": note}).scalar()
    return None if found is None else str(found)


def insert_note(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(_INSERT_NOTE, rows)


def open_lines(connection: Connection, store: str) -> list[dict[str, Any]]:
    """Those that the store's gateway has not told as delivered yet, oldest first."""
    return [dict(row) for row in connection.execute(_OPEN, {"store": store}).mappings()]


def open_notes(connection: Connection, store: str, despatch: str, sku: str) -> list[tuple[str, int, int]]:
    """(note, units, at_ms) of the load's lines that the gateway has not told yet."""
    found = connection.execute(_OPEN_OF_LOAD, {"store": store, "despatch": despatch, "sku": sku})
    return [(row.note, row.quantity_units, row.at_ms) for row in found]


def line_arrived(connection: Connection, store: str, despatch: str, sku: str, units: int) -> bool:
    """Whether a note's line waited for it."""
    values = {"store": store, "despatch": despatch, "sku": sku, "units": units}
    return connection.execute(ARRIVED, values).rowcount > 0


def note_lines(connection: Connection, store: str, limit: int) -> list[DeliveryLineView]:
    """Newest note first."""
    rows = connection.execute(_NOTES, {"store": store, "limit": limit}).mappings()
    return [DeliveryLineView.model_validate(dict(row)) for row in rows]


def known_change(connection: Connection, store: str, change: AssortmentChange) -> dict[str, Any] | None:
    row = connection.execute(_CHANGE, _key(store, change)).mappings().first()
    return None if row is None else dict(row)


def put_change(connection: Connection, store: str, change: AssortmentChange, now_ms: int) -> None:
    connection.execute(_PUT_CHANGE, {"store": store, "now": now_ms, **change.model_dump()})


def stores_with_changes_due(connection: Connection, now_ms: int) -> list[str]:
    return [row.store_id for row in connection.execute(_DUE_STORES, {"now": now_ms})]


def changes_due(connection: Connection, store: str, now_ms: int) -> list[AssortmentChange]:
    """Oldest first."""
    rows = connection.execute(_DUE, {"store": store, "now": now_ms}).mappings()
    return [AssortmentChange.model_validate(dict(row)) for row in rows]


def change_applied(connection: Connection, store: str, change: AssortmentChange) -> None:
    connection.execute(_APPLIED, _key(store, change))


def assortment_views(connection: Connection, store: str, limit: int) -> list[AssortmentView]:
    """Newest date first."""
    rows = connection.execute(_CHANGES, {"store": store, "limit": limit}).mappings()
    return [AssortmentView.model_validate(dict(row)) for row in rows]


def _key(store: str, change: AssortmentChange) -> dict[str, Any]:
    return {"store": store, "sku": change.sku, "change": change.change, "from_ms": change.from_ms}
