"""Orders that were really made on stored days: what a replay's own orders are seen beside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from central.core.days import day_of
from central.ledger import played_rows
from central.ledger.played_rows import Span

WENT = frozenset({"approved", "sent", "acknowledged", "ordered", "shipped", "received", "closed"})


@dataclass(frozen=True, slots=True)
class MadeOrders:
    """Of one day. asked: those that a person had to decide. Cost is of triggers alone: of outside orders none is known."""

    orders: int = 0
    ordered_units: int = 0
    ordered_cents: int = 0
    emergencies: int = 0
    asked: int = 0

    def __add__(self, other: "MadeOrders") -> "MadeOrders":
        return MadeOrders(
            self.orders + other.orders, self.ordered_units + other.ordered_units,
            self.ordered_cents + other.ordered_cents, self.emergencies + other.emergencies, self.asked + other.asked,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """One order that went out or is approved. on_hand_units: as the gateway told it. pack_units: then; None: not known."""

    sku: str
    at_ms: int
    quantity_units: int
    value_cents: int
    doubt: str
    on_hand_units: int | None
    pack_units: int | None
    by_hand: bool = False
    is_emergency: bool = False


def made_list(connection: Connection, span: Span, skus: Collection[str]) -> list[Made]:
    """Of `skus` alone: orders that went out or are approved, and those placed outside. No transfers."""
    kept = set(skus)
    found = [
        Made(row.sku, row.created_ms, row.quantity_units, row.value_cents, row.doubt, row.on_hand_units, row.pack_units,
             is_emergency=row.kind == "emergency")
        for row in played_rows.triggers(connection, span)
        if row.sku in kept and row.state in WENT and row.kind != "transfer"
    ]  # fmt: skip
    found += [
        Made(row.sku, row.at_ms, row.quantity_units, 0, "", None, None, by_hand=True)
        for row in played_rows.outside_orders(connection, span)
        if row.sku in kept
    ]
    return found


def made_by_day(made: Sequence[Made], dates: Sequence[date], zone: ZoneInfo) -> list[MadeOrders]:
    """One entry a date."""
    found = {day.isoformat(): MadeOrders() for day in dates}
    for one in made:
        found[day_of(one.at_ms, zone)] += MadeOrders(
            1, one.quantity_units, one.value_cents, int(one.is_emergency), int(one.doubt != "")
        )
    return [found[day.isoformat()] for day in dates]
