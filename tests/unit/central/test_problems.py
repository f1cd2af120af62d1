import asyncio
import logging

import httpx
import pytest
from fastapi import FastAPI

from central.api import problems


def test_a_fault_is_logged_by_its_route_and_never_by_the_member_in_its_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FastAPI()
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
