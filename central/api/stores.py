"""Stores, what they should be (desired state) and what is known of their SKUs."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from central import couponing, desired_state, summing
from central.api.gate import FromReaders, FromStoreSystem, TheCentre
from central.api.json_body import described, json_body
from central.api.paging import Limit, next_after, skip_from
from central.centre import Centre
from central.context import Work
from central.core.audiences import CELL_RESOLUTION, is_cell
from central.core.vouched import ITEMS, PRICES, STORE
from central.errors import NotFoundError, SenderError
from central.kept_calendars import follow_region, move_calendar
from central.ledger import coupon_rows, store_rows
from central.ledger.series_views import sku_series
from central.ledger.sku_views import SHORT_SORTS, SORTS, SkuQuery, sku_page, store_zone
from central.store_loading import load_items, load_prices
from contract.api import Accepted, Page
from contract.api.common import ApiModel
from contract.api.stores import (
    HistoryPut,
    ItemsPut,
    PlanogramPut,
    PricesPut,
    SkuSeries,
    SkuView,
    StorePut,
    StoreView,
    SupplyPut,
)  # fmt: skip
from contract.calendar import Calendar
from contract.ids import ID_PATTERN
from runtime.heap import give_back_memory

router = APIRouter(prefix="/v1/stores", tags=["stores"])

StorePath = Annotated[str, Path(pattern=ID_PATTERN)]
SkuPath = Annotated[str, Path(max_length=32)]
Moment = Annotated[int, Query(ge=0, lt=4_102_444_800_000)]
MAX_TEXT = 100
MAX_REJECTED = 100
"""Named in an answer; `accepted` says how many were taken."""


@router.put("/{store}")
def put_store(store: StorePath, put: StorePut, principal: FromStoreSystem, centre: TheCentre) -> StoreView:
    """Makes or changes a store; its gateways get the new profile with their next batch."""
    zone = _zone(put.timezone)
    if put.h3_cell is not None and not is_cell(put.h3_cell):
        raise SenderError(f"h3_cell {put.h3_cell} is no H3 cell of resolution {CELL_RESOLUTION}")
    if len({hours.weekday for hours in put.hours}) != len(put.hours):
        raise SenderError("hours: a weekday stands twice; send each at most once")

    def job(work: Work) -> Calendar | None:
        before = store_rows.region_of(work.connection, store)
        store_rows.put_store(work.connection, store, put)
        work.store.exists, work.store.name, work.store.zone = True, put.name, zone
        work.store.currency, work.store.h3_cell = put.currency, put.h3_cell
        document = {
            "store": store, "name": put.name, "timezone": put.timezone, "currency": put.currency,
            "hours": [hours.model_dump() for hours in put.hours], "closed_days": put.closed_days,
        }  # fmt: skip
        desired_state.put_document(work, "store", json.dumps(document, separators=(",", ":")))
        couponing.refresh_keys(work, coupon_rows.all_campaigns(work.connection))
        work.audit(principal.name, "put-store", store, about=put.model_dump(mode="json"))
        work.vouch_for_row(STORE, store)
        if before is None or before == put.region:
            return None
        return move_calendar(work, before, put.region, principal.name)

    moved = centre.call_store(store, job)
    # In a job of its own: a calendar that is put for the chain meanwhile finds the store, or is kept before it is asked for.
    centre.call_store(store, lambda work: follow_region(work, moved, put.region, principal.name))
    return get_store(store, principal, centre)


@router.get("", response_model=Page[StoreView])
def get_stores(principal: FromReaders, centre: TheCentre) -> Response:
    """Those that the caller may see."""
    rows = centre.board.stores(principal.stores)
    return Response(Page(rows=rows, total=len(rows)).model_dump_json(), media_type="application/json")


@router.get("/{store}")
def get_store(store: StorePath, _: FromReaders, centre: TheCentre) -> StoreView:
    rows = centre.board.stores((store,))
    if not rows:
        raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
    return rows[0]


@router.put("/{store}/items", openapi_extra=described(ItemsPut))
def put_items(
    store: StorePath,
    principal: FromStoreSystem,
    put: Annotated[ItemsPut, Depends(json_body(ItemsPut))],
    centre: TheCentre,
) -> Accepted:
    """The whole item list. Refused as a whole when a SKU or a GTIN stands twice."""
    _once("sku", [item.sku for item in put.items])
    _once("gtin", [gtin for item in put.items for gtin in item.gtins])

    def job(work: Work) -> int:
        store_rows.put_items(work.connection, store, put.items)
        work.vouch_for_list(ITEMS)
        load_items(work.connection, work.store)
        load_prices(work.connection, work.store)
        return desired_state.put_document(work, "items", put.model_dump_json())

    return _put(centre, store, principal.name, "put-items", len(put.items), put, job)


@router.put("/{store}/planogram", openapi_extra=described(PlanogramPut))
def put_planogram(
    store: StorePath,
    principal: FromStoreSystem,
    put: Annotated[PlanogramPut, Depends(json_body(PlanogramPut))],
    centre: TheCentre,
) -> Accepted:
    """All facings with their effective times; a swap is one more entry for each cell.

    Facings of SKUs that the store's item list has not are left out and named in `rejected`. A store without items takes all.
    """
    _once("device, cell and from_ms", [f"{f.device}/{f.cell}@{f.from_ms}" for f in put.facings])

    rejected: list[str] = []

    def job(work: Work) -> int:
        known = work.store.items
        taken = [each for each in put.facings if each.sku is None or not known or each.sku in known]
        rejected[:] = [
            f"{each.device}/{each.cell}: SKU {each.sku!r} is not in the item list of {store}"
            for each in put.facings
            if each.sku is not None and known and each.sku not in known
        ]
        return desired_state.put_document(
            work, "planogram", put.model_copy(update={"facings": taken}).model_dump_json()
        )

    answer = _put(centre, store, principal.name, "put-planogram", len(put.facings), put, job)
    taken = len(put.facings) - len(rejected)
    return answer.model_copy(update={"accepted": taken, "rejected": rejected[:MAX_REJECTED]})


@router.put("/{store}/prices", openapi_extra=described(PricesPut))
def put_prices(
    store: StorePath,
    principal: FromStoreSystem,
    put: Annotated[PricesPut, Depends(json_body(PricesPut))],
    centre: TheCentre,
) -> Accepted:
    """The whole price list, with effective times. Prices that were in force stay in the store's history."""
    _once("sku and from_ms", [f"{price.sku}@{price.from_ms}" for price in put.prices])

    def job(work: Work) -> int:
        store_rows.put_prices(work.connection, store, put.prices, work.now_ms)
        work.vouch_for_list(PRICES)
        load_prices(work.connection, work.store)
        return desired_state.put_document(work, "prices", put.model_dump_json())

    return _put(centre, store, principal.name, "put-prices", len(put.prices), put, job)


@router.put("/{store}/supply", openapi_extra=described(SupplyPut))
def put_supply(
    store: StorePath,
    principal: FromStoreSystem,
    put: Annotated[SupplyPut, Depends(json_body(SupplyPut))],
    centre: TheCentre,
) -> Accepted:
    """How each SKU reaches the store. What is on order is the centre's to say."""
    _once("sku", [line.sku for line in put.lines])

    def job(work: Work) -> int:
        work.store.supply = {line.sku: line for line in put.lines}
        work.store.versions.setdefault("supply", 0)
        version = desired_state.refresh_supply(work)
        desired_state.vouch_for_supply(work)
        return version

    return _put(centre, store, principal.name, "put-supply", len(put.lines), put, job)


@router.put("/{store}/history", openapi_extra=described(HistoryPut))
def put_history(
    store: StorePath,
    principal: FromStoreSystem,
    put: Annotated[HistoryPut, Depends(json_body(HistoryPut))],
    centre: TheCentre,
) -> Accepted:
    """Daily sales from before the gateway: seeds forecasts, never counted as sales."""
    _once("sku", [row.sku for row in put.rows])

    def job(work: Work) -> int:
        return desired_state.put_document(work, "history", put.model_dump_json())

    return _put(centre, store, principal.name, "put-history", len(put.rows), put, job)


@router.get("/{store}/skus")
def get_skus(
    store: StorePath, _: FromReaders, centre: TheCentre,
    search: Annotated[str, Query(max_length=MAX_TEXT)] = "", sort: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str, Query(max_length=20)] = "", limit: Limit = 50,
) -> Page[SkuView]:  # fmt: skip
    """sort: a field's name, with `-` before it to descend."""
    skip = skip_from(after)
    name = SHORT_SORTS.get(sort.lstrip("-"), sort.lstrip("-")) or "name"
    if name not in SORTS:
        raise SenderError(f"sort {sort[:40]!r} is unknown; known are {', '.join(SORTS)}")
    query = SkuQuery(store, search, name, sort.startswith("-"), skip, limit)
    summing.bring_up_to_date(centre, [store])
    with centre.ledger.read.connect() as connection:
        zone, _currency = _known(store_zone(connection, store), store)
        rows, total = sku_page(connection, query, now_ms=_data_now(centre, store), zone=zone)
    return Page(rows=rows, next=next_after(skip, limit, total), total=total)


@router.get("/{store}/skus/{sku}")
def get_sku(store: StorePath, sku: SkuPath, _: FromReaders, centre: TheCentre) -> SkuView:
    summing.bring_up_to_date(centre, [store])
    with centre.ledger.read.connect() as connection:
        zone, _currency = _known(store_zone(connection, store), store)
        rows, _total = sku_page(
            connection, SkuQuery(store, sku=sku, limit=1), now_ms=_data_now(centre, store), zone=zone
        )
    if not rows:
        raise _no_sku(store, sku)
    return rows[0]


@router.get("/{store}/skus/{sku}/series", response_model=SkuSeries)
def get_series(
    store: StorePath, sku: SkuPath, from_ms: Moment, to_ms: Moment, _: FromReaders, centre: TheCentre,
    step: Literal["15m", "1h", "1d"] = "1h",
) -> Response:  # fmt: skip
    """Sales, stock, stock-outs, forecasts, orders and prices of one SKU on one time axis."""
    if to_ms <= from_ms:
        raise SenderError(f"to_ms {to_ms} must be after from_ms {from_ms}")
    summing.bring_up_to_date(centre, [store])
    with centre.ledger.read.connect() as connection:
        zone, currency = _known(store_zone(connection, store), store)
        found = sku_series(
            connection, store, sku, step=step, from_ms=from_ms, to_ms=to_ms, zone=zone, currency=currency
        )
    if found is None:
        raise _no_sku(store, sku)
    return Response(found, media_type="application/json")


def _no_sku(store: str, sku: str) -> NotFoundError:
    return NotFoundError(f"store {store} has no SKU {sku!r}; GET /v1/stores/{store}/skus lists those it has")


def _put(
    centre: Centre,
    store: str,
    who: str,
    action: str,
    accepted: int,
    put: ApiModel,
    job: Callable[[Work], int],
) -> Accepted:
    """The audit keeps a digest of what was set: large lists by the digest of their text."""
    sha256 = hashlib.sha256(put.model_dump_json().encode()).hexdigest()

    def run(work: Work) -> int:
        if not work.store.exists:
            raise NotFoundError(f"store {store} is unknown; put it with PUT /v1/stores/{store} first")
        version = job(work)
        work.audit(who, action, store, f"version {version}", about={"sha256": sha256})
        return version

    version = centre.call_store(store, run)
    give_back_memory()
    return Accepted(accepted=accepted, version=version)


def _data_now(centre: Centre, store: str) -> int:
    """The moment of the store's newest data: its business day is today."""
    with centre.ledger.read.connect() as connection:
        newest = store_rows.newest_ms(connection, store)
    return newest if newest is not None else centre.clock.now_ms()


def _known(found: tuple[ZoneInfo, str] | None, store: str) -> tuple[ZoneInfo, str]:
    if found is None:
        raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SenderError(
            f"timezone {name!r} is unknown; use an IANA name such as America/New_York"
        ) from None


def _once(what: str, values: list[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise SenderError(f"{what} {value} stands twice; send each once")
        seen.add(value)
