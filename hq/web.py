"""HQ's web server: the pages on one event loop, the status on a thread beside it."""

import asyncio
import logging
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from nicegui import Client, app, ui

from hq.central_api import CentralApi
from hq.decisions import Decisions
from hq.desk import Desk
from hq.export import register_exports
from hq.heartbeat import keep_telling
from hq.login import LoginGate, People
from hq.login_page import register_login
from hq.missing_page import register_missing
from hq.origin_guard import OriginGuard, allowed_names
from hq.pages import (
    calendar,
    campaigns,
    config,
    fleet,
    models,
    overview,
    regions,
    replay,
    restock,
    shop,
    shops,
    sku,
    suppliers,
    transfers,
)
from hq.pages.chart import FOLLOW_SCHEME
from hq.settings import HqSettings
from runtime.clock import clock_from_setting
from runtime.errors import OperatorError
from runtime.logs import Log
from runtime.settings import secret_from_file
from runtime.status import StatusServer
from runtime.supervise import Supervisor
from runtime.systemd_notify import ServiceNotifier

log = Log("hq.web")

STATIC = Path(__file__).with_name("static")
GRACE_S = 2
"""Open pages hold a WebSocket for ever: an orderly end waits this long for them."""


def serve(settings: HqSettings) -> None:
    """Blocks until SIGTERM or SIGINT. Raises OperatorError when a setting is wrong or a port is taken."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it logs each open page twice
    desk = desk_from_settings(settings)
    web = web_app(desk, settings)
    server = uvicorn.Server(
        uvicorn.Config(
            web,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
        )
    )
    listening = _listen(settings.host, settings.port)
    supervisor = Supervisor()
    status = StatusServer(settings.status_port, lambda: _status(desk))
    supervisor.start("status", status.serve)
    log.info(
        "pages open", url=f"http://{settings.host}:{listening.getsockname()[1]}/", status_port=status.port
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has closed; an orderly end must not look like a death.
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listening])
    supervisor.stop.set()
    status.close()


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises OperatorError where that is not possible."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OperatorError(
            f"port {port} on host {host}: {error.strerror}; choose a free port and an address of this machine"
        ) from None


def desk_from_settings(settings: HqSettings) -> Desk:
    token = secret_from_file(settings.token_file, "token_file")
    return Desk(
        own=CentralApi(settings.central_url, token),
        decisions=Decisions(settings.undo_s),
        clock=clock_from_setting(settings.clock_file),
        refresh_s=settings.refresh_s,
        people=None if token else People(settings.central_url),
    )


def web_app(desk: Desk, settings: HqSettings) -> FastAPI:
    """The application: NiceGUI mounted in one of ours, so that start and end are ours."""
    # NiceGUI keeps user storage in the working directory unless told otherwise; HQ stores nothing.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(Path(tempfile.gettempdir()) / "shelfloop-hq-unused"))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        notifier = ServiceNotifier()
        telling = asyncio.create_task(keep_telling(notifier))
        yield
        telling.cancel()
        notifier.stopping()
        await desk.decisions.flush()
        await desk.own.close()
        if desk.people is not None:
            await desk.people.close()

    web = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    if desk.people is not None:
        web.add_middleware(LoginGate, people=desk.people)
        register_login(web, desk.people)
    web.add_middleware(OriginGuard, allowed_hosts=allowed_names(settings.host, settings.allowed_hosts))
    register_exports(web, desk)
    register_missing(app)
    app.add_static_files("/hq-static", STATIC)
    version = int((STATIC / "hq.css").stat().st_mtime)
    ui.add_head_html(f'<link rel="stylesheet" href="/hq-static/hq.css?v={version}">', shared=True)
    ui.add_head_html(FOLLOW_SCHEME, shared=True)
    for page in (
        overview,
        shops,
        shop,
        sku,
        restock,
        replay,
        suppliers,
        transfers,
        regions,
        calendar,
        config,
        campaigns,
        fleet,
        models,
    ):
        page.register(desk)
    ui.run_with(
        web,
        title="Shelfloop",
        favicon=STATIC / "favicon.svg",
        tailwind=False,
        dark=None,  # as the reader's machine is
        binding_refresh_interval=None,
        reconnect_timeout=5.0,
        message_history_length=100,
        show_welcome_message=False,
    )
    return web


def _status(desk: Desk) -> dict[str, object]:
    return {
        "room": "hq",
        "backlog": desk.decisions.pending,
        "now_ms": desk.clock.now_ms(),
        "pages_open": len(Client.instances),
        "problems": [],
    }
