"""How far an order placed now reaches: until it comes, and until the one after it can. As the gateways reckon it.

Times are days of demand from now: what is left of today counts as its share, later days as whole ones from their morning on.
"""

from datetime import date

from central.core.supplier_calendar import SupplierCalendar
from contract.records import MAX_HORIZON_DAYS

SLOTS = 3
"""Cut-offs that are looked at: two days of delivery among them are enough."""


def until(day: date, today: date, share_left: float) -> float:
    """Days of demand from now to the morning of `day`."""
    return (day - today).days - 1 + share_left


def reach_days(
    calendar: SupplierCalendar | None, lead_time_days: int, review_days: int, *, now_ms: int, today: date, share_left: float
) -> tuple[float, float]:  # fmt: skip
    """(until this order comes, from then until the next one can). Without two days of delivery ahead, by the line's own days."""
    days = sorted(_deliveries(calendar, now_ms, today, share_left))
    if len(days) >= 2:
        lead, cover = min(days[0], MAX_HORIZON_DAYS - 1.0), days[1] - days[0]
    else:
        lead, cover = float(lead_time_days), float(review_days)
    return lead, min(cover, MAX_HORIZON_DAYS - lead)


def _deliveries(calendar: SupplierCalendar | None, now_ms: int, today: date, share_left: float) -> set[float]:
    found: set[float] = set()
    at_ms = now_ms
    for _ in range(SLOTS * 7):
        cutoff_ms = None if calendar is None else calendar.next_cutoff_ms(at_ms)
        if calendar is None or cutoff_ms is None or len(found) >= 2:
            break
        found.add(max(0.0, until(calendar.delivery_day(cutoff_ms), today, share_left)))
        at_ms = cutoff_ms - calendar.freeze_min * 60_000
    return found
