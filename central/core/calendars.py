"""The calendar as a CSV file, row by row, and a calendar with the rows of a file taken in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from central.core.masters import BadRowError, Read, number_in, read_rows
from contract.api.calendars import CalendarEntry
from contract.api.masters import RowProblem
from contract.calendar import Calendar, CalendarDays, DayKind, DayWeather, Promotion
from contract.devices import Text
from contract.ids import DayText, SkuText
from contract.message import Message

CALENDAR_COLUMNS = (
    "kind", "from_day", "until_day", "sku", "category", "discount_percent", "rain_mm", "temperature_c", "name",
)  # fmt: skip
PROMOTION: Final = "promotion"
WEATHER: Final = "weather"


class CalendarRow(Message):
    """One line: a kind of day, a promotion of one SKU or category, or the weather of from_day."""

    kind: Literal["holiday", "school_holiday", "event", "payday", "promotion", "weather"]
    from_day: DayText
    until_day: DayText
    sku: SkuText | None = None
    category: Text | None = None
    discount_percent: Annotated[int, Field(ge=0, le=95)] | None = None
    rain_mm: Annotated[float, Field(ge=0, le=500)] | None = None
    temperature_c: Annotated[float, Field(ge=-60, le=60)] | None = None
    name: Text = ""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.until_day < self.from_day:
            raise ValueError(f"until_day {self.until_day} lies before from_day {self.from_day}")
        if (self.kind == PROMOTION) != (self.sku is not None or self.category is not None):
            raise ValueError("a promotion names a sku or a category, and nothing else does")
        if self.discount_percent is not None and self.kind != PROMOTION:
            raise ValueError("only a promotion has a discount_percent")
        if (self.kind == WEATHER) != (self.rain_mm is not None or self.temperature_c is not None):
            raise ValueError("weather gives rain_mm or temperature_c, and nothing else does")
        if self.kind == WEATHER and self.until_day != self.from_day:
            raise ValueError("weather is of one day: leave until_day empty")
        return self

    @property
    def key(self) -> str:
        """What a later row with the same key replaces."""
        of_goods = f" {self.sku or ''} {self.category or ''}" if self.kind == PROMOTION else ""
        return f"{self.kind} {self.from_day} {self.until_day}{of_goods}"


@dataclass(frozen=True, slots=True)
class Merged:
    """A calendar with the rows of a file in it, and what they made of it."""

    calendar: Calendar
    added: int
    changed: int


def calendar_from_csv(text: str) -> Read[CalendarRow]:
    """Raises BadFileError. kind and from_day are required; an empty until_day is from_day. A row that stands twice counts once."""

    def row(line: int, cells: Mapping[str, str]) -> tuple[str, CalendarRow]:
        values: dict[str, Any] = {name: text for name, text in cells.items() if text}
        values.setdefault("until_day", values.get("from_day", ""))
        for name in ("rain_mm", "temperature_c"):
            if name in values:
                values[name] = number_in(line, name, values[name])
        if "discount_percent" in values:
            percent = number_in(line, "discount_percent", values["discount_percent"])
            if not percent.is_integer():
                what = f"must be a whole number, got {percent:g}"
                raise BadRowError(RowProblem(line=line, column="discount_percent", what=what))
            values["discount_percent"] = int(percent)
        made = CalendarRow.model_validate(values)
        return made.key, made

    return read_rows(text, CALENDAR_COLUMNS, CALENDAR_COLUMNS[:2], row, lambda _line, _row: None)


def merged(known: Calendar | None, rows: Iterable[CalendarRow]) -> Merged:
    """The span grows to hold the rows' days; rows that the file does not name stay.

    Raises ValueError when the whole would be more than a calendar may hold.
    """
    by_key = {} if known is None else {row.key: row for row in rows_of(known)}
    added = changed = 0
    for row in rows:
        before = by_key.get(row.key)
        added, changed = added + (before is None), changed + (before is not None and before != row)
        by_key[row.key] = row
    every = list(by_key.values())
    spans = [(row.from_day, row.until_day) for row in every if row.kind != WEATHER]
    if known is not None:
        spans.append((known.from_day, known.until_day))
    if not spans:  # weather alone
        spans = [(row.from_day, row.until_day) for row in every]
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    return Merged(_calendar(every, first, last), added, changed)


def without(known: Calendar, entries: Sequence[CalendarEntry]) -> tuple[Calendar, int]:
    """The calendar without the rows that an entry is about, and how many those were. Its span stays: days without a row are ordinary ones."""
    rows = rows_of(known)
    kept = [row for row in rows if not any(_is_about(entry, row) for entry in entries)]
    if len(kept) == len(rows):
        return known, 0
    return _calendar(kept, known.from_day, known.until_day), len(rows) - len(kept)


def _is_about(entry: CalendarEntry, row: CalendarRow) -> bool:
    same = (entry.kind, entry.from_day, entry.until_day) == (row.kind, row.from_day, row.until_day)
    return (
        same
        and entry.name in {None, row.name}
        and entry.sku in {None, row.sku}
        and entry.category in {None, row.category}
    )


def rows_of(calendar: Calendar) -> list[CalendarRow]:
    """Every entry as a line of a file."""
    rows = [
        CalendarRow.model_validate(
            {
                "kind": each.kind.value,
                "from_day": each.from_day,
                "until_day": each.until_day,
                "name": each.name,
            }
        )
        for each in calendar.days
    ]
    for each in calendar.promotions:
        goods: list[dict[str, str]] = [{"sku": sku} for sku in each.skus]
        goods += [{"category": category} for category in each.categories]
        span = {"kind": PROMOTION, "from_day": each.from_day, "until_day": each.until_day, "name": each.name}
        off = {"discount_percent": each.discount_percent}
        rows += [CalendarRow.model_validate({**span, **off, **one}) for one in goods]
    rows += [
        CalendarRow(kind=WEATHER, from_day=each.day, until_day=each.day, rain_mm=each.rain_mm, temperature_c=each.temperature_c)
        for each in calendar.weather
        if each.rain_mm is not None or each.temperature_c is not None
    ]  # fmt: skip
    return rows


def _calendar(rows: list[CalendarRow], first: str, last: str) -> Calendar:
    promoted: dict[tuple[str, str, int | None, str], list[CalendarRow]] = {}
    for row in rows:
        if row.kind == PROMOTION:
            promoted.setdefault((row.from_day, row.until_day, row.discount_percent, row.name), []).append(row)
    return Calendar(
        from_day=first, until_day=last,
        days=[
            CalendarDays(kind=DayKind(row.kind), from_day=row.from_day, until_day=row.until_day, name=row.name)
            for row in sorted(rows, key=lambda row: row.key)
            if row.kind not in {PROMOTION, WEATHER}
        ],
        promotions=[
            Promotion(
                from_day=key[0], until_day=key[1], discount_percent=key[2], name=key[3],
                skus=sorted(row.sku for row in of if row.sku is not None),
                categories=sorted(row.category for row in of if row.category is not None),
            )
            for key, of in sorted(promoted.items(), key=lambda item: (item[0][:2], str(item[0][2:])))
        ],
        weather=[
            DayWeather(day=row.from_day, rain_mm=row.rain_mm, temperature_c=row.temperature_c)
            for row in sorted(rows, key=lambda row: row.from_day)
            if row.kind == WEATHER
        ],
    )  # fmt: skip
