"""Orders that were really made on stored days: what a replay's own orders are seen beside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_after, day_of, day_start_ms

_TRIGGERS = sa.text(
    """SELECT sku, created_ms AS at_ms, quantity_units, value_cents, doubt FROM triggers WHERE store_id = :store
    AND created_ms >= :from_ms AND created_ms < :to_ms AND kind IN ('restock', 'emergency')
    AND state IN ('approved', 'sent', 'acknowledged', 'ordered', 'shipped', 'received', 'closed')"""
)
_OUTSIDE = sa.text(
    """SELECT sku, at_ms, quantity_units FROM outside_orders WHERE store_id = :store AND at_ms >= :from_ms
    AND at_ms < :to_ms"""
)


@dataclass(frozen=True, slots=True)
class MadeOrders:
    """Of one day. asked: those that a person had to decide. Cost is of triggers alone: of outside orders none is known."""

    orders: int = 0
    ordered_units: int = 0
    ordered_cents: int = 0
    asked: int = 0

    def __add__(self, other: "MadeOrders") -> "MadeOrders":
        return MadeOrders(
            self.orders + other.orders, self.ordered_units + other.ordered_units,
            self.ordered_cents + other.ordered_cents, self.asked + other.asked,
        )  # fmt: skip


def made_orders(
    connection: Connection, store: str, zone: ZoneInfo, dates: Sequence[date], skus: Collection[str]
) -> list[MadeOrders]:
    """One entry a date, of `skus` alone: orders that went out or are approved, and those placed outside."""
    span = {
        "store": store,
        "from_ms": day_start_ms(dates[0].isoformat(), zone),
        "to_ms": day_start_ms(day_after(dates[-1].isoformat(), 1), zone),
    }
    found = {day.isoformat(): MadeOrders() for day in dates}
    kept = set(skus)
    for row in connection.execute(_TRIGGERS, span):
        if row.sku in kept:
            one = MadeOrders(1, row.quantity_units, row.value_cents, int(row.doubt != ""))
            found[day_of(row.at_ms, zone)] += one
    for row in connection.execute(_OUTSIDE, span):
        if row.sku in kept:
            found[day_of(row.at_ms, zone)] += MadeOrders(1, row.quantity_units)
    return [found[day.isoformat()] for day in dates]
