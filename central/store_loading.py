"""A store's memory from the ledger: by few, small reads, since ten thousand stores may speak within ten seconds."""

import json
from collections.abc import Sized
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from central.core.audit_chain import FIRST
from central.core.days import day_of
from central.core.identity import Identity
from central.core.lifecycle import OPEN
from central.ledger.reading import Read, read_all
from central.ledger.unsummed import read_unsummed
from central.store_memory import (
    Forecast,
    ManagedItem,
    OutsideOrder,
    Position,
    StockLevel,
    StoreMemory,
    Trigger,
    Unsummed,
)
from contract.api.restock import TriggerState
from contract.documents import SupplyDocument
from contract.records import QUANTILE_LEVELS

TILL_DAYS = 160
"""Business days of single tills for which the highest receipt number is kept in memory."""


def load_store(connection: Connection, store: str) -> StoreMemory:
    memory = StoreMemory(store)
    found = dict(zip(_ALL, read_all(connection, list(_ALL.values()), {"store": store}), strict=True))
    for row in found["store"]:
        memory.exists = True
        memory.name, zone, memory.currency, memory.h3_cell = row
        memory.zone = ZoneInfo(zone)
    memory.versions = dict(found["versions"])
    _take_items(memory, found["items"])
    for (body,) in found["supply"]:
        memory.supply = {line.sku: line for line in SupplyDocument.from_json(body).lines}
    _take_prices(memory, found["prices"])
    memory.stock = {sku: StockLevel(*level) for sku, *level in found["stock"]}
    memory.triggers = {row[0]: _trigger(row) for row in found["triggers"]}
    memory.orders = {(order, sku): OutsideOrder(*rest) for order, sku, *rest in found["orders"]}
    memory.positions = {(gateway, epoch): Position(*rest) for gateway, epoch, *rest in found["positions"]}
    if any(position.unsummed_from is not None for position in memory.positions.values()):
        waiting = read_unsummed(connection, store, memory.zone, memory.items)
        memory.unsummed = None if waiting is None else Unsummed(waiting, since_ms=0)
    for gateway, run, replaced, since_ms in found["identities"]:
        # Heard at the take-over at least; whether since then, the ledger knows where it matters.
        memory.identities.restore(gateway, Identity(run, since_ms, json.loads(replaced)))
    memory.receipts = {(register, day): highest for register, day, highest in found["receipts"]}
    if len(memory.receipts) == TILL_DAYS:
        memory.receipts_since = min(day for _, day in memory.receipts)
    for (from_ms,) in found["receipts_from"]:
        memory.receipts_from = day_of(from_ms, memory.zone)
    for sku, first_day, mean, quantiles in found["forecasts"]:
        memory.forecasts[sku] = forecast_from_rows(first_day, json.loads(mean), json.loads(quantiles))
    _take_listings(memory, found["listings"])
    memory.raised_ms = dict(found["raised"])
    (*numbers, audit_hash) = found["numbers"][0]
    memory.numbers = {series: number or 0 for series, number in zip(_SERIES, numbers, strict=True)}
    memory.audit_hash = audit_hash or FIRST
    parts: tuple[Sized, ...] = (
        memory.items,
        memory.supply,
        memory.prices,
        memory.stock,
        memory.receipts,
        memory.forecasts,
    )
    memory.kept = 20 + sum(len(part) for part in parts)
    return memory


_HIGH = QUANTILE_LEVELS.index(0.9)


def forecast_from_rows(first_day: str, mean: list[float], quantiles: list[list[float]]) -> Forecast:
    return Forecast(first_day, mean, [day[_HIGH] for day in quantiles])


def load_items(connection: Connection, memory: StoreMemory) -> None:
    _take_items(memory, _ALL["items"].rows(connection, {"store": memory.store}))


def load_listings(connection: Connection, memory: StoreMemory) -> None:
    _take_listings(memory, _ALL["listings"].rows(connection, {"store": memory.store}))


def load_prices(connection: Connection, memory: StoreMemory) -> None:
    """Of managed items, oldest first."""
    _take_prices(memory, _ALL["prices"].rows(connection, {"store": memory.store}))


def _take_items(memory: StoreMemory, rows: list[tuple[str, str, str, str]]) -> None:
    memory.items = {sku: ManagedItem(gtin, name, category) for sku, gtin, name, category in rows}


def _take_prices(memory: StoreMemory, rows: list[tuple[str, int, int]]) -> None:
    memory.prices = {}
    for sku, from_ms, price_cents in rows:
        memory.prices.setdefault(sku, []).append((from_ms, price_cents))


def _take_listings(memory: StoreMemory, rows: list[tuple[str, int, str]]) -> None:
    memory.listings = {}
    for sku, from_ms, change in rows:
        memory.listings.setdefault(sku, []).append((from_ms, change == "list"))


def _trigger(row: tuple[object, ...]) -> Trigger:
    values = dict(zip(_TRIGGER, row, strict=True))
    return Trigger(**{**values, "state": TriggerState(values["state"])})  # type: ignore[arg-type]


_TRIGGER = (
    "trigger_id", "number", "revision", "sku", "supplier", "state", "quantity_units", "shipped_units", "despatch",
    "created_ms", "changed_ms", "expires_ms", "arrives_day", "kind", "due_ms", "agreed_revision", "agreed_units",
)  # fmt: skip
_OPEN = ", ".join(f"'{state.value}'" for state in sorted(OPEN))
_SERIES = {
    "trigger": "triggers",
    "coupon": "coupons",
    "coupon_event": "coupon_events",
    "quarantine": "quarantine",
    "audit": "audit",
    "event": "outgoing",
}
"""What is numbered within a store, and the table that has the highest number."""
_AFTER_RESTORE = "UNION ALL SELECT CAST(value AS BIGINT) / 1000 FROM meta WHERE key = 'restored_ms'"
"""For numbers that others know orders and coupons by: none is given twice (ledger/backup.py)."""
_HIGHEST = ", ".join(
    f"(SELECT max(number) FROM (SELECT max(number) AS number FROM {table} WHERE store_id = :store "  # noqa: S608 - our own names
    f"{_AFTER_RESTORE if series in ('trigger', 'coupon') else ''}) {series}_numbers)"
    for series, table in _SERIES.items()
)
_ALL = {
    "store": Read("SELECT name, timezone, currency, h3_cell FROM stores WHERE store_id = :store"),
    "versions": Read("SELECT kind, version FROM documents WHERE store_id = :store"),
    "supply": Read("SELECT body FROM documents WHERE store_id = :store AND kind = 'supply'"),
    "items": Read("SELECT sku, gtin, name, category FROM items WHERE store_id = :store AND managed = 1"),
    "prices": Read(
        """SELECT p.sku, p.from_ms, p.price_cents FROM items i
        JOIN prices p ON p.store_id = i.store_id AND p.sku = i.sku
        WHERE i.store_id = :store AND i.managed = 1 ORDER BY p.sku, p.from_ms"""
    ),
    "listings": Read(
        """SELECT sku, from_ms, change FROM assortment WHERE store_id = :store AND change IN ('list', 'delist')
        ORDER BY sku, from_ms, change DESC"""
    ),
    "stock": Read(
        "SELECT sku, on_hand_units, on_shelf_units, at_ms, shrink_units FROM stock WHERE store_id = :store"
    ),
    "triggers": Read(
        f"SELECT {', '.join(_TRIGGER)} FROM triggers WHERE store_id = :store AND state IN ({_OPEN})"  # noqa: S608
    ),
    "orders": Read(
        """SELECT order_number, sku, quantity_units, despatch, arrives_day, at_ms FROM outside_orders
        WHERE store_id = :store AND state = 'open'"""
    ),
    "positions": Read(
        "SELECT gateway, epoch, through_seq, ordinal, unsummed_from FROM positions WHERE store_id = :store"
    ),
    "identities": Read("SELECT gateway, run, replaced, since_ms FROM identities WHERE store_id = :store"),
    "receipts": Read(
        f"""SELECT register_id, business_date, last_number FROM till_days WHERE store_id = :store
        AND last_number IS NOT NULL ORDER BY business_date DESC LIMIT {TILL_DAYS}"""  # noqa: S608
    ),
    "receipts_from": Read("SELECT from_ms FROM kept_since WHERE store_id = :store AND kind = 'receipts'"),
    "forecasts": Read(
        """SELECT f.sku, f.first_day, f.mean, f.quantiles FROM forecasts f JOIN (SELECT sku, max(first_day) AS first_day
        FROM forecasts WHERE store_id = :store GROUP BY sku) newest ON newest.sku = f.sku
        AND newest.first_day = f.first_day WHERE f.store_id = :store"""
    ),
    "raised": Read(
        """SELECT sku, max(created_ms) FROM triggers WHERE store_id = :store
        AND state NOT IN ('cancelled', 'rejected', 'expired') GROUP BY sku"""
    ),
    "numbers": Read(
        f"""SELECT {_HIGHEST},
        (SELECT hash FROM audit WHERE store_id = :store ORDER BY number DESC LIMIT 1)"""  # noqa: S608
    ),
}
