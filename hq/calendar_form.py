"""What a person types about a supplier's calendar, and the calendar that it makes or what is wrong with it, field by field."""

import re
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contract.api.suppliers import SupplierPut, SupplierView
from contract.ids import ID_PATTERN
from hq.words import counted, zone_name

WEEKDAYS = {0: "Mon", 1: "Tue", 2: "Wed", 3: "Thu", 4: "Fri", 5: "Sat", 6: "Sun"}
MAX_CLOSED_DAYS = 200
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Typed:
    """As it stands in the fields. cutoff: HH:MM. closed_days: ISO, a line each. emergency_lead_days: None for no emergency lane."""

    supplier: str
    name: str
    timezone: str
    order_weekdays: tuple[int, ...]
    cutoff: str
    freeze_min: float | None
    lead_time_days: float | None
    delivery_weekdays: tuple[int, ...]
    closed_days: str
    emergency_lead_days: float | None


NEW = Typed("", "", "", (0, 1, 2, 3, 4), "14:00", 0, 1, (0, 1, 2, 3, 4, 5, 6), "", None)


def typed_from(view: SupplierView) -> Typed:
    """The fields of a supplier as it is."""
    return Typed(
        view.supplier, view.name, view.timezone, tuple(view.order_weekdays),
        f"{view.cutoff_minute // 60:02d}:{view.cutoff_minute % 60:02d}", view.freeze_min, view.lead_time_days,
        tuple(view.delivery_weekdays), "\n".join(view.closed_days), view.emergency_lead_days,
    )  # fmt: skip


def calendar_of(typed: Typed) -> SupplierPut | dict[str, str]:
    """The calendar, or for each field of `Typed` that is wrong what is."""
    wrong: dict[str, str] = {}
    if not re.fullmatch(ID_PATTERN, typed.supplier):
        wrong["supplier"] = "Small letters, digits and hyphens, as orders name the supplier."
    if not 1 <= len(typed.name.strip()) <= 100:
        wrong["name"] = "1 to 100 characters."
    if not _is_zone(typed.timezone):
        wrong["timezone"] = "A name such as Europe/Berlin."
    for field, days in (
        ("order_weekdays", typed.order_weekdays),
        ("delivery_weekdays", typed.delivery_weekdays),
    ):
        if not days:
            wrong[field] = "At least one day."
    time = _TIME.fullmatch(typed.cutoff.strip())
    if time is None:
        wrong["cutoff"] = "A time of day such as 14:30."
    for field, value, most in (
        ("freeze_min", typed.freeze_min, 1440),
        ("lead_time_days", typed.lead_time_days, 21),
        ("emergency_lead_days", typed.emergency_lead_days, 21),
    ):
        may_lack = field == "emergency_lead_days"
        if not (may_lack and value is None) and not _is_whole(value, most):
            wrong[field] = f"A whole number from 0 to {most}{', or empty for none' if may_lack else ''}."
    closed, bad = _days(typed.closed_days)
    if bad:
        wrong["closed_days"] = f"{bad} is no day such as 2026-12-25; one a line."
    elif len(closed) > MAX_CLOSED_DAYS:
        wrong["closed_days"] = (
            f"{len(closed)} days are more than {MAX_CLOSED_DAYS}; leave out those that are over."
        )
    if wrong or time is None:
        return wrong
    return SupplierPut(
        name=typed.name.strip(), timezone=typed.timezone, order_weekdays=sorted(typed.order_weekdays),
        cutoff_minute=int(time[1]) * 60 + int(time[2]), lead_time_days=int(typed.lead_time_days or 0),
        freeze_min=int(typed.freeze_min or 0), delivery_weekdays=sorted(typed.delivery_weekdays), closed_days=closed,
        emergency_lead_days=None if typed.emergency_lead_days is None else int(typed.emergency_lead_days),
    )  # fmt: skip


def consequence(now: SupplierPut | None, then: SupplierPut, held_orders: int) -> str:
    """What saving does, before the click."""
    until = f"{then.cutoff_minute // 60:02d}:{then.cutoff_minute % 60:02d} {zone_name(then.timezone)}"
    said = (
        f"Orders are held and merged until {until} on {counted(len(then.order_weekdays), 'day')} a week; the goods are in the "
        f"shop {counted(then.lead_time_days, 'day')} later, or with the next lorry."
    )
    if now is None:
        said += " Until now its orders went out as soon as they were approved."
    elif held_orders:
        said += f" {counted(held_orders, 'order')} held for the cut-off of before go out then."
    return said


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)


def _is_whole(value: float | None, most: int) -> bool:
    return value is not None and float(value).is_integer() and 0 <= value <= most


def _days(text: str) -> tuple[list[str], str]:
    """The days, sorted and each once; and the first word that is none."""
    found: set[str] = set()
    for word in re.split(r"[\s,;]+", text.strip()):
        if not word:
            continue
        try:
            found.add(date.fromisoformat(word).isoformat())
        except ValueError:
            return [], word[:20]
    return sorted(found), ""
