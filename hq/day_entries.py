"""What a calendar holds as a person reads it: one entry for a holiday, or for all goods of a promotion; and as rows of a file."""

import csv
import io
from dataclasses import dataclass
from datetime import date

from contract.api.calendars import CalendarEntry, CalendarRemoval
from contract.api.stores import SkuSeries, SkuView
from contract.calendar import Calendar
from hq.words import counted, day, local, zone_from_name

KINDS = {
    "holiday": "Holiday",
    "school_holiday": "School holiday",
    "event": "Event",
    "payday": "Payday",
    "promotion": "Promotion",
}
"""Kinds of entries that a person sets; the weather comes from files alone."""
COLUMNS = (
    "kind", "from_day", "until_day", "sku", "category", "discount_percent", "rain_mm", "temperature_c", "name",
)  # fmt: skip
"""Of the centre's file (docs/remote-configuration.md)."""
_NAMED_GOODS = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """goods: of a promotion, ("sku" or "category", its name, discount in percent or None); () otherwise."""

    kind: str
    from_day: str
    until_day: str
    name: str
    goods: tuple[tuple[str, str, int | None], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.from_day} {self.until_day} {self.kind} {self.name}"

    def includes(self, day_text: str) -> bool:
        return self.from_day <= day_text <= self.until_day


def entries_of(calendar: Calendar) -> list[Entry]:
    """By their days; a promotion's goods of one name and the same days are one entry, whatever each has off."""
    found = [Entry(each.kind.value, each.from_day, each.until_day, each.name) for each in calendar.days]
    goods: dict[tuple[str, str, str], list[tuple[str, str, int | None]]] = {}
    for each in calendar.promotions:
        of = goods.setdefault((each.from_day, each.until_day, each.name), [])
        of += [("category", category, each.discount_percent) for category in each.categories]
        of += [("sku", sku, each.discount_percent) for sku in each.skus]
    found += [
        Entry("promotion", *key, tuple(sorted(of, key=lambda good: good[:2]))) for key, of in goods.items()
    ]
    return sorted(found, key=lambda entry: (entry.from_day, entry.until_day, entry.kind, entry.name))


def file_of(entries: list[Entry], calendar: Calendar | None = None) -> str:
    """The rows of the entries, and of the calendar's weather, as the centre takes them."""
    buffer = io.StringIO()
    write = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    write.writeheader()
    for entry in entries:
        span = {
            "kind": entry.kind,
            "from_day": entry.from_day,
            "until_day": entry.until_day,
            "name": entry.name,
        }
        if entry.kind != "promotion":
            write.writerow(span)
        for what, good, off in entry.goods:
            write.writerow({**span, what: good, "discount_percent": "" if off is None else off})
    for each in () if calendar is None else calendar.weather:
        weather = {"rain_mm": each.rain_mm, "temperature_c": each.temperature_c}
        told = {name: value for name, value in weather.items() if value is not None}
        if told:
            write.writerow({"kind": "weather", "from_day": each.day, **told})
    return buffer.getvalue()


def removal_of(entry: Entry) -> CalendarRemoval:
    """What takes the entry out, and no other promotion of the same days."""
    one = CalendarEntry.model_validate(
        {"kind": entry.kind, "from_day": entry.from_day, "until_day": entry.until_day, "name": entry.name}
    )
    return CalendarRemoval(entries=[one])


def removal_after_change(before: Entry, after: Entry) -> CalendarRemoval | None:
    """What is left of the entry as it was once the rows of `after` are taken in; None for nothing.

    Rows of the same kind, days and goods are replaced by then; those of other days, or of goods that are no longer named, are not.
    """
    if (before.kind, before.from_day, before.until_day) != (after.kind, after.from_day, after.until_day):
        return removal_of(before)
    kept = {(what, good) for what, good, _ in after.goods}
    span = {"kind": before.kind, "from_day": before.from_day, "until_day": before.until_day}
    gone = [
        CalendarEntry.model_validate({**span, what: good})
        for what, good, _ in before.goods
        if (what, good) not in kept
    ]
    return CalendarRemoval(entries=gone) if gone else None


def days_text(entry: Entry) -> str:
    """`Sat 3 May`, or `Sat 3 May – Fri 9 May`."""
    first = day(entry.from_day)
    return first if entry.from_day == entry.until_day else f"{first} – {day(entry.until_day)}"


def when_text(entry: Entry, today: str) -> str:
    """`in 3 days`, `now`, `over`."""
    if entry.until_day < today:
        return "over"
    ahead = (date.fromisoformat(entry.from_day) - date.fromisoformat(today)).days
    return "now" if ahead <= 0 else f"in {counted(ahead, 'day')}"


def goods_text(entry: Entry) -> str:
    """`Nuts, 900003 and 32 more`; empty where the entry is of no goods."""
    names = [good for _, good, _ in entry.goods]
    shown = ", ".join(names[:_NAMED_GOODS])
    return shown + (f" and {len(names) - _NAMED_GOODS:,} more" if len(names) > _NAMED_GOODS else "")


def off_text(entry: Entry) -> str:
    """`20 % off`, `10 to 30 % off`; empty where nothing is said of a discount."""
    known = sorted({off for _, _, off in entry.goods if off})
    if not known:
        return ""
    return f"{known[0]} % off" if len(known) == 1 else f"{known[0]} to {known[-1]} % off"


def told(entry: Entry) -> str:
    """In a sentence: `Promotion Leaflet 51, Sat 3 May – Fri 9 May`."""
    return f"{KINDS[entry.kind]}{f' {entry.name}' if entry.name else ''}, {days_text(entry)}"


def told_days(calendar: Calendar | None, sku: SkuView, series: SkuSeries) -> dict[str, str]:
    """Day to what the calendar says of the SKU then, for the days of its history and forecast; ordinary days are left out."""
    if calendar is None:
        return {}
    zone = zone_from_name(series.timezone)
    days = {local(point.at_ms, zone).date().isoformat() for point in series.points}
    days |= {point.day for point in series.forecast}
    told = {day: ", ".join(calendar.told_of(sku.sku, sku.category, day)) for day in sorted(days)}
    return {day: words for day, words in told.items() if words}
