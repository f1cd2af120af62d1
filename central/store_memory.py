"""What one store is to the writer, between its batches: levels, orders on their way, positions, what decisions look at."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from central.core.audit_chain import FIRST
from central.core.days import utc_text
from central.core.identity import Identities
from central.core.lifecycle import ON_ORDER
from central.core.rollups import RollupSums
from contract.api.restock import TriggerState
from contract.documents import SupplyLine

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


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A part of what is on order. at_ms: when it was ordered, or just before the freeze until which it is held. arrives_day: as somebody said.

    supplier, kind: of a trigger; "" of an order made outside.
    """

    units: int
    at_ms: int
    arrives_day: str | None
    supplier: str = ""
    kind: str = ""


@dataclass(slots=True)
class Forecast:
    """The newest forecast of a SKU: mean and 90 % quantile a day from first_day on."""

    first_day: str
    mean: list[float]
    high: list[float]


@dataclass(slots=True)
class Position:
    """unsummed_from: the first seq whose windows and stock facts are not in the ledger's sums yet; None: all are."""

    through_seq: int
    ordinal: int
    unsummed_from: int | None = None


@dataclass(slots=True)
class Unsummed:
    """What windows and stock facts of the last batches add to the store's sums; see `central.summing`.

    since_ms: when the first of it came; 0 of what was read from the ledger's facts again.
    """

    sums: RollupSums
    since_ms: int
    batches: int = 0


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
    unsummed: Unsummed | None = None
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

    def on_order_by_sku(self) -> dict[str, list[OnItsWay]]:
        """Each order on its way, by SKU."""
        found: dict[str, list[OnItsWay]] = {}
        for trigger in self.triggers.values():
            if trigger.state in ON_ORDER:
                held_ms = trigger.held_until_ms
                part = OnItsWay(
                    trigger.on_order_units, trigger.created_ms if held_ms is None else held_ms - 1,
                    trigger.arrives_day, trigger.supplier, trigger.kind,
                )  # fmt: skip
                found.setdefault(trigger.sku, []).append(part)
        for (_, sku), order in self.orders.items():
            found.setdefault(sku, []).append(OnItsWay(order.quantity_units, order.at_ms, order.arrives_day))
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
