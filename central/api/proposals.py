"""GET /v1/stores/{store}/proposals: what a shop's gateways proposed, and why an order came of it or none."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from central.api.gate import FromReaders, TheCentre
from central.api.paging import After, Limit, next_if_full, skip_from
from central.api.stores import StorePath
from central.core.why_not import why_not
from central.errors import NotFoundError
from central.ledger.proposal_views import proposal_page
from central.ledger.sku_views import store_zone
from central.ledger.standing_rows import standing_of
from contract.api import Page
from contract.api.proposals import OrderingReason, OrderingView, ProposalView

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


@router.get("/{store}/skus/{sku}/ordering")
def get_ordering(
    store: StorePath, sku: Annotated[str, Path(max_length=32)], _: FromReaders, centre: TheCentre
) -> OrderingView:
    """Why it is not being ordered, or what its order waits for. Asked of any SKU, also of one that is not here."""
    settings = centre.settings
    with centre.ledger.read.connect() as connection:
        found = store_zone(connection, store)
        if found is None:
            raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
        stale = (settings.stale_after_min * 60_000, settings.stale_forecast_days)
        now_ms, heard_ms = centre.clock.now_ms(), centre.look_at_gateways().heard_ms
        standing = standing_of(connection, store, sku, found[0], now_ms, stale, heard_ms)
    reasons = [OrderingReason(code=one.code, text=one.text) for one in why_not(standing)]
    return OrderingView(store=store, sku=sku, reasons=reasons)
