"""Lists as CSV files, streamed page by page from the centre."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from contract.api.common import ApiModel, Page
from contract.api.restock import TriggerView
from contract.api.stores import QuarantineView, SkuView, StoreView
from contract.calendar import Calendar
from hq.day_entries import entries_of, file_of
from hq.desk import Desk
from hq.errors import CentralAwayError, CentralRefusedError, HqError
from hq.scope import Scope

PAGE_ROWS = 500
MAX_PAGES = 400
"""Where a cursor never ends, the export does."""


Row = TypeVar("Row", bound=ApiModel)


def register_exports(web: FastAPI, desk: Desk) -> None:
    @web.get("/export/shops.csv")
    async def shops() -> Response:
        return await _csv("shops", StoreView, lambda _: desk.central.stores())

    @web.get("/export/skus.csv")
    async def skus(store: str, search: str = "") -> Response:
        return await _csv(
            f"skus-{store}", SkuView, lambda after: desk.central.skus(store, search, "name", after, PAGE_ROWS)
        )

    @web.get("/export/orders.csv")
    async def orders(store: str = "") -> Response:
        return await _csv(
            "orders", TriggerView, lambda after: desk.central.triggers(store, after=after, limit=PAGE_ROWS)
        )

    @web.get("/export/quarantine.csv")
    async def quarantine(store: str = "") -> Response:
        return await _csv("quarantine", QuarantineView, lambda _: desk.central.quarantine(store))

    @web.get("/export/calendar.csv")
    async def calendar(scope: str = "") -> Response:
        return await _calendar(desk, Scope.from_text(scope))


async def _calendar(desk: Desk, scope: Scope) -> Response:
    """As the centre takes it back; the head alone where nothing is set."""
    try:
        if scope.store:
            found: Calendar | None = (await desk.central.calendar(scope.store)).calendar
        else:
            found = (await desk.central.kept_calendar(scope.name)).calendar
    except HqError as error:
        if not isinstance(error, CentralRefusedError) or error.status != HTTPStatus.NOT_FOUND:
            return _why(error)
        found = None
    text = file_of([] if found is None else entries_of(found), found)
    return PlainTextResponse(
        text, media_type="text/csv; charset=utf-8", headers=_as_file("calendar", scope.name)
    )


def _why(error: HqError) -> Response:
    status = 503 if isinstance(error, CentralAwayError) else 502
    return PlainTextResponse(f"{error.what}: {error.why} {error.do}\n", status_code=status)


def _as_file(*names: str) -> dict[str, str]:
    safe = "".join(
        char for char in "-".join(name for name in names if name) if char.isalnum() or char in "-_"
    )
    return {"Content-Disposition": f'attachment; filename="shelfloop-{safe}.csv"'}


async def _csv(name: str, shape: type[Row], turn: Callable[[str], Awaitable[Page[Row]]]) -> Response:
    """The file, or a sentence that says why there is none: the first page is asked for before anything is sent."""
    try:
        first = await turn("")
    except HqError as error:
        return _why(error)
    return StreamingResponse(
        _lines(first, list(shape.model_fields), turn),
        media_type="text/csv; charset=utf-8",
        headers=_as_file(name),
    )


async def _lines(
    page: Page[Row], columns: list[str], turn: Callable[[str], Awaitable[Page[Row]]]
) -> AsyncIterator[str]:
    yield csv_lines([columns])
    for _ in range(MAX_PAGES):
        yield csv_lines([[csv_value(getattr(row, column)) for column in columns] for row in page.rows])
        if page.next is None:
            return
        # A failure here breaks the transfer off, which a browser reports: better than a file that ends early in silence.
        page = await turn(page.next)


def csv_value(value: object) -> object:
    """`value` for a spreadsheet: unknown is empty; text that a spreadsheet would run as a formula is disarmed."""
    if value is None:
        return ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return str(value) if isinstance(value, list | dict) else value


def csv_lines(rows: list[list[object]] | list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()
