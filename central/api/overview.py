"""What HQ sees of the whole: overview, books, gateways, alerts, quarantine, audit and health."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query
from fastapi.responses import Response

from central import summing
from central.api.feed import webhook_views
from central.api.gate import FromHq, FromPeople, TheCentre
from central.api.paging import After, Limit, StoreFilter, next_if_full, skip_from
from central.errors import SenderError
from central.ledger import restock_views, store_views
from central.ledger.gateway_views import gateway_views
from contract.api import Health, Page
from contract.api.common import AuditView
from contract.api.doors import DoorsView
from contract.api.stores import Accounting, AlertView, GatewayView, Overview, QuarantineView

router = APIRouter(tags=["overview"])

Moment = Annotated[int, Query(ge=0, lt=4_102_444_800_000)]


@router.get("/healthz")
def healthz(centre: TheCentre) -> Health:
    problems = centre.problems()
    status = "troubled" if problems else "ok"
    return Health(status=status, version=own_version(), now_ms=centre.clock.now_ms(), problems=problems)


@router.get("/v1/overview", response_model=Overview)
def get_overview(
    from_ms: Moment, to_ms: Moment, principal: FromPeople, centre: TheCentre, tasks: BackgroundTasks
) -> Response:
    """Of a chain of more than some dozen shops, figures are as old as the look before this one, a minute at most."""
    require_order(from_ms, to_ms)
    summing.bring_up_to_date(centre, principal.stores)
    board = centre.board
    found = board.overview(
        principal.stores, now_ms=centre.clock.now_ms(), from_ms=from_ms, to_ms=to_ms, look=centre.look_at_gateways()
    )  # fmt: skip
    if board.is_behind():
        tasks.add_task(board.catch_up)
    return Response(found, media_type="application/json")


def require_order(from_ms: int, to_ms: int) -> None:
    """Raises SenderError for a span that ends before it begins."""
    if to_ms < from_ms:
        raise SenderError(f"to_ms {to_ms} is before from_ms {from_ms}; exchange them")


@router.get("/v1/accounting", response_model=Accounting)
def get_accounting(
    principal: FromPeople, centre: TheCentre, tasks: BackgroundTasks, store: StoreFilter = "",
    limit: Annotated[int, Query(ge=0, le=50_000, description="how many days may be named")] = 1000,
) -> Response:  # fmt: skip
    """What the tills say of each closed day beside what the ledger holds of it.

    Names all closed days where they are no more than `limit`; else the newest of those that differ. Orders of a chain of more than
    some dozen shops are as old as the look before this one, a minute at most.
    """
    reach = principal.of_reach(store)
    with centre.ledger.read.connect() as connection:
        books = store_views.accounting(connection, reach, limit)
    found = books.model_copy(update={"triggers": centre.board.orders(reach)})
    if centre.board.is_behind():
        tasks.add_task(centre.board.catch_up)
    return Response(found.model_dump_json(), media_type="application/json")


@router.get("/v1/gateways", response_model=Page[GatewayView])
def get_gateways(principal: FromPeople, centre: TheCentre) -> Response:
    with centre.ledger.read.connect() as connection:
        rows = gateway_views(
            connection, now_ms=centre.clock.now_ms(), look=centre.look_at_gateways(), stores=principal.stores
        )
    return Response(Page(rows=rows, total=len(rows)).model_dump_json(), media_type="application/json")


@router.get("/v1/alerts")
def get_alerts(
    principal: FromPeople,
    centre: TheCentre,
    store: StoreFilter = "",
    open: bool = False,  # noqa: A002 - the query's own name
    after: After = "",
    limit: Limit = 100,
) -> Page[AlertView]:
    """Newest first. open: only those that are not cleared."""
    skip = skip_from(after)
    with centre.ledger.read.connect() as connection:
        rows = store_views.alert_views(
            connection, stores=principal.of_reach(store), only_open=open, skip=skip, limit=limit
        )
    return Page(rows=rows, next=next_if_full(skip, limit, len(rows)))


@router.get("/v1/quarantine")
def get_quarantine(
    principal: FromPeople, centre: TheCentre, store: StoreFilter = "", after: After = "", limit: Limit = 100
) -> Page[QuarantineView]:
    """Newest first: what gateways and the centre put aside, and why."""
    skip = skip_from(after)
    with centre.ledger.read.connect() as connection:
        rows = store_views.quarantine_views(
            connection, stores=principal.of_reach(store), skip=skip, limit=limit
        )
    return Page(rows=rows, next=next_if_full(skip, limit, len(rows)))


@router.get("/v1/doors")
def get_doors(_: FromHq, centre: TheCentre) -> DoorsView:
    """What was turned away since the centre started, and how each webhook is answered."""
    with centre.ledger.read.connect() as connection:
        webhooks = webhook_views(connection)
    return DoorsView(
        since_ms=centre.since_ms, refused_tokens_total=centre.counters["refused_tokens"],
        bad_batches_total=centre.counters["bad_batches"], bad_requests_total=centre.counters["bad_requests"],
        webhooks=webhooks,
    )  # fmt: skip


@router.get("/v1/audit")
def get_audit(
    principal: FromPeople, centre: TheCentre, store: StoreFilter = "", after: After = "", limit: Limit = 100
) -> Page[AuditView]:
    """Newest first: who decided what, and why. store empty: all in reach, with the chain's own for who sees the chain."""
    skip = skip_from(after)
    with centre.ledger.read.connect() as connection:
        rows = restock_views.audit_page(
            connection, stores=principal.of_reach(store), before_ms=4_102_444_800_000, skip=skip, limit=limit
        )
    return Page(rows=rows, next=next_if_full(skip, limit, len(rows)))


def own_version() -> str:
    try:
        return version("shelfloop")
    except PackageNotFoundError:
        return "0+unknown"
