"""The calendar of stores: what is known beforehand of their days."""

from typing import Annotated, Literal

from pydantic import Field

from contract.api.common import ApiModel
from contract.api.masters import ImportReport
from contract.calendar import Calendar
from contract.devices import Text
from contract.ids import DayText, SkuText

MAX_REMOVED = 1000


class CalendarView(ApiModel):
    """version: of the document that the store's gateways get. set_by, set_ms: who set it last and when, as the audit has it."""

    store: str
    version: int
    calendar: Calendar
    set_by: str = ""
    set_ms: int | None = None


class StoreCalendar(ApiModel):
    """version: of the store's calendar, None where it has none. differs: from what is kept for its region or the chain."""

    store: str
    version: int | None = None
    differs: bool = False


class KeptCalendar(ApiModel):
    """What is kept of the region, or of the chain (region None), for stores that open later; and which of its stores have it.

    calendar: None where nothing was put for all of them yet; the stores may still have calendars of their own.
    """

    region: str | None
    version: int | None = None
    calendar: Calendar | None = None
    set_by: str = ""
    set_ms: int | None = None
    stores: list[StoreCalendar] = []


class CalendarEntry(ApiModel):
    """What to remove: every row of that kind with exactly these days; narrower where name, sku or category are given."""

    kind: Literal["holiday", "school_holiday", "event", "payday", "promotion", "weather"]
    from_day: DayText
    until_day: DayText
    name: Text | None = None
    sku: SkuText | None = None
    category: Text | None = None


class CalendarRemoval(ApiModel):
    entries: Annotated[list[CalendarEntry], Field(min_length=1, max_length=MAX_REMOVED)]


class StoreVersion(ApiModel):
    store: str
    version: int


class CalendarsPut(ApiModel):
    """A calendar was set for all stores of a region, or of the chain."""

    stores: list[StoreVersion]


class CalendarsReport(ApiModel):
    """A file was taken into the calendars of all stores of a region, or of the chain: what became of it in each."""

    stores: dict[str, ImportReport]


class CalendarsRemoved(ApiModel):
    """Rows that were removed from the calendar of each store of a region, or of the chain."""

    stores: dict[str, int]
