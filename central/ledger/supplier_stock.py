"""What suppliers' distribution centres have, and what is expected there: by SKU, by day."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_of
from contract.api.suppliers import Arriving

_STOCKED = sa.text("SELECT supplier, count(*) AS skus FROM supplier_stock GROUP BY supplier")
_FORGET = sa.text("DELETE FROM supplier_stock WHERE supplier = :supplier")
_PUT = sa.text(
    "INSERT INTO supplier_stock (supplier, sku, available_units, at_ms) VALUES (:supplier, :sku, :units, :now)"
)
_THERE = sa.text(
    "SELECT available_units, at_ms FROM supplier_stock WHERE supplier = :supplier AND sku = :sku"
)
_ARRIVING = sa.text(
    """SELECT coalesce(sum(units), 0) FROM supplier_arrivals WHERE supplier = :supplier AND sku = :sku AND day > :after
    AND day <= :until"""
)
_FORGET_ARRIVALS = sa.text("DELETE FROM supplier_arrivals WHERE supplier = :supplier")
_PUT_ARRIVAL = sa.text(
    """INSERT INTO supplier_arrivals (supplier, sku, day, units) VALUES (:supplier, :sku, :day, :units)
    ON CONFLICT (supplier, sku, day) DO UPDATE SET units = excluded.units"""
)
_ARRIVALS = sa.text(
    "SELECT sku, day, units FROM supplier_arrivals WHERE supplier = :supplier ORDER BY sku, day LIMIT :limit"
)
_COUNT = sa.text("SELECT count(*) FROM supplier_arrivals WHERE supplier = :supplier")


def stocked_skus(connection: Connection) -> dict[str, int]:
    return {row.supplier: row.skus for row in connection.execute(_STOCKED)}


def put_stock(connection: Connection, name: str, rows: dict[str, int], now_ms: int) -> None:
    """Replaces what the supplier said before. rows: SKU -> units."""
    connection.execute(_FORGET, {"supplier": name})
    values: list[dict[str, Any]] = [
        {"supplier": name, "sku": sku, "units": units, "now": now_ms} for sku, units in sorted(rows.items())
    ]
    if values:
        connection.execute(_PUT, values)


def available_units(connection: Connection, name: str, sku: str, by: date, zone: ZoneInfo) -> int | None:
    """What will be there when goods are picked on the day `by`: what was said to be there, and what was to come since then.

    None: the supplier said nothing of this SKU. Arrivals of the day of its word count as in it already. zone: the supplier's.
    """
    row = connection.execute(_THERE, {"supplier": name, "sku": sku}).first()
    if row is None:
        return None
    span = {"supplier": name, "sku": sku, "after": day_of(row.at_ms, zone), "until": by.isoformat()}
    return int(row.available_units) + int(connection.execute(_ARRIVING, span).scalar_one())


def put_arrivals(connection: Connection, name: str, rows: Sequence[Arriving], *, replaces: bool) -> None:
    """replaces: what the file or the body does not name is expected no more."""
    if replaces:
        connection.execute(_FORGET_ARRIVALS, {"supplier": name})
    values = [{"supplier": name, **row.model_dump()} for row in rows]
    if values:
        connection.execute(_PUT_ARRIVAL, values)


def arrivals(connection: Connection, name: str, limit: int) -> tuple[list[Arriving], int]:
    """By SKU and day, and how many there are in all."""
    rows = connection.execute(_ARRIVALS, {"supplier": name, "limit": limit})
    found = [Arriving(sku=row.sku, day=row.day, units=row.units) for row in rows]
    return found, int(connection.execute(_COUNT, {"supplier": name}).scalar_one())
