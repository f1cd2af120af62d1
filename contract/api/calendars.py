"""The calendar of stores: what is known beforehand of their days."""

from contract.api.common import ApiModel
from contract.api.masters import ImportReport
from contract.calendar import Calendar


class CalendarView(ApiModel):
    """version: of the document that the store's gateways get."""

    store: str
    version: int
    calendar: Calendar


class StoreVersion(ApiModel):
    store: str
    version: int


class CalendarsPut(ApiModel):
    """A calendar was set for all stores of a region, or of the chain."""

    stores: list[StoreVersion]


class CalendarsReport(ApiModel):
    """A file was taken into the calendars of all stores of a region, or of the chain: what became of it in each."""

    stores: dict[str, ImportReport]
