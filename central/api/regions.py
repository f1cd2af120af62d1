"""GET /v1/regions/outlook: what regions will want."""

from typing import Annotated

from fastapi import APIRouter, Query

from central.api.gate import FromPeople, TheCentre
from contract.api.outlook import RegionalOutlook

router = APIRouter(prefix="/v1", tags=["overview"])


@router.get("/regions/outlook")
def get_outlook(
    principal: FromPeople,
    centre: TheCentre,
    region: Annotated[str | None, Query(max_length=60)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> RegionalOutlook:
    """Categories by region: forecast demand of the coming week against the same weekdays before. The stores in reach count."""
    return centre.regions.outlook(principal.stores, region, limit)
