"""What a replay reads of a store: its days and hours, its forecasts, what was on its way, and the orders that were really made."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger.of_skus import OfSkus

HOUR_MS, DAY_MS = 3_600_000, 86_400_000

_SUPPLY = sa.text("SELECT body FROM documents WHERE store_id = :store AND kind = :kind")
_LAST = sa.text("SELECT max(at_ms) FROM rollups WHERE store_id = :store AND step_ms = :step")
_SUMS = OfSkus(
    """SELECT sku, at_ms, sold_units, stock_out_ms, on_hand_units FROM rollups WHERE store_id = :store
    AND step_ms = :step AND at_ms >= :from_ms AND at_ms < :to_ms AND {among} ORDER BY at_ms"""
)
_FORECASTS = OfSkus(
    """SELECT sku, first_day, mean, quantiles, bundle FROM forecasts WHERE store_id = :store AND first_day >= :first
    AND first_day < :end AND {among}"""
)
_FORECAST_SKUS = sa.text(
    "SELECT DISTINCT sku FROM forecasts WHERE store_id = :store AND first_day >= :first AND first_day < :end"
)
_HOURS = sa.text("SELECT hours, closed_days FROM stores WHERE store_id = :store")
_DELIVERIES = sa.text(
    """SELECT sku, despatch, units, at_ms FROM stock_facts WHERE store_id = :store AND fact = 'delivery' AND at_ms >= :from_ms
    ORDER BY at_ms"""
)
_CORRECTIONS = sa.text(
    """SELECT sku, units, at_ms FROM stock_facts WHERE store_id = :store AND at_ms >= :from_ms AND at_ms < :to_ms
    AND (fact = 'shrink' OR (fact = 'adjustment' AND reason <> 'waste')) ORDER BY at_ms"""
)
_TRIGGERS = sa.text(
    """SELECT trigger_id, sku, kind, state, quantity_units, shipped_units, value_cents, doubt, on_hand_units, created_ms, despatch,
    arrives_day, lead_time_days, pack_units FROM triggers WHERE store_id = :store AND created_ms >= :from_ms AND created_ms < :to_ms"""
)
_OUTSIDE = sa.text(
    """SELECT sku, quantity_units, at_ms, despatch, arrives_day, state FROM outside_orders WHERE store_id = :store
    AND at_ms >= :from_ms AND at_ms < :to_ms"""
)
_DECIDED = sa.text(
    """SELECT t.created_ms, a.at_ms, a.action FROM triggers t LEFT JOIN audit a ON a.store_id = t.store_id AND a.subject = t.trigger_id
    AND a.action IN ('approve', 'reject') AND a.who <> 'the rule' WHERE t.store_id = :store AND t.created_ms >= :from_ms
    AND t.created_ms < :to_ms AND (t.doubt <> '' OR a.at_ms IS NOT NULL) AND t.kind <> 'transfer'"""
)
_PROPOSALS = OfSkus(
    """SELECT sku, at_ms, outcome, body FROM proposals WHERE store_id = :store AND at_ms >= :from_ms AND at_ms < :to_ms
    AND {among} ORDER BY at_ms"""
)
SWITCH_ON, SWITCH_OFF = "kill-switch-on", "kill-switch-off"
_SWITCHES = sa.text(
    f"""SELECT at_ms, action, subject FROM audit WHERE store_id = '' AND action IN ('{SWITCH_ON}', '{SWITCH_OFF}') AND at_ms < :to_ms
    ORDER BY number"""  # noqa: S608 - our own words
)
_DECIDED_ORDERS = sa.text(
    """SELECT sku, created_ms, quantity_units, received_units, despatch, lead_time_days, doubt, inputs FROM triggers
    WHERE store_id = :store AND created_ms >= :from_ms AND created_ms < :to_ms AND kind <> 'transfer' ORDER BY created_ms"""
)
_HELD = sa.text(
    """SELECT sku, at_ms, outcome FROM proposals WHERE store_id = :store AND at_ms >= :from_ms AND at_ms < :to_ms
    AND outcome LIKE 'held: the supplier can ship %'"""
)
_DEPOT_STOCK = sa.text("SELECT sku, available_units, at_ms FROM supplier_stock WHERE supplier = :supplier")
_DEPOT_ARRIVALS = sa.text(
    "SELECT sku, day, units FROM supplier_arrivals WHERE supplier = :supplier ORDER BY sku, day"
)
_BUDGET = sa.text("SELECT cents_a_day FROM budgets WHERE store_id = :store")
_PRICES = OfSkus(
    "SELECT sku, from_ms, price_cents FROM prices WHERE store_id = :store AND from_ms < :to_ms AND {among} ORDER BY from_ms"
)

_CATEGORIES = OfSkus("SELECT sku, category FROM items WHERE store_id = :store AND {among}")


@dataclass(frozen=True, slots=True)
class Span:
    """Of one store, from_ms to to_ms."""

    store: str
    from_ms: int
    to_ms: int

    def values(self, **more: object) -> dict[str, Any]:
        return {"store": self.store, "from_ms": self.from_ms, "to_ms": self.to_ms, **more}


def document(connection: Connection, store: str, kind: str) -> str | None:
    body = connection.execute(_SUPPLY, {"store": store, "kind": kind}).scalar()
    return None if body is None else str(body)


def last_day_ms(connection: Connection, store: str) -> int | None:
    """The start of the newest day of which anything is known."""
    found = connection.execute(_LAST, {"store": store, "step": DAY_MS}).scalar()
    return None if found is None else int(found)


def sums(connection: Connection, span: Span, step_ms: int, skus: Sequence[str]) -> Sequence[Any]:
    return _SUMS.run(connection, span.values(step=step_ms), skus)


def forecast_skus(connection: Connection, store: str, first: str, end: str) -> set[str]:
    rows = connection.execute(_FORECAST_SKUS, {"store": store, "first": first, "end": end})
    return {row.sku for row in rows}


def forecasts(connection: Connection, store: str, first: str, end: str, skus: Sequence[str]) -> Sequence[Any]:
    return _FORECASTS.run(connection, {"store": store, "first": first, "end": end}, skus)


def hours(connection: Connection, store: str) -> tuple[str, str]:
    """Opening hours and closed days, as JSON."""
    row = connection.execute(_HOURS, {"store": store}).first()
    return ("[]", "[]") if row is None else (row.hours, row.closed_days)


def deliveries(connection: Connection, span: Span) -> Sequence[Any]:
    """From from_ms on, also those after the span."""
    return connection.execute(_DELIVERIES, span.values()).all()


def corrections(connection: Connection, span: Span) -> Sequence[Any]:
    """What was gone or turned up; what was thrown away because it expired is left out."""
    return connection.execute(_CORRECTIONS, span.values()).all()


def triggers(connection: Connection, span: Span) -> Sequence[Any]:
    return connection.execute(_TRIGGERS, span.values()).all()


def outside_orders(connection: Connection, span: Span) -> Sequence[Any]:
    return connection.execute(_OUTSIDE, span.values()).all()


def asked_people(connection: Connection, span: Span) -> Sequence[Any]:
    """Orders that waited for a person: when they were made, and when one decided what, None: nobody did."""
    return connection.execute(_DECIDED, span.values()).all()


def proposals(connection: Connection, span: Span, skus: Collection[str]) -> Sequence[Any]:
    return _PROPOSALS.run(connection, span.values(), skus)


def switch_moves(connection: Connection, to_ms: int) -> Sequence[Any]:
    """Each time that a kill-switch was thrown or taken off, oldest first."""
    return connection.execute(_SWITCHES, {"to_ms": to_ms}).all()


def decided_orders(connection: Connection, span: Span) -> Sequence[Any]:
    """Triggers with their evidence and what came of them, oldest first. No transfers."""
    return connection.execute(_DECIDED_ORDERS, span.values()).all()


def held_proposals(connection: Connection, span: Span) -> Sequence[Any]:
    """Those of which nothing came for want of goods at the supplier."""
    return connection.execute(_HELD, span.values()).all()


def depot_stock(connection: Connection, supplier: str) -> Sequence[Any]:
    return connection.execute(_DEPOT_STOCK, {"supplier": supplier}).all()


def depot_arrivals(connection: Connection, supplier: str) -> Sequence[Any]:
    return connection.execute(_DEPOT_ARRIVALS, {"supplier": supplier}).all()


def budget_cents(connection: Connection, store: str) -> int | None:
    found = connection.execute(_BUDGET, {"store": store}).scalar()
    return None if found is None else int(found)


def prices(connection: Connection, span: Span, skus: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """(from when, cents) of each SKU, oldest first."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in _PRICES.run(connection, span.values(), skus):
        found.setdefault(row.sku, []).append((row.from_ms, row.price_cents))
    return found


def categories(connection: Connection, store: str, skus: Sequence[str]) -> list[tuple[str, str]]:
    """(SKU, category)."""
    return [(row.sku, row.category) for row in _CATEGORIES.run(connection, {"store": store}, skus)]
