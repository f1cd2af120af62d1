"""The gate before all routes: who calls, how much they may send. Pure ASGI, so that a body is not read for a stranger."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.api.problems import count_refusal, problem_response
from central.auth import Authority, Principal
from central.auth import Scope as AuthScope
from central.centre import Centre
from central.errors import CentralError, TooLargeError
from contract.batch import MAX_BODY_BYTES

MAX_DOCUMENT_BYTES = 32_000_000
"""Of a PUT: 50,000 items of 600 bytes."""
MAX_SMALL_BYTES = 1_000_000
OPEN_PATHS = frozenset({"/healthz", "/openapi.json"})


class Gate:
    def __init__(self, app: ASGIApp, authority: Authority, centre: Centre) -> None:
        self._app, self._authority, self._centre = app, authority, centre

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name: value for name, value in scope["headers"] if name in (b"authorization", b"content-length")
        }
        try:
            if scope["path"] not in OPEN_PATHS:
                authorization = headers.get(b"authorization", b"").decode("latin-1")
                scope.setdefault("state", {})["principal"] = await self._principal(authorization)
            limit = _limit(scope)
            declared = headers.get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > limit:
                raise TooLargeError(f"the body has {int(declared)} bytes; at most {limit}. Send it in parts")
        except CentralError as error:
            count_refusal(self._centre, error.status, scope["path"])
            await problem_response(error.status, error.title, error.detail)(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, limit), send)

    async def _principal(self, authorization: str) -> Principal:
        known = self._authority.known(authorization)
        return (
            known if known is not None else await run_in_threadpool(self._authority.principal, authorization)
        )


def _limit(scope: Scope) -> int:
    if scope["path"].endswith("/batches"):
        return MAX_BODY_BYTES
    return MAX_DOCUMENT_BYTES if scope["method"] == "PUT" else MAX_SMALL_BYTES


def _bounded(receive: Receive, limit: int) -> Receive:
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise TooLargeError(f"the body has more than {limit} bytes; send it in parts")
        return message

    return bounded


def the_centre_of(request: Request) -> Centre:
    centre: Centre = request.app.state.centre
    return centre


async def the_centre(request: Request) -> Centre:
    return the_centre_of(request)


def caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


def scoped(*scopes: AuthScope) -> Any:
    """A dependency that gives the caller when its scope is one of `scopes`, or admin. Async: a plain one costs a thread hop."""

    async def require(request: Request) -> Principal:
        principal = caller(request)
        principal.require(*scopes)
        return principal

    return Depends(require)


TheCentre = Annotated[Centre, Depends(the_centre)]
FromHq = Annotated[Principal, scoped(AuthScope.HQ)]
FromSystem = Annotated[Principal, scoped(AuthScope.SYSTEM)]
FromHqOrSystem = Annotated[Principal, scoped(AuthScope.HQ, AuthScope.SYSTEM)]
FromMemberApp = Annotated[Principal, scoped(AuthScope.MEMBER_APP)]
FromConsumer = Annotated[Principal, scoped(AuthScope.SYSTEM, AuthScope.MEMBER_APP)]
FromConsumerOrHq = Annotated[Principal, scoped(AuthScope.SYSTEM, AuthScope.MEMBER_APP, AuthScope.HQ)]
