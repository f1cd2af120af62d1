import asyncio
import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError

from central.access import Principal, Scope
from central.api import problems
from central.api.gate import bounded
from central.api.sessions import BY_NAME, LogInGuard
from central.core.masters import suppliers_from_csv
from central.errors import ForbiddenError, TooManyError
from contract.api.feed import WebhookPost


class Counts:
    def count(self, _: str) -> None:
        """Nobody looks."""


def test_a_fault_is_logged_by_its_route_and_never_by_the_member_in_its_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FastAPI()
    app.state.centre = Counts()
    problems.install(app)

    @app.get("/v1/members/{member}")
    def broken(member: str) -> None:
        raise RuntimeError("out of order")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://centre") as client:
            return await client.get("/v1/members/m-4711")

    with caplog.at_level(logging.ERROR, logger="central.api"):
        reply = asyncio.run(ask())
    assert (reply.status_code, reply.json()["title"]) == (500, "The centre failed")
    [record] = caplog.records
    fields = vars(record)["fields"]
    assert (fields["method"], fields["route"]) == ("GET", "/v1/members/{member}")
    assert "4711" not in str(fields)


def post(content: object) -> httpx.Response:
    app = FastAPI()
    app.state.centre = Counts()
    problems.install(app)

    @app.post("/v1/webhooks")
    def take(_: WebhookPost) -> None:
        """Its body is read by the framework."""

    async def gate(scope, receive, send):  # type: ignore[no-untyped-def]
        await app(scope, bounded(receive, 1000), send)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://centre") as client:
            headers = {"Content-Type": "application/json"}
            return await client.post("/v1/webhooks", content=content, headers=headers)  # type: ignore[arg-type]

    return asyncio.run(ask())


def test_a_body_in_chunks_that_grows_too_large_is_told_its_limit() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    reply = post(chunks())
    assert (reply.status_code, reply.json()["detail"]) == (
        413, "the body has more than 1000 bytes; send it in parts",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "body.1: JSON decode error"),
        (b'{"url": "http://a\\u0000b/"}', "body.url: String should match pattern"),
        (b'{"url": "http://a b/"}', "body.url: String should match pattern"),
    ],
)
def test_what_is_wrong_with_a_body_names_its_place(body: bytes, said: str) -> None:
    reply = post(body)
    assert reply.status_code == 422
    assert reply.json()["detail"].startswith(said)


def test_a_body_that_a_model_reads_whole_has_a_place_too() -> None:
    async def read() -> None:
        error = RequestValidationError([{"loc": (), "msg": "Invalid JSON: EOF", "input": b""}])
        request = Request({"type": "http", "path": "/v1/x", "headers": [], "app": FakeApp()})
        reply = await problems._validation(request, error)
        assert json.loads(reply.body)["detail"] == "body: Invalid JSON: EOF, got b''"

    class FakeApp:
        state = type("State", (), {"centre": Counts()})

    asyncio.run(read())


def test_words_are_our_own() -> None:
    header = "supplier,name,timezone,order_weekdays,cutoff_minute,lead_time_days,closed_days\n"
    read = suppliers_from_csv(f"{header}depot,Depot,UTC,0,600,1,2026-02-31\n")
    assert read.problems
    assert "Value error" not in str(read.problems)
    with pytest.raises(ForbiddenError, match="this is an admin credential"):
        Principal(Scope.ADMIN, "root").require(Scope.GATEWAY)
    with pytest.raises(ForbiddenError, match="this is a system credential"):
        Principal(Scope.SYSTEM, "erp").require(Scope.HQ)
    guard = LogInGuard()
    for _ in range(BY_NAME[1]):
        guard.take("Ann", "here")
    with pytest.raises(TooManyError, match="more than 6 log-ins with this name, then one each 30 s"):
        guard.take("Ann", "here")
