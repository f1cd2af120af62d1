"""How far an order placed now reaches, and what is on its way or in hand until then: the times that the order graph asks for.

Times are days of demand from now: what is left of today counts as its share, later days as whole ones from their morning on.
"""

from dataclasses import dataclass
from datetime import date

from contract.documents import OrderSlot
from contract.records import MAX_HORIZON_DAYS
from edge.core.lean import SupplyRow

Timed = tuple[tuple[float, float], ...]
"""(days from now, units)."""
Aged = tuple[tuple[float | None, float], ...]
"""(days until it expires, units); None: it keeps, or nobody knows since when it is here."""


@dataclass(frozen=True, slots=True)
class Reach:
    """lead_days: until the order arrives. cover_days: from then until the next one can. arrivals: of earlier orders.

    on_hand: None is unknown.
    """

    lead_days: float
    cover_days: float
    arrivals: Timed
    on_hand: Aged | None


def reach_of(
    supply: SupplyRow,
    slots: list[OrderSlot],
    *,
    now_ms: int,
    today: date,
    share_left: float,
    on_hand: Aged | None,
) -> Reach:
    """slots: of the line's supplier; without two that are still to come the line's own days count."""
    ahead = [slot.arrives_day for slot in slots if slot.until_ms > now_ms]
    days = sorted({max(0.0, _until(day, today, share_left)) for day in ahead})
    if len(days) >= 2:
        lead, cover = min(days[0], MAX_HORIZON_DAYS - 1.0), days[1] - days[0]
    else:
        lead, cover = float(supply.lead_time_days), float(supply.review_days)
    cover = min(cover, MAX_HORIZON_DAYS - lead)
    return Reach(lead, cover, _arrivals(supply, lead, today, share_left), on_hand)


def _arrivals(supply: SupplyRow, lead_days: float, today: date, share_left: float) -> Timed:
    """What is due today or late comes before the day ends; of what nobody knows when, half the lead time is guessed."""
    told = [(part.day, part.units) for part in supply.on_order if part.units]
    untold = supply.on_order_units - sum(units for _, units in told)
    found = [
        (lead_days / 2 if day is None else max(share_left, _until(day, today, share_left)), float(units))
        for day, units in told
    ]
    if untold > 0:
        found.append((lead_days / 2, float(untold)))
    return tuple(found)


def _until(day: str, today: date, share_left: float) -> float:
    return (date.fromisoformat(day) - today).days - 1 + share_left
