"""Calendars: holidays, promotions and weather, for a store, a region or the chain; as JSON whole, as CSV row by row."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from central.access import Principal, Scope
from central.api.csv_file import take_csv, takes_csv
from central.api.gate import FromHqOrSystem, FromReaders, TheCentre, scoped
from central.api.json_body import described, json_body
from central.api.stores import StorePath
from central.calendars import KIND, calendar_in, import_calendar, put_calendar, remove_entries, says
from central.centre import Centre
from central.context import CHAIN, Work
from central.core.calendars import CALENDAR_COLUMNS, CalendarRow, calendar_from_csv
from central.core.masters import Read
from central.errors import NotFoundError
from central.kept_calendars import drop_kept_entries, keep_calendar, keep_rows, kept_calendar
from central.ledger import restock_views, store_rows
from contract.api import Accepted
from contract.api.calendars import (
    CalendarRemoval,
    CalendarsPut,
    CalendarsRemoved,
    CalendarsReport,
    CalendarView,
    KeptCalendar,
    StoreCalendar,
    StoreVersion,
)
from contract.api.masters import ImportReport
from contract.calendar import Calendar
from contract.documents import DocumentKind

router = APIRouter(prefix="/v1", tags=["calendar"])

Region = Annotated[
    str | None, Query(max_length=60, description="the stores of this region; all stores without it")
]
FromCalendarKeepers = Annotated[Principal, scoped(Scope.HQ, Scope.SYSTEM, by_store=True)]
"""Who may set all stores' calendars may set one store's."""
CalendarBody = Annotated[Calendar, Depends(json_body(Calendar))]
EXAMPLE = (
    "kind,from_day,until_day,sku,category,discount_percent,name\n"
    "holiday,2026-12-25,2026-12-26,,,,Christmas\npromotion,2026-12-14,2026-12-20,4011,,20,Leaflet 51\n"
)


@router.get("/stores/{store}/calendar")
def get_store_calendar(store: StorePath, _: FromReaders, centre: TheCentre) -> CalendarView:
    """As the store's gateways get it."""
    with centre.ledger.read.connect() as connection:
        row = store_rows.document(connection, store, DocumentKind.CALENDAR)
        set_by, set_ms = restock_views.last_act(connection, store, "put-calendar", store) or ("", None)
    if row is None:
        raise NotFoundError(f"store {store} has no calendar; put one with PUT /v1/stores/{store}/calendar")
    calendar = calendar_in(row[1])
    return CalendarView(store=store, version=row[0], calendar=calendar, set_by=set_by, set_ms=set_ms)


@router.put("/stores/{store}/calendar", openapi_extra=described(Calendar))
def put_store_calendar(
    store: StorePath, principal: FromCalendarKeepers, put: CalendarBody, centre: TheCentre
) -> Accepted:
    """The whole calendar: what stood there before and is not in it is gone."""
    version = centre.call_store(store, lambda work: put_calendar(work, put, principal.name))
    return Accepted(accepted=_entries(put), version=version)


@router.post("/stores/{store}/calendar", openapi_extra=takes_csv(CALENDAR_COLUMNS, EXAMPLE))
async def import_store_calendar(
    store: StorePath, request: Request, principal: FromCalendarKeepers, centre: TheCentre
) -> ImportReport:
    """Adds and changes rows of the store's calendar. Those that the file does not name stay as they are."""
    return await take_csv(
        request,
        calendar_from_csv,
        lambda read: centre.call_store(store, lambda work: import_calendar(work, read, principal.name)),
    )


@router.post("/stores/{store}/calendar/remove")
def remove_from_store_calendar(
    store: StorePath, removal: CalendarRemoval, principal: FromCalendarKeepers, centre: TheCentre
) -> Accepted:
    """Takes rows out of the store's calendar; the others stay. `accepted` is how many it had of them."""
    removed, version = centre.call_store(
        store, lambda work: remove_entries(work, removal.entries, principal.name)
    )
    return Accepted(accepted=removed, version=version)


@router.get("/calendar")
def get_kept_calendar(_: FromHqOrSystem, centre: TheCentre, region: Region = None) -> KeptCalendar:
    """What a store of the region, or of the chain, that opens now would get, and which stores have it or another."""
    with centre.ledger.read.connect() as connection:
        kept = kept_calendar(connection, region)
        stores = [
            _standing(store, document, kept[2] if kept else None)
            for store, document in store_rows.documents_of(connection, region, KIND)
        ]
        if kept is None:
            return KeptCalendar(region=region, stores=stores)
        set_by, set_ms = restock_views.last_act(connection, CHAIN, "keep-calendar", kept[0]) or ("", None)
    return KeptCalendar(
        region=region, version=kept[1], calendar=kept[2], set_by=set_by, set_ms=set_ms, stores=stores
    )


@router.put("/calendar", openapi_extra=described(Calendar))
def put_calendars(
    principal: FromHqOrSystem, put: CalendarBody, centre: TheCentre, region: Region = None
) -> CalendarsPut:
    """The whole calendar of every store of the region, or of the chain, and of those that open later."""
    stores = _stores(centre, region, lambda work: keep_calendar(work, region, put, principal.name))
    done = [
        StoreVersion(store=store, version=centre.call_store(store, lambda work: put_calendar(work, put, principal.name)))
        for store in stores
    ]  # fmt: skip
    return CalendarsPut(stores=done)


@router.post("/calendar", openapi_extra=takes_csv(CALENDAR_COLUMNS, EXAMPLE))
async def import_calendars(
    request: Request, principal: FromHqOrSystem, centre: TheCentre, region: Region = None
) -> CalendarsReport:
    """Adds and changes rows in the calendar of every store of the region, or of the chain, and of those that open later; a store's own rows stay."""

    def take(read: Read[CalendarRow]) -> CalendarsReport:
        good = [row.value for row in read.good]
        stores = _stores(centre, region, lambda work: keep_rows(work, region, good, principal.name))
        reports: dict[str, Any] = {
            store: centre.call_store(store, lambda work: import_calendar(work, read, principal.name))
            for store in stores
        }
        return CalendarsReport(stores=reports)

    return await take_csv(request, calendar_from_csv, take)


@router.post("/calendar/remove")
def remove_from_calendars(
    removal: CalendarRemoval, principal: FromHqOrSystem, centre: TheCentre, region: Region = None
) -> CalendarsRemoved:
    """Takes rows out of the calendar of every store of the region, or of the chain, and of what is kept for those that open later."""
    entries, who = removal.entries, principal.name
    stores = _stores(centre, region, lambda work: drop_kept_entries(work, region, entries, who))
    removed = {
        store: centre.call_store(store, lambda work: remove_entries(work, entries, who))[0]
        for store in stores
    }
    return CalendarsRemoved(stores=removed)


def _standing(store: str, row: tuple[int, str] | None, kept: Calendar | None) -> StoreCalendar:
    if row is None:
        return StoreCalendar(store=store, differs=kept is not None)
    return StoreCalendar(store=store, version=row[0], differs=kept is None or not says(row[1], row[0], kept))


def _stores(centre: Centre, region: str | None, keep: Callable[[Work], None]) -> list[str]:
    """Those of the region, or of the chain. keep: what is done first for those that open later.

    They are listed after that, so that one that opens meanwhile has the calendar from the list or from what is kept.
    """

    def listed() -> list[str]:
        with centre.ledger.read.connect() as connection:
            return store_rows.stores_of(connection, region)

    if not listed():
        where = "the chain has no store" if region is None else f"region {region!r} has no store"
        raise NotFoundError(f"{where}; GET /v1/stores lists stores with their regions")
    centre.call_store(CHAIN, keep)
    return listed()


def _entries(calendar: Calendar) -> int:
    return len(calendar.days) + len(calendar.promotions) + len(calendar.weather)
