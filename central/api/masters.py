"""Item and supplier masters as CSV files: good rows are taken, bad ones are told with line and column."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from central.api.csv_file import take_csv, takes_csv
from central.api.gate import FromHqOrSystem, FromStoreSystem, TheCentre
from central.context import CHAIN
from central.core.masters import (
    ITEM_COLUMNS,
    SUPPLIER_COLUMNS,
    items_from_csv,
    suppliers_from_csv,
)
from central.importing import import_items, import_suppliers
from contract.api.masters import ImportReport
from contract.ids import ID_PATTERN

router = APIRouter(prefix="/v1", tags=["masters"])


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
    return await take_csv(
        request,
        items_from_csv,
        lambda read: centre.call_store(store, lambda work: import_items(work, read, principal.name)),
    )


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
    return await take_csv(
        request,
        suppliers_from_csv,
        lambda read: centre.call_store(CHAIN, lambda work: import_suppliers(work, read, principal.name)),
    )
