"""Item and supplier masters as CSV files: good rows are taken, bad ones are told with line and column."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool

from central.api.gate import FromHqOrSystem, FromStoreSystem, TheCentre
from central.context import CHAIN
from central.core.masters import (
    ITEM_COLUMNS,
    SUPPLIER_COLUMNS,
    BadFileError,
    Read,
    items_from_csv,
    suppliers_from_csv,
)
from central.errors import SenderError
from central.importing import import_items, import_suppliers
from contract.api.masters import ImportReport
from contract.ids import ID_PATTERN

router = APIRouter(prefix="/v1", tags=["masters"])

Found = TypeVar("Found", bound=Read[Any])
CSV = "text/csv"


def takes_csv(columns: tuple[str, ...], example: str) -> dict[str, Any]:
    schema = {
        "type": "string",
        "description": f"UTF-8; line 1 names the columns: {', '.join(columns)}",
        "example": example,
    }
    return {"requestBody": {"required": True, "content": {CSV: {"schema": schema}}}}


@router.post(
    "/stores/{store}/items",
    openapi_extra=takes_csv(
        ITEM_COLUMNS, "sku,gtins,name,category,unit_weight_g\n4011,9521234567899,Bananas,Fruit,180\n"
    ),
)
async def import_items_file(
    store: Annotated[str, Path(pattern=ID_PATTERN)],
    request: Request,
    principal: FromStoreSystem,
    centre: TheCentre,
) -> ImportReport:
    """Adds and changes items of the store's list. Those that the file does not name stay as they are."""
    text = await csv_text(request)

    def take() -> ImportReport:
        read = read_csv(items_from_csv, text)
        return centre.call_store(store, lambda work: import_items(work, read, principal.name))

    return await run_in_threadpool(take)


@router.post(
    "/suppliers",
    openapi_extra=takes_csv(
        SUPPLIER_COLUMNS,
        "supplier,name,timezone,order_weekdays,cutoff_minute,lead_time_days\nfruit-co,Fruit Co,Europe/Berlin,0 3,900,2\n",
    ),
)
async def import_suppliers_file(
    request: Request, principal: FromHqOrSystem, centre: TheCentre
) -> ImportReport:
    """Adds and changes suppliers. Those that the file does not name stay as they are."""
    text = await csv_text(request)

    def take() -> ImportReport:
        read = read_csv(suppliers_from_csv, text)
        return centre.call_store(CHAIN, lambda work: import_suppliers(work, read, principal.name))

    return await run_in_threadpool(take)


async def csv_text(request: Request) -> str:
    """The body of a CSV request. Raises SenderError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != CSV:
        raise SenderError(
            f"Content-Type must be {CSV}, got {kind[:60]!r}; send the file as it is, with that header"
        )
    body = await request.body()
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise SenderError(f"line {line} is not UTF-8; save the file as UTF-8 and send it again") from None


def read_csv(parse: Callable[[str], Found], text: str) -> Found:
    try:
        return parse(text)
    except BadFileError as error:
        raise SenderError(str(error)) from None
