"""GET /v1/skus/{sku}/days/{day} and /v1/categories/hours: one SKU in all stores, and which categories lead in each region."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from central import summing
from central.api.gate import FromPeople, TheCentre
from central.api.overview import Moment, require_order
from central.api.stores import SkuPath
from central.errors import SenderError
from central.ledger.chain_views import sku_day
from central.ledger.leading_categories import leading_categories
from contract.api import Page
from contract.api.chain import CategoryHour, SkuDay
from contract.ids import DayText

router = APIRouter(prefix="/v1", tags=["overview"])

MAX_DAYS, DAY_MS = 8, 86_400_000


@router.get("/skus/{sku}/days/{day}", response_model=Page[SkuDay])
def get_sku_day(
    sku: SkuPath, day: Annotated[DayText, Path()], principal: FromPeople, centre: TheCentre
) -> Response:
    """One SKU's business day in each store in reach that has sums of it."""
    summing.bring_up_to_date(centre, principal.stores)
    with centre.ledger.read.connect() as connection:
        rows = sku_day(connection, sku, day, principal.stores)
    # Its own text: a model that is answered is made and checked once more.
    return Response(Page(rows=rows, total=len(rows)).model_dump_json(), media_type="application/json")


@router.get("/categories/hours", response_model=Page[CategoryHour])
def get_category_hours(
    from_ms: Moment,
    to_ms: Moment,
    principal: FromPeople,
    centre: TheCentre,
    top: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Response:
    """For each region and hour that begins in [from_ms, to_ms) the categories of managed items that sold most; 8 days at most."""
    require_order(from_ms, to_ms)
    if to_ms - from_ms > MAX_DAYS * DAY_MS:
        raise SenderError(
            f"from_ms and to_ms are more than {MAX_DAYS} days apart; ask for fewer days at once"
        )
    summing.bring_up_to_date(centre, principal.stores)
    with centre.ledger.read.connect() as connection:
        rows = leading_categories(connection, from_ms, to_ms, top=top, stores=principal.stores)
    return Response(Page(rows=rows, total=len(rows)).model_dump_json(), media_type="application/json")
