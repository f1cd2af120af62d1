"""The two doors of outgoing events: the pull feed, and webhook endpoints."""

import asyncio
import json
import secrets
import time
from typing import Annotated, Any, get_args

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from central.access import Principal, Scope
from central.addresses import checked_target
from central.api.gate import FromConsumer, FromConsumerOrHq, TheCentre
from central.centre import Centre, real_ms
from central.context import CHAIN, Work
from central.core.vouched import WEBHOOK
from central.dispatch import Dispatcher
from central.errors import ConflictError, ForbiddenError, NotFoundError, SenderError
from central.ledger import outgoing
from central.ledger.of_stores import Stores
from central.webhook_signature import new_webhook_secret
from contract.api import Accepted, Page
from contract.api.feed import EventType, Feed, SecretRotation, WebhookCreated, WebhookPost, WebhookView

router = APIRouter(prefix="/v1", tags=["events"])

ALL_TYPES: tuple[str, ...] = get_args(EventType)
PREFIX_OF = {
    Scope.SYSTEM: "shelfloop.restock.",
    Scope.MEMBER_APP: "shelfloop.coupon.",
    Scope.ADMIN: "shelfloop.",
}
MAX_ENDPOINTS = 50
MAX_WAIT_S = 30.0
WebhookPath = Annotated[str, Path(max_length=48)]
Position = Annotated[int, Query(ge=0, le=2**53)]

_ENDPOINTS = sa.text(
    """SELECT e.*, (SELECT count(*) FROM deliveries d WHERE d.endpoint = e.endpoint) AS pending FROM endpoints e
    ORDER BY e.created_ms, e.endpoint"""
)


class Arrivals:
    """Wakes the long polls when the relay has placed events. `placed` is called from the writer's thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    def placed(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return


@router.get("/feed", response_model=Feed)
async def get_feed(
    principal: FromConsumer, centre: TheCentre, after: Position = 0,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 100,
    types: Annotated[str, Query(max_length=400, description="event types with commas; empty: all yours")] = "",
) -> Response:  # fmt: skip
    """Events after the cursor, in order. With `wait`, answers as soon as there is one, or empty when time is up.

    409 for a cursor beyond the end: it is another ledger's, or of rows that a restored backup does not have.
    """
    wanted = _types(principal, [part for part in types.split(",") if part])
    deadline = time.monotonic() + wait
    while True:
        rows = await run_in_threadpool(_rows, centre, after, limit, wanted, principal.stores)
        left = deadline - time.monotonic()
        if rows or left <= 0 or centre.stop.is_set():
            return Response(_feed_body(rows, after), media_type="application/json")
        await centre_arrivals(centre).wait(min(left, 1.0))


def centre_arrivals(centre: Centre) -> Arrivals:
    return _ARRIVALS[id(centre)]


_ARRIVALS: dict[int, Arrivals] = {}


def add_arrivals(centre: Centre) -> Arrivals:
    """One a centre; `open` it in the event loop."""
    arrivals = _ARRIVALS[id(centre)] = Arrivals()
    centre.on_placed.append(arrivals.placed)
    return arrivals


@router.post("/webhooks", status_code=201)
def post_webhook(post: WebhookPost, principal: FromConsumer, centre: TheCentre) -> WebhookCreated:
    """Sends events that come from now on. The secret is shown once."""
    types = _types(principal, list(post.types))
    checked_target(post.url, allow_private=centre.settings.allow_private_webhooks)
    name, secret = f"wh-{secrets.token_hex(6)}", new_webhook_secret()

    def job(work: Work) -> None:
        endpoints = work.connection.execute(_ENDPOINTS).all()
        if len(endpoints) >= MAX_ENDPOINTS:
            raise SenderError(f"there are {MAX_ENDPOINTS} webhooks already; delete one first")
        if any(
            (row.url, row.owner, bool(row.enabled)) == (post.url, _owner(principal), True)
            for row in endpoints
        ):
            raise SenderError(f"{principal.name} has a webhook to this url already; delete it first")
        row = {
            "endpoint": name, "url": post.url, "types": json.dumps(types), "owner": _owner(principal),
            "secret": secret, "now": work.now_ms,
            "reach": None if principal.reach is None else principal.reach.to_json(),
        }  # fmt: skip
        outgoing.put_endpoint(work.connection, row)
        work.audit(principal.name, "put-webhook", name, post.url[:200])
        work.will_vouch(WEBHOOK, name)

    centre.call_store(CHAIN, job)
    _dispatcher(centre).refresh()
    return WebhookCreated(webhook=name, url=post.url, secret=secret)


@router.get("/webhooks")
def get_webhooks(principal: FromConsumerOrHq, centre: TheCentre) -> Page[WebhookView]:
    """A system sees its own; HQ and admin see all."""
    sees_all = principal.scope in (Scope.HQ, Scope.ADMIN) and principal.stores is None
    with centre.ledger.read.connect() as connection:
        rows = webhook_views(connection, "" if sees_all else _owner(principal))
    return Page(rows=rows, total=len(rows))


def webhook_views(connection: Connection, owner: str = "") -> list[WebhookView]:
    """All endpoints, or the owner's, in the order they were made."""
    return [
        WebhookView(
            webhook=row.endpoint, url=row.url, types=json.loads(row.types), enabled=bool(row.enabled),
            delivered_total=row.delivered_total, failed_total=row.failed_total, given_up_total=row.given_up_total,
            given_up_from=row.given_up_from, pending=row.pending, last_status=row.last_status, last_ms=row.last_ms,
        )
        for row in connection.execute(_ENDPOINTS)
        if owner in ("", row.owner)
    ]  # fmt: skip


@router.delete("/webhooks/{webhook}", status_code=204)
def delete_webhook(webhook: WebhookPath, principal: FromConsumer, centre: TheCentre) -> None:
    def job(work: Work) -> None:
        _own(work, webhook, principal)
        outgoing.delete_endpoint(work.connection, webhook)
        work.audit(principal.name, "delete-webhook", webhook)
        work.will_vouch(WEBHOOK, webhook)

    centre.call_store(CHAIN, job)
    _dispatcher(centre).refresh()


@router.post("/webhooks/{webhook}/secret")
def rotate_secret(
    webhook: WebhookPath, rotation: SecretRotation, principal: FromConsumer, centre: TheCentre
) -> WebhookCreated:
    """A new secret; both sign until the old one's time is over, so that the receiver changes over without a pause."""
    secret = new_webhook_secret()

    def job(work: Work) -> str:
        url = _own(work, webhook, principal).url
        outgoing.rotate_secret(work.connection, webhook, secret, real_ms() + rotation.keep_old_s * 1000)
        work.audit(principal.name, "rotate-webhook-secret", webhook)
        work.will_vouch(WEBHOOK, webhook)
        return str(url)

    url = centre.call_store(CHAIN, job)
    _dispatcher(centre).refresh()
    return WebhookCreated(webhook=webhook, url=url, secret=secret)


@router.post("/webhooks/{webhook}/replay")
def replay(webhook: WebhookPath, principal: FromConsumer, centre: TheCentre, after: Position = 0) -> Accepted:
    """Sends the feed's rows after `after` again, with the ids they had."""

    def job(work: Work) -> int:
        types = tuple(json.loads(_own(work, webhook, principal).types))
        _require_known(work.connection, after)
        work.audit(principal.name, "replay-webhook", webhook, f"after position {after}")
        return outgoing.replay(work.connection, webhook, types, after, real_ms())

    count = centre.call_store(CHAIN, job)
    _dispatcher(centre).wake()
    return Accepted(accepted=count)


def _rows(
    centre: Centre, after: int, limit: int, types: tuple[str, ...], stores: Stores
) -> list[tuple[int, str]]:
    with centre.ledger.read.connect() as connection:
        rows = outgoing.feed_rows(connection, after, limit, types, stores)
        if not rows and after:
            _require_known(connection, after)
    return rows


def _require_known(connection: Connection, after: int) -> None:
    """Raises ConflictError when the feed has not come as far as `after`: an empty answer would hide what comes next."""
    end = outgoing.last_position(connection)
    if after > end:
        raise ConflictError(
            f"after {after} is beyond the feed's end, {end}: the cursor is another ledger's. Go on from {end}, or read again "
            "from an older position and pass by the events whose id you know"
        )


def _feed_body(rows: list[tuple[int, str]], after: int) -> str:
    """A Feed; the events are JSON already."""
    parts = ",".join(f'{{"position":{position},"event":{body}}}' for position, body in rows)
    return f'{{"rows":[{parts}],"next":{rows[-1][0] if rows else after}}}'


def _types(principal: Principal, asked: list[str]) -> tuple[str, ...]:
    """The event types asked for, all that the scope may see when none is. Raises for others."""
    mine = tuple(kind for kind in ALL_TYPES if kind.startswith(PREFIX_OF[principal.scope]))
    for kind in asked:
        if kind not in ALL_TYPES:
            raise SenderError(f"event type {kind[:60]!r} is unknown; known are {', '.join(ALL_TYPES)}")
        if kind not in mine:
            raise ForbiddenError(f"a {principal.scope} token cannot see {kind}")
    return tuple(asked) or mine


def _own(work: Work, webhook: str, principal: Principal) -> Any:
    """The webhook's row. Raises NotFoundError when it is not there or another system's."""
    for row in work.connection.execute(_ENDPOINTS):
        if row.endpoint == webhook and (principal.scope is Scope.ADMIN or row.owner == _owner(principal)):
            return row
    raise NotFoundError(
        f"webhook {webhook} does not exist, or is another system's; GET /v1/webhooks lists yours"
    )


def _owner(principal: Principal) -> str:
    return f"{principal.scope}:{principal.name}"


def _dispatcher(centre: Centre) -> Dispatcher:
    assert centre.dispatcher is not None
    return centre.dispatcher
