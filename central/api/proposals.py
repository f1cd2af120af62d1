"""GET /v1/stores/{store}/proposals: what a shop's gateways proposed, and why an order came of it or none."""

from typing import Annotated

from fastapi import APIRouter, Query

from central.api.gate import FromReaders, TheCentre
from central.api.paging import After, Limit, next_if_full, skip_from
from central.api.stores import StorePath
from central.errors import NotFoundError
from central.ledger.proposal_views import proposal_page
from central.ledger.sku_views import store_zone
from contract.api import Page
from contract.api.proposals import ProposalView

router = APIRouter(prefix="/v1/stores", tags=["restock"])

DAYS, DAY_MS = 28, 86_400_000


@router.get("/{store}/proposals")
def get_proposals(
    store: StorePath, _: FromReaders, centre: TheCentre, sku: Annotated[str, Query(max_length=32)] = "",
    after: After = "", limit: Limit = 100,
) -> Page[ProposalView]:  # fmt: skip
    """Newest first, of the last 28 days. A gateway proposes when it would order: no proposal is no need."""
    skip = skip_from(after)
    with centre.ledger.read.connect() as connection:
        if store_zone(connection, store) is None:
            raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
        rows = proposal_page(
            connection, store, sku, from_ms=centre.clock.now_ms() - DAYS * DAY_MS, skip=skip, limit=limit
        )
    return Page(rows=rows, next=next_if_full(skip, limit, len(rows)))
