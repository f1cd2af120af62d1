"""Suppliers with their calendars and what they have, and the stores' daily budgets."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlalchemy.engine import Connection

from central.api.csv_file import take_csv, takes_csv
from central.api.gate import FromHqOrSystem, FromStoreSystem, TheCentre
from central.api.paging import Limit
from central.context import CHAIN, Work
from central.core.masters import ARRIVAL_COLUMNS, arrivals_from_csv, supplier_problem
from central.core.supplier_calendar import calendar_from
from central.core.vouched import BUDGET, SUPPLIER, SUPPLIER_ARRIVALS, SUPPLIER_STOCK
from central.errors import NotFoundError, SenderError
from central.importing import import_arrivals
from central.ledger import supplier_rows, supplier_stock
from contract.api import Accepted, Page
from contract.api.masters import ImportReport
from contract.api.suppliers import (
    ArrivalsPut,
    Arriving,
    AvailabilityPut,
    BudgetPut,
    SupplierPut,
    SupplierView,
)
from contract.ids import ID_PATTERN

router = APIRouter(prefix="/v1", tags=["suppliers"])

SupplierPath = Annotated[str, Path(pattern=ID_PATTERN)]
StorePath = Annotated[str, Path(pattern=ID_PATTERN)]


@router.get("/suppliers")
def get_suppliers(_principal: FromHqOrSystem, centre: TheCentre) -> Page[SupplierView]:
    """All of them, with their next cut-offs."""
    now_ms = centre.clock.now_ms()
    with centre.ledger.read.connect() as connection:
        stocked = supplier_stock.stocked_skus(connection)
        rows = [
            _view(name, put, changed_ms, stocked.get(name, 0), now_ms)
            for name, put, changed_ms in supplier_rows.all_suppliers(connection)
        ]
    return Page(rows=rows, total=len(rows))


@router.put("/suppliers/{supplier}")
def put_supplier(
    supplier: SupplierPath, put: SupplierPut, principal: FromHqOrSystem, centre: TheCentre
) -> SupplierView:
    """Makes or changes a supplier. What is held for its old cut-off goes out then."""
    _check(put)

    def job(work: Work) -> None:
        supplier_rows.put_supplier(work.connection, supplier, put, work.now_ms)
        work.memory.calendars.clear()
        work.audit(principal.name, "put-supplier", supplier, about=put.model_dump(mode="json"))
        work.vouch_for_row(SUPPLIER, supplier)

    centre.call_store(CHAIN, job)
    return _one(centre, supplier)


@router.put("/suppliers/{supplier}/availability")
def put_availability(
    supplier: SupplierPath, put: AvailabilityPut, principal: FromHqOrSystem, centre: TheCentre
) -> Accepted:
    """What its distribution centre can ship. A SKU that stands twice is refused, the others are taken."""
    rows: dict[str, int] = {}
    rejected = []
    for row in put.rows:
        if row.sku in rows:
            rejected.append(f"sku {row.sku} stands twice; the first counts")
        else:
            rows[row.sku] = row.available_units

    def job(work: Work) -> None:
        _require(work.connection, supplier)
        supplier_stock.put_stock(work.connection, supplier, rows, work.now_ms)
        work.audit(principal.name, "put-availability", supplier, f"{len(rows)} SKUs", about={**rows})
        work.vouch_for_list(SUPPLIER_STOCK, supplier)

    centre.call_store(CHAIN, job)
    return Accepted(accepted=len(rows), rejected=rejected[:100])


@router.get("/suppliers/{supplier}/arrivals")
def get_arrivals(
    supplier: SupplierPath, _principal: FromHqOrSystem, centre: TheCentre, limit: Limit = 1000
) -> Page[Arriving]:
    """What its distribution centre expects, by SKU and day."""
    with centre.ledger.read.connect() as connection:
        _require(connection, supplier)
        rows, total = supplier_stock.arrivals(connection, supplier, limit)
    return Page(rows=rows, total=total)


@router.put("/suppliers/{supplier}/arrivals")
def put_arrivals(
    supplier: SupplierPath, put: ArrivalsPut, principal: FromHqOrSystem, centre: TheCentre
) -> Accepted:
    """What its distribution centre expects. A SKU that stands twice for a day is refused, the others are taken."""
    rows: dict[tuple[str, str], Arriving] = {}
    rejected = []
    for row in put.rows:
        if (row.sku, row.day) in rows:
            rejected.append(f"sku {row.sku} stands twice on {row.day}; the first counts")
        else:
            rows[row.sku, row.day] = row

    def job(work: Work) -> None:
        _require(work.connection, supplier)
        supplier_stock.put_arrivals(work.connection, supplier, list(rows.values()), replaces=True)
        work.audit(principal.name, "put-arrivals", supplier, f"{len(rows)} loads", about=put.model_dump())
        work.vouch_for_list(SUPPLIER_ARRIVALS, supplier)

    centre.call_store(CHAIN, job)
    return Accepted(accepted=len(rows), rejected=rejected[:100])


@router.post(
    "/suppliers/{supplier}/arrivals",
    openapi_extra=takes_csv(ARRIVAL_COLUMNS, "sku,day,units\n4011,2026-03-02,480\n"),
)
async def import_arrivals_file(
    supplier: SupplierPath, request: Request, principal: FromHqOrSystem, centre: TheCentre
) -> ImportReport:
    """Adds and changes what its distribution centre expects. What the file does not name stays."""
    return await take_csv(
        request,
        arrivals_from_csv,
        lambda read: centre.call_store(
            CHAIN, lambda work: import_arrivals(work, supplier, read, principal.name)
        ),
    )


@router.put("/stores/{store}/budget")
def put_budget(store: StorePath, put: BudgetPut, principal: FromStoreSystem, centre: TheCentre) -> Accepted:
    """What may be ordered for the store in a day without a person."""

    def job(work: Work) -> None:
        if not work.store.exists:
            raise NotFoundError(f"store {store} is unknown; PUT /v1/stores/{store} first")
        supplier_rows.put_budget(work.connection, store, put.cents_a_day)
        shown = "none" if put.cents_a_day is None else str(put.cents_a_day)
        work.audit(principal.name, "put-budget", store, shown, about=put.model_dump())
        work.vouch_for_row(BUDGET, store)

    centre.call_store(store, job)
    return Accepted(accepted=1)


def _require(connection: Connection, supplier: str) -> None:
    if supplier_rows.supplier(connection, supplier) is None:
        raise NotFoundError(f"supplier {supplier} is unknown; PUT /v1/suppliers/{supplier} first")


def _check(put: SupplierPut) -> None:
    problem = supplier_problem(put)
    if problem is not None:
        raise SenderError(problem[1])


def _one(centre: TheCentre, supplier: str) -> SupplierView:
    with centre.ledger.read.connect() as connection:
        found = supplier_rows.supplier(connection, supplier)
        stocked = supplier_stock.stocked_skus(connection).get(supplier, 0)
    if found is None:
        raise NotFoundError(f"supplier {supplier} is unknown; GET /v1/suppliers lists those that are known")
    return _view(supplier, *found, stocked, centre.clock.now_ms())


def _view(supplier: str, put: SupplierPut, changed_ms: int, stocked: int, now_ms: int) -> SupplierView:
    calendar = calendar_from(put)
    cutoff_ms = calendar.next_cutoff_ms(now_ms)
    return SupplierView(
        **put.model_dump(),
        supplier=supplier,
        next_cutoff_ms=cutoff_ms,
        next_delivery_day=None if cutoff_ms is None else calendar.delivery_day(cutoff_ms).isoformat(),
        stocked_skus=stocked,
        changed_ms=changed_ms,
    )
