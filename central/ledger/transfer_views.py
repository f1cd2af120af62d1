"""What the round of transfers reads: one SKU after another, the outlook of each store that knows its stock."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.supplier_calendar import SupplierCalendar, calendar_from
from central.core.transfers import Outlook
from central.ledger import supplier_rows
from central.ledger.tables import items
from contract.api.restock import TriggerState
from contract.api.transfers import TransferView
from contract.documents import SupplyDocument, SupplyLine
from contract.records import QUANTILE_LEVELS

_HIGH = QUANTILE_LEVELS.index(0.9)
DAY_MS = 86_400_000

_PLACES = sa.text("SELECT store_id, h3_cell FROM stores WHERE h3_cell IS NOT NULL")
_SHOPS = sa.text("SELECT store_id, name, region, currency FROM stores")
_NAMES = sa.select(items.c.store_id, items.c.sku, items.c.name).where(
    sa.tuple_(items.c.store_id, items.c.sku).in_(sa.bindparam("keys", expanding=True))
)
_SUPPLY = sa.text("SELECT store_id, body FROM documents WHERE kind = 'supply'")
_SKUS = sa.text(
    """SELECT f.sku, f.store_id, f.mean, f.quantiles, s.on_hand_units FROM forecasts f
    JOIN stock s ON s.store_id = f.store_id AND s.sku = f.sku
    WHERE s.on_hand_units IS NOT NULL AND f.at_ms >= :fresh
    AND f.first_day = (SELECT max(g.first_day) FROM forecasts g WHERE g.store_id = f.store_id AND g.sku = f.sku)
    ORDER BY f.sku, f.store_id"""
)
_PRICES = sa.text(
    """SELECT p.store_id, p.sku, p.price_cents FROM stock s JOIN prices p ON p.store_id = s.store_id AND p.sku = s.sku
    WHERE s.on_hand_units IS NOT NULL AND p.from_ms = (SELECT max(q.from_ms) FROM prices q
    WHERE q.store_id = p.store_id AND q.sku = p.sku AND q.from_ms <= :now)"""
)
_COMING = sa.text(
    """SELECT store_id, sku, kind, supplier, coalesce(shipped_units, quantity_units) AS units, lead_time_days, created_ms
    FROM triggers WHERE state IN ('approved', 'sent', 'acknowledged', 'ordered', 'shipped')"""
)
_ORDERS = sa.text("SELECT store_id, sku, quantity_units, at_ms FROM outside_orders WHERE state = 'open'")
_OPEN_TRANSFERS = sa.text(
    """SELECT store_id, sku, supplier, quantity_units FROM triggers
    WHERE kind = 'transfer' AND state IN ('proposed', 'snoozed')"""
)
_WAITING = sa.text(
    """SELECT store_id, sku, trigger_id FROM triggers WHERE kind = 'transfer'
    AND state IN ('proposed', 'snoozed', 'approved', 'sent', 'acknowledged', 'ordered', 'shipped') ORDER BY number"""
)
_OF_STORE = sa.text(
    """SELECT t.trigger_id, t.store_id, t.supplier, t.sku, t.quantity_units, t.shipped_units, t.state, t.why, t.despatch,
    t.changed_ms, s.name AS other_name, coalesce(i.name, t.sku) AS name FROM triggers t
    LEFT JOIN stores s ON s.store_id = CASE WHEN t.store_id = :store THEN t.supplier ELSE t.store_id END
    LEFT JOIN items i ON i.store_id = t.store_id AND i.sku = t.sku
    WHERE t.kind = 'transfer' AND (t.store_id = :store OR t.supplier = :store)
    AND t.state IN ('proposed', 'snoozed', 'approved', 'sent', 'acknowledged', 'ordered', 'shipped')
    ORDER BY t.changed_ms DESC, t.trigger_id LIMIT :limit"""
)


def places(connection: Connection) -> dict[str, str]:
    """Store -> H3 cell."""
    return {row.store_id: row.h3_cell for row in connection.execute(_PLACES)}


@dataclass(frozen=True, slots=True)
class Shop:
    name: str
    region: str
    currency: str


def shops(connection: Connection) -> dict[str, Shop]:
    return {
        row.store_id: Shop(row.name, row.region or "", row.currency) for row in connection.execute(_SHOPS)
    }


def names_of(connection: Connection, keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(store, SKU) -> what the goods are called there; SKUs that are no item are missing. keys: a page's, some hundred."""
    rows = connection.execute(_NAMES, {"keys": keys}) if keys else ()
    return {(row.store_id, row.sku): row.name for row in rows}


def waiting_transfers(connection: Connection) -> dict[tuple[str, str], str]:
    """(store that takes, SKU) -> its open transfer."""
    return {(row.store_id, row.sku): row.trigger_id for row in connection.execute(_WAITING)}


def transfers_of(connection: Connection, store: str, limit: int) -> list[TransferView]:
    """The open transfers to and from `store`, the newest change first."""
    return [
        TransferView(
            trigger=row.trigger_id, store=store, direction="comes" if row.store_id == store else "leaves", sku=row.sku, name=row.name,
            quantity_units=row.quantity_units if row.shipped_units is None else row.shipped_units,
            other_store=row.supplier if row.store_id == store else row.store_id, other_name=row.other_name or "",
            state=TriggerState(row.state), why=row.why, despatch=row.despatch, changed_ms=row.changed_ms,
        )
        for row in connection.execute(_OF_STORE, {"store": store, "limit": limit})
    ]  # fmt: skip


def outlooks(connection: Connection, now_ms: int, stale_ms: int) -> Iterator[tuple[str, list[Outlook]]]:
    """(SKU, outlooks) of each SKU that two stores or more sell, with known stock and a forecast younger than stale_ms.

    Goods that are leaving a giver by an open transfer are not on its hand any more.
    """
    supply = {
        row.store_id: {line.sku: line for line in SupplyDocument.from_json(row.body).lines}
        for row in connection.execute(_SUPPLY)
    }
    prices = {
        (row.store_id, row.sku): row.price_cents for row in connection.execute(_PRICES, {"now": now_ms})
    }
    calendars = {name: calendar_from(put) for name, put, _ in supplier_rows.all_suppliers(connection)}
    coming, leaving = _movements(connection, now_ms)
    rows = connection.execute(_SKUS, {"fresh": now_ms - stale_ms})
    for sku, of_sku in groupby(rows, key=lambda row: row.sku):
        found = []
        for row in of_sku:
            line, price = supply.get(row.store_id, {}).get(sku), prices.get((row.store_id, sku))
            if line is None or price is None:
                continue
            found.append(
                _outlook(
                    row.store_id, max(0, row.on_hand_units - leaving.get((row.store_id, sku), 0)), line, price,
                    json.loads(row.mean), [day[_HIGH] for day in json.loads(row.quantiles)],
                    tuple(coming.get((row.store_id, sku), ())), calendars.get(line.supplier), now_ms,
                )
            )  # fmt: skip
        if len(found) > 1:
            yield sku, found


def _movements(
    connection: Connection, now_ms: int
) -> tuple[dict[tuple[str, str], list[tuple[int, int]]], dict[tuple[str, str], int]]:
    """What comes to each (store, SKU), and what leaves it or is reserved for that."""
    coming: dict[tuple[str, str], list[tuple[int, int]]] = {}
    leaving: dict[tuple[str, str], int] = {}
    for row in connection.execute(_COMING):
        passed = (now_ms - row.created_ms) // DAY_MS
        ahead = max(0, row.lead_time_days - passed)
        coming.setdefault((row.store_id, row.sku), []).append((ahead, row.units))
        if row.kind == "transfer":
            leaving[row.supplier, row.sku] = leaving.get((row.supplier, row.sku), 0) + row.units
    for row in connection.execute(_ORDERS):
        coming.setdefault((row.store_id, row.sku), []).append((1, row.quantity_units))
    for row in connection.execute(_OPEN_TRANSFERS):
        leaving[row.supplier, row.sku] = leaving.get((row.supplier, row.sku), 0) + row.quantity_units
    return coming, leaving


def _outlook(
    store: str, on_hand: int, line: SupplyLine, price_cents: int, mean: list[float], high: list[float],
    arrivals: tuple[tuple[int, int], ...], calendar: SupplierCalendar | None, now_ms: int,
) -> Outlook:  # fmt: skip
    return Outlook(
        store=store,
        on_hand_units=on_hand,
        mean_units=tuple(mean),
        high_units=tuple(high),
        arrivals=arrivals,
        next_delivery_days=line.lead_time_days if calendar is None else calendar.days_until_delivery(now_ms),
        emergency_days=None if calendar is None else calendar.emergency_lead_days,
        margin_cents=max(0, price_cents - line.cost_cents),
        cost_cents=line.cost_cents,
        waste_by_days=line.shelf_life_days,
    )
