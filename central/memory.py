"""What the writer keeps in memory of each store, so that a batch costs inserts and no look-ups. Loaded on demand, dropped on doubt."""

import json
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.audit_chain import FIRST
from central.core.days import utc_text
from central.core.identity import Identities, Identity
from central.core.lifecycle import ON_ORDER, OPEN
from central.core.supplier_calendar import SupplierCalendar, calendar_from
from central.gateway_watch import GatewayWatch
from central.ledger import facts, supplier_rows
from contract.api.restock import TriggerState
from contract.documents import SupplyDocument, SupplyLine
from contract.records import QUANTILE_LEVELS

TILL_DAYS = 160
"""Business days of single tills for which the highest receipt number is kept in memory."""

MAX_KEPT = 1_500_000
"""Items, levels, prices and the like that one process keeps in memory, of all stores together (some 300 bytes each).

Of more, the store that was silent longest is dropped, and loaded again when it speaks."""

_UTC_ZONE = ZoneInfo("UTC")


@dataclass(slots=True)
class StockLevel:
    on_hand_units: int | None
    on_shelf_units: int | None
    at_ms: int
    shrink_units: int


@dataclass(slots=True)
class Trigger:
    """An open trigger, as far as decisions need it."""

    trigger_id: str
    number: int
    revision: int
    sku: str
    supplier: str
    state: TriggerState
    quantity_units: int
    shipped_units: int | None
    despatch: str | None
    created_ms: int
    changed_ms: int
    expires_ms: int | None
    arrives_day: str | None = None
    kind: str = "restock"
    due_ms: int | None = None
    agreed_revision: int | None = None
    agreed_units: int | None = None

    @property
    def on_order_units(self) -> int:
        """What is on its way of it: what was shipped, where that is known."""
        return self.quantity_units if self.shipped_units is None else self.shipped_units

    @property
    def held_until_ms(self) -> int | None:
        """Of an approved trigger that waits for the supplier's cut-off."""
        return self.due_ms if self.state is TriggerState.APPROVED else None


@dataclass(slots=True)
class OutsideOrder:
    quantity_units: int
    despatch: str | None
    arrives_day: str | None
    at_ms: int


@dataclass(slots=True)
class Forecast:
    """The newest forecast of a SKU: mean and 90 % quantile a day from first_day on."""

    first_day: str
    mean: list[float]
    high: list[float]


@dataclass(slots=True)
class Position:
    through_seq: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class ManagedItem:
    """What decisions need of an item; the others of the list stay in the ledger."""

    gtin: str
    name: str
    category: str


@dataclass(slots=True)
class StoreMemory:
    """version: of the store's head when this was true; only where several processes write."""

    store: str
    version: int = 0
    audit_hash: str = FIRST
    kept: int = 0
    """How much was loaded, as MAX_KEPT counts it."""
    exists: bool = False
    name: str = ""
    zone: ZoneInfo = _UTC_ZONE
    currency: str = ""
    h3_cell: str | None = None
    items: dict[str, ManagedItem] = field(default_factory=dict)
    supply: dict[str, SupplyLine] = field(default_factory=dict)
    prices: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    stock: dict[str, StockLevel] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    orders: dict[tuple[str, str], OutsideOrder] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    bundles: tuple[str, ...] | None = None
    """What the `models` document names, None: not looked up yet."""
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    identities: Identities = field(default_factory=Identities)
    receipts: dict[tuple[str, str], int] = field(default_factory=dict)
    receipts_since: str = ""
    receipts_from: str = ""
    """Receipts of business dates before are no longer in the ledger; empty: it forgot none."""
    forecasts: dict[str, Forecast] = field(default_factory=dict)
    raised_ms: dict[str, int] = field(default_factory=dict)
    listings: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    """By SKU: (from when, whether it is listed), oldest first; of a SKU that never changed, nothing."""
    numbers: dict[str, int] = field(default_factory=dict)

    def price_cents(self, sku: str, at_ms: int) -> int | None:
        valid = [cents for from_ms, cents in self.prices.get(sku, ()) if from_ms <= at_ms]
        return valid[-1] if valid else None

    def category_of(self, sku: str) -> str | None:
        """None: not a managed item."""
        item = self.items.get(sku)
        return None if item is None else item.category

    def why_unlisted(self, sku: str, at_ms: int) -> str:
        """Why the SKU is not ordered at that moment, "" when it is."""
        steps = self.listings.get(sku)
        if not steps:
            return ""
        past = [step for step in steps if step[0] <= at_ms]
        if past:
            return "" if past[-1][1] else f"delisted from {utc_text(past[-1][0])} on"
        return f"listed from {utc_text(steps[0][0])} on" if steps[0][1] else ""

    def on_order(self, sku: str, *, without: str | None = None) -> int:
        """Units of `sku` that are on their way by triggers and outside orders."""
        triggers = sum(
            trigger.on_order_units
            for trigger in self.triggers.values()
            if trigger.sku == sku and trigger.state in ON_ORDER and trigger.trigger_id != without
        )
        return triggers + sum(order.quantity_units for (_, of), order in self.orders.items() if of == sku)

    def on_order_by_sku(self) -> dict[str, list[tuple[str | None, int, int]]]:
        """(day on which it is said to arrive, when it was ordered in ms, units) of each order on its way."""
        found: dict[str, list[tuple[str | None, int, int]]] = {}
        for trigger in self.triggers.values():
            if trigger.state in ON_ORDER:
                part = (trigger.arrives_day, trigger.created_ms, trigger.on_order_units)
                found.setdefault(trigger.sku, []).append(part)
        for (_, sku), order in self.orders.items():
            found.setdefault(sku, []).append((order.arrives_day, order.at_ms, order.quantity_units))
        return found

    def open_trigger(self, sku: str) -> Trigger | None:
        """The open order of `sku`; a transfer from another store is none, it only counts as on-order."""
        of_sku = (trigger for trigger in self.triggers.values() if trigger.sku == sku)
        return next((trigger for trigger in of_sku if trigger.kind != "transfer"), None)

    def may_have_receipt(self, register: str, day: str, sequence: int) -> bool:
        """False when the ledger surely has no such receipt; True when it must be asked."""
        if day <= self.receipts_since:
            return True
        return sequence <= self.receipts.get((register, day), 0)

    def next_number(self, series: str) -> int:
        self.numbers[series] = self.numbers.get(series, 0) + 1
        return self.numbers[series]

    def newest_ordinal(self, gateway: str) -> int:
        return max((p.ordinal for (of, _), p in self.positions.items() if of == gateway), default=0)


class LedgerMemory:
    """A store's part is owned by the thread that writes the store; other threads may read `heard_ms`.

    is_shared: other processes write the ledger, too; what belongs to the chain is then read anew each time.
    """

    def __init__(self, *, is_shared: bool = False) -> None:
        self._stores: dict[str, StoreMemory] = {}
        self._is_shared = is_shared
        self._kept = 0
        self.switches: dict[tuple[str, str], str] | None = None
        self.calendars: dict[str, SupplierCalendar | None] = {}
        self.heard_ms: dict[str, int] = {}
        self.watch = GatewayWatch()

    def forget(self, store: str | None = None) -> None:
        """What is known of `store`, None for all: it will be loaded again."""
        if store is None:
            self._stores.clear()
            self._kept = 0
        else:
            self._drop(store)
        self.switches = None
        self.calendars.clear()

    def _drop(self, store: str) -> None:
        dropped = self._stores.pop(store, None)
        self._kept -= dropped.kept if dropped is not None else 0

    def store(self, connection: Connection, store: str) -> StoreMemory:
        memory = self._stores.pop(store, None)
        if memory is None:
            memory = load_store(connection, store)
            self._kept += memory.kept
            while self._kept > MAX_KEPT and self._stores:
                self._drop(next(iter(self._stores)))
        self._stores[store] = memory  # last used, last dropped
        return memory

    def known_store(self, store: str) -> StoreMemory | None:
        """The store if it is loaded: for answers that need no transaction."""
        memory = self._stores.pop(store, None)
        if memory is not None:
            self._stores[store] = memory
        return memory

    def switches_for(self, connection: Connection, store: str, supplier: str) -> tuple[str, ...]:
        """The kill-switches that are on and cover an order of `store` from `supplier`, as words."""
        switches = None if self._is_shared else self.switches
        if switches is None:
            switches = self.switches = {
                (row.scope, row.target): f"kill-switch for {row.scope} {row.target}".strip()
                + (f": {row.reason}" if row.reason else "")
                for row in connection.execute(_SWITCHES)
            }
        keys = (("chain", ""), ("store", store), ("supplier", supplier))
        return tuple(switches[key] for key in keys if key in switches)

    def calendar_of(self, connection: Connection, supplier: str) -> SupplierCalendar | None:
        """None: the centre knows no calendar of this supplier, and its orders go out at once."""
        if self._is_shared:
            self.calendars.clear()
        if supplier not in self.calendars:
            found = supplier_rows.supplier(connection, supplier)
            self.calendars[supplier] = None if found is None else calendar_from(found[0])
        return self.calendars[supplier]


def load_store(connection: Connection, store: str) -> StoreMemory:
    memory = StoreMemory(store)
    of = {"store": store}
    row = connection.execute(_STORE, of).first()
    if row is not None:
        memory.exists, memory.name, memory.currency, memory.h3_cell = (
            True,
            row.name,
            row.currency,
            row.h3_cell,
        )
        memory.zone = ZoneInfo(row.timezone)
    for row in connection.execute(_VERSIONS, of):
        memory.versions[row.kind] = row.version
    load_items(connection, memory)
    supply = connection.execute(_SUPPLY, of).scalar()
    if supply is not None:
        memory.supply = {line.sku: line for line in SupplyDocument.from_json(supply).lines}
    load_prices(connection, memory)
    for row in connection.execute(_STOCK, of):
        memory.stock[row.sku] = StockLevel(row.on_hand_units, row.on_shelf_units, row.at_ms, row.shrink_units)
    open_states = tuple(state.value for state in OPEN)
    for row in connection.execute(_TRIGGERS, {**of, "states": open_states}):
        memory.triggers[row.trigger_id] = Trigger(
            row.trigger_id, row.number, row.revision, row.sku, row.supplier, TriggerState(row.state),
            row.quantity_units, row.shipped_units, row.despatch, row.created_ms, row.changed_ms, row.expires_ms,
            row.arrives_day, row.kind, row.due_ms, row.agreed_revision, row.agreed_units,
        )  # fmt: skip
    for row in connection.execute(_ORDERS, of):
        memory.orders[row.order_number, row.sku] = OutsideOrder(
            row.quantity_units, row.despatch, row.arrives_day, row.at_ms
        )
    for row in connection.execute(_POSITIONS, of):
        memory.positions[row.gateway, row.epoch] = Position(row.through_seq, row.ordinal)
    for row in connection.execute(_IDENTITIES, of):
        # Heard at the take-over at least; whether since then, the ledger knows where it matters.
        memory.identities.restore(row.gateway, Identity(row.run, row.since_ms, json.loads(row.replaced)))
    for row in connection.execute(_RECEIPTS, {**of, "days": TILL_DAYS}):
        memory.receipts[row.register_id, row.business_date] = row.highest
    memory.receipts_from = facts.receipts_from(connection, store, memory.zone)
    if len(memory.receipts) == TILL_DAYS:
        memory.receipts_since = min(day for _, day in memory.receipts)
    for row in connection.execute(_FORECASTS, of):
        memory.forecasts[row.sku] = forecast_from_rows(
            row.first_day, json.loads(row.mean), json.loads(row.quantiles)
        )
    load_listings(connection, memory)
    for row in connection.execute(_RAISED, of):
        memory.raised_ms[row.sku] = row.created_ms
    for series, statement in _NUMBERS.items():
        memory.numbers[series] = connection.execute(statement, of).scalar() or 0
    memory.audit_hash = (
        connection.execute(_AUDIT_HASH, {**of, "number": memory.numbers["audit"]}).scalar() or FIRST
    )
    memory.kept = 20 + sum(
        len(part)
        for part in (
            memory.items,
            memory.supply,
            memory.prices,
            memory.stock,
            memory.receipts,
            memory.forecasts,
        )
    )
    return memory


_HIGH = QUANTILE_LEVELS.index(0.9)


def forecast_from_rows(first_day: str, mean: list[float], quantiles: list[list[float]]) -> Forecast:
    return Forecast(first_day, mean, [day[_HIGH] for day in quantiles])


def load_items(connection: Connection, memory: StoreMemory) -> None:
    memory.items = {
        row.sku: ManagedItem(row.gtin, row.name, row.category)
        for row in connection.execute(_ITEMS, {"store": memory.store})
    }


def load_listings(connection: Connection, memory: StoreMemory) -> None:
    memory.listings = {}
    for row in connection.execute(_LISTINGS, {"store": memory.store}):
        memory.listings.setdefault(row.sku, []).append((row.from_ms, row.change == "list"))


def load_prices(connection: Connection, memory: StoreMemory) -> None:
    """Of managed items, oldest first."""
    memory.prices = {}
    for row in connection.execute(_PRICES, {"store": memory.store}):
        memory.prices.setdefault(row.sku, []).append((row.from_ms, row.price_cents))


_STORE = sa.text("SELECT name, timezone, currency, h3_cell FROM stores WHERE store_id = :store")
_VERSIONS = sa.text("SELECT kind, version FROM documents WHERE store_id = :store")
_SUPPLY = sa.text("SELECT body FROM documents WHERE store_id = :store AND kind = 'supply'")
_ITEMS = sa.text("SELECT sku, gtin, name, category FROM items WHERE store_id = :store AND managed = 1")
_PRICES = sa.text(
    """SELECT p.sku, p.from_ms, p.price_cents FROM items i JOIN prices p ON p.store_id = i.store_id AND p.sku = i.sku
    WHERE i.store_id = :store AND i.managed = 1 ORDER BY p.sku, p.from_ms"""
)
_LISTINGS = sa.text(
    """SELECT sku, from_ms, change FROM assortment WHERE store_id = :store AND change IN ('list', 'delist')
    ORDER BY sku, from_ms, change DESC"""
)
_STOCK = sa.text(
    "SELECT sku, on_hand_units, on_shelf_units, at_ms, shrink_units FROM stock WHERE store_id = :store"
)
_TRIGGERS = sa.text(
    """SELECT trigger_id, number, revision, sku, supplier, state, quantity_units, shipped_units, despatch, created_ms,
    changed_ms, expires_ms, arrives_day, kind, due_ms, agreed_revision, agreed_units FROM triggers WHERE store_id = :store AND state IN :states"""
).bindparams(sa.bindparam("states", expanding=True, type_=sa.Text()))
_ORDERS = sa.text(
    """SELECT order_number, sku, quantity_units, despatch, arrives_day, at_ms FROM outside_orders
    WHERE store_id = :store AND state = 'open'"""
)
_POSITIONS = sa.text("SELECT gateway, epoch, through_seq, ordinal FROM positions WHERE store_id = :store")
_IDENTITIES = sa.text("SELECT gateway, run, replaced, since_ms FROM identities WHERE store_id = :store")
_RECEIPTS = sa.text(
    """SELECT register_id, business_date, max(sequence) AS highest FROM receipts WHERE store_id = :store
    GROUP BY business_date, register_id ORDER BY business_date DESC LIMIT :days"""
)
_FORECASTS = sa.text(
    """SELECT f.sku, f.first_day, f.mean, f.quantiles FROM forecasts f JOIN (SELECT sku, max(first_day) AS first_day
    FROM forecasts WHERE store_id = :store GROUP BY sku) newest ON newest.sku = f.sku
    AND newest.first_day = f.first_day WHERE f.store_id = :store"""
)
_RAISED = sa.text(
    """SELECT sku, max(created_ms) AS created_ms FROM triggers WHERE store_id = :store
    AND state NOT IN ('cancelled', 'rejected', 'expired') GROUP BY sku"""
)
_SWITCHES = sa.text('SELECT scope, target, reason FROM kill_switches WHERE "on" = 1')
_NUMBERS = {
    "trigger": sa.text("SELECT max(number) FROM triggers WHERE store_id = :store"),
    "coupon": sa.text("SELECT max(number) FROM coupons WHERE store_id = :store"),
    "coupon_event": sa.text("SELECT max(number) FROM coupon_events WHERE store_id = :store"),
    "quarantine": sa.text("SELECT max(number) FROM quarantine WHERE store_id = :store"),
    "audit": sa.text("SELECT max(number) FROM audit WHERE store_id = :store"),
    "event": sa.text("SELECT max(number) FROM outgoing WHERE store_id = :store"),
}
_AUDIT_HASH = sa.text("SELECT hash FROM audit WHERE store_id = :store AND number = :number")
