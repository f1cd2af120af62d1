"""The ASGI application: routes, gate and problems around one centre."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from central.api import (
    batches,
    calendars,
    chain,
    deliveries,
    feed,
    masters,
    offers,
    overview,
    problems,
    proposals,
    regions,
    replays,
    restock,
    rollouts,
    sessions,
    stores,
    suppliers,
    transfers,
)
from central.api.description import describe
from central.api.gate import Gate
from central.api.parameters import known_parameters
from central.auth import Authority
from central.centre import Centre


def make_app(centre: Centre, authority: Authority) -> FastAPI:
    arrivals = feed.add_arrivals(centre)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        arrivals.open()
        yield

    app = FastAPI(
        title="Shelfloop central", version=overview.own_version(), lifespan=lifespan, docs_url=None, redoc_url=None,
        dependencies=[Depends(known_parameters)],
    )  # fmt: skip
    app.state.centre, app.state.authority, app.state.log_in_guard = centre, authority, sessions.LogInGuard()
    problems.install(app)
    for part in (
        batches,
        stores,
        restock,
        feed,
        offers,
        overview,
        chain,
        sessions,
        rollouts,
        replays,
        regions,
        suppliers,
        masters,
        deliveries,
        proposals,
        transfers,
        calendars,
    ):
        app.include_router(part.router)
    plain_openapi = app.openapi
    app.openapi = lambda: describe(plain_openapi())  # type: ignore[method-assign]
    app.add_middleware(Gate, authority=authority, centre=centre)
    return app
