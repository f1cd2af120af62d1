"""The gate before all routes: who calls, how often, how much they may send. Pure ASGI, so that a body is not read for a stranger."""

import time
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from central.access import Principal, Scope
from central.api.batches import BatchDoor
from central.api.problems import count_refusal, problem_of
from central.auth import Authority
from central.centre import Centre
from central.core.throttle import Throttle
from central.errors import CentralError, TooLargeError, TooManyError, UnauthorizedError
from contract.batch import MAX_BODY_BYTES

MAX_DOCUMENT_BYTES = 32_000_000
"""Of a PUT or a CSV file: 50,000 items of 600 bytes."""
CSV_PATHS = ("/items", "/suppliers", "/calendar")
MAX_SMALL_BYTES = 1_000_000
MAX_LOG_IN_BYTES = 4_096
LOG_IN_PATH = "/v1/sessions"
OPEN_PATHS = frozenset({"/healthz", "/openapi.json", LOG_IN_PATH})
STRANGERS_PER_S, STRANGERS_BURST = 5.0, 500
"""Requests without a good credential from one address, before it is told to wait: each costs a look at the ledger."""


class Gate:
    def __init__(self, app: ASGIApp, authority: Authority, centre: Centre) -> None:
        self._app, self._authority, self._centre = app, authority, centre
        self._door = BatchDoor(centre)
        self._callers = Throttle(centre.settings.requests_per_s, centre.settings.requests_burst)
        self._strangers = Throttle(STRANGERS_PER_S, STRANGERS_BURST)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name: value for name, value in scope["headers"] if name in (b"authorization", b"content-length")
        }
        try:
            if scope["path"] not in OPEN_PATHS:
                authorization = headers.get(b"authorization", b"").decode("latin-1")
                principal = await self._principal(authorization, _address(scope))
                scope.setdefault("state", {})["principal"] = principal
                self._slow_down(principal)
            limit = _limit(scope)
            declared = headers.get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > limit:
                raise TooLargeError(f"the body has {int(declared)} bytes; at most {limit}. Send it in parts")
        except CentralError as error:
            count_refusal(self._centre, error.status, scope["path"])
            await problem_of(error)(scope, receive, send)
            return
        gateway = self._door.gateway_of(scope)
        if gateway is not None:
            await self._door(scope, bounded(receive, limit), send, gateway)
        else:
            await self._app(scope, bounded(receive, limit), send)

    async def _principal(self, authorization: str, address: str) -> Principal:
        known = self._authority.known(authorization)
        if known is not None:
            return known
        now_s = time.monotonic()
        wait_s = self._strangers.wait_s(address, now_s)
        if wait_s:
            raise TooManyError(
                f"more than {STRANGERS_BURST} requests, or {STRANGERS_PER_S:g} a second for long, came from this address "
                "without a valid key or token; wait as Retry-After says, and give a valid one",
                wait_s,
            )
        try:
            return await run_in_threadpool(self._authority.principal, authorization)
        except UnauthorizedError:
            self._strangers.take(address, now_s)
            raise

    def _slow_down(self, principal: Principal) -> None:
        wait_s = self._callers.take(f"{principal.scope}:{principal.name}", time.monotonic())
        if wait_s:
            limit = self._centre.settings.requests_per_s
            raise TooManyError(
                f"{principal.name} sends more than {limit:g} requests a second; wait as Retry-After says, "
                "or ask for a higher requests_per_s",
                wait_s,
            )


def _address(scope: AsgiScope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _limit(scope: AsgiScope) -> int:
    if scope["path"].endswith("/batches"):
        return MAX_BODY_BYTES
    if scope["path"] == LOG_IN_PATH:
        return MAX_LOG_IN_BYTES
    is_list = scope["method"] == "PUT" or scope["path"].endswith(CSV_PATHS)
    return MAX_DOCUMENT_BYTES if is_list else MAX_SMALL_BYTES


def bounded(receive: Receive, limit: int) -> Receive:
    """`receive` that raises TooLargeError at more than `limit` bytes of body."""
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise TooLargeError(f"the body has more than {limit} bytes; send it in parts")
        return message

    return receive_some


def the_centre_of(request: Request) -> Centre:
    centre: Centre = request.app.state.centre
    return centre


async def the_centre(request: Request) -> Centre:
    return the_centre_of(request)


def caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


async def any_caller(request: Request) -> Principal:
    return caller(request)


def scoped(*scopes: Scope, by_store: bool = False) -> Any:
    """A dependency that gives the caller when its scope is one of `scopes`, or admin. Async: a plain one costs a thread hop.

    by_store: the route keeps to the caller's reach, by `{store}` of its path here and by the caller's `of_reach`,
    `require_store` and `require_row`. A route that does not say so is closed to callers of some stores only.
    """

    async def require(request: Request) -> Principal:
        principal = caller(request)
        principal.require(*scopes)
        if not by_store:
            principal.require_chain()
        elif (store := request.path_params.get("store")) is not None:
            principal.require_store(store)
        return principal

    return Depends(require)


STORES_PEOPLE = (Scope.HQ, Scope.REGION, Scope.STORE)
"""Who looks at stores and decides there; each within its reach."""

TheCentre = Annotated[Centre, Depends(the_centre)]
FromAnyone = Annotated[Principal, Depends(any_caller)]
FromHq = Annotated[Principal, scoped(Scope.HQ)]
FromSystem = Annotated[Principal, scoped(Scope.SYSTEM)]
FromHqOrSystem = Annotated[Principal, scoped(Scope.HQ, Scope.SYSTEM)]
FromMemberApp = Annotated[Principal, scoped(Scope.MEMBER_APP)]
FromConsumer = Annotated[Principal, scoped(Scope.SYSTEM, Scope.MEMBER_APP, by_store=True)]
FromConsumerOrHq = Annotated[Principal, scoped(Scope.SYSTEM, Scope.MEMBER_APP, Scope.HQ, by_store=True)]
FromStoreSystem = Annotated[Principal, scoped(Scope.SYSTEM, by_store=True)]
FromPeople = Annotated[Principal, scoped(*STORES_PEOPLE, by_store=True)]
FromReaders = Annotated[Principal, scoped(*STORES_PEOPLE, Scope.SYSTEM, by_store=True)]
