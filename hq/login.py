"""People log in: the door before all pages, the session in a cookie, and one client of the centre for each session.

HQ keeps no passwords and no people: the centre judges, and each page asks it with the session of who looks at it.
"""

import asyncio
import time
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contract.api.people import LogIn, Me, SessionMade
from hq.central_api import SESSION_PREFIX, CentralApi
from hq.errors import CentralAwayError, CentralRefusedError

COOKIE = "shelfloop-session"
LOGIN_PATH = "/login"
OPEN_PATHS = (LOGIN_PATH, "/hq-static/", "/_nicegui/", "/favicon")
"""What shows nothing of the shops. `/_nicegui_ws/`, which carries the pages' content, is not among them."""
MAX_SESSIONS = 500
MAX_TOKEN_CHARS = 100
ME_FRESH_S = 20.0

_token: ContextVar[str] = ContextVar("shelfloop_session", default="")


@dataclass(frozen=True, slots=True)
class _Known:
    at_s: float
    me: Me


class People:
    """The sessions that pages are open for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._door = CentralApi(url, "")
        self._centrals: OrderedDict[str, CentralApi] = OrderedDict()
        self._known: dict[str, _Known] = {}

    def central_of(self, token: str) -> CentralApi:
        """The centre as who has this session sees it."""
        central = self._centrals.get(token)
        if central is None:
            central = self._centrals[token] = CentralApi(self._url, token)
        self._centrals.move_to_end(token)
        while len(self._centrals) > MAX_SESSIONS:
            gone, oldest = self._centrals.popitem(last=False)
            self._known.pop(gone, None)
            _close_later(oldest)
        return central

    async def me(self, token: str) -> Me | None:
        """Who has this session; None when it is unknown or over. Raises CentralAwayError."""
        known = self._known.get(token)
        if known is not None and time.monotonic() - known.at_s < ME_FRESH_S:
            return known.me
        if not token.startswith(SESSION_PREFIX) or len(token) > MAX_TOKEN_CHARS:
            return None
        try:
            me = await self.central_of(token).me()
        except CentralRefusedError:
            self.forget(token)
            return None
        self._known[token] = _Known(time.monotonic(), me)
        return me

    def known_me(self, token: str) -> Me | None:
        known = self._known.get(token)
        return None if known is None else known.me

    async def log_in(self, attempt: LogIn) -> SessionMade:
        """Raises CentralRefusedError for a wrong name, password or link, and CentralAwayError."""
        return await self._door.log_in(attempt)

    async def log_out(self, token: str) -> None:
        try:
            await self.central_of(token).log_out()
        except CentralRefusedError:
            return  # it was over already
        finally:
            self.forget(token)

    def forget(self, token: str) -> None:
        self._known.pop(token, None)
        central = self._centrals.pop(token, None)
        if central is not None:
            _close_later(central)

    async def close(self) -> None:
        for central in (self._door, *self._centrals.values()):
            await central.close()


_closing: set[asyncio.Task[None]] = set()


def _close_later(central: CentralApi) -> None:
    task = asyncio.get_running_loop().create_task(central.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


class LoginGate:
    """Lets nobody past who has no session, to pages, files and sockets alike."""

    def __init__(self, app: ASGIApp, people: People) -> None:
        self._app, self._people = app, people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(OPEN_PATHS):
            await self._app(scope, receive, send)
            return
        token = HTTPConnection(scope).cookies.get(COOKIE, "")
        if await self._may_pass(token):
            _token.set(token)
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "log in"})
        else:
            await RedirectResponse(login_url(scope), 303)(scope, receive, send)

    async def _may_pass(self, token: str) -> bool:
        try:
            return await self._people.me(token) is not None
        except CentralAwayError:
            # The page then says so itself; it holds nothing that the centre did not give to this session.
            return token.startswith(SESSION_PREFIX)


def login_url(scope: Scope) -> str:
    """The log-in page, which comes back to where this request wanted to go."""
    wanted = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
    return LOGIN_PATH if wanted == "/" else f"{LOGIN_PATH}?next={quote(wanted, safe='')}"


def current_token() -> str:
    """The session of who looks at the page, or asked for the file, that is being made now."""
    try:
        request = ui.context.client.request
    except (RuntimeError, AttributeError):
        return _token.get()
    return "" if request is None else request.cookies.get(COOKIE, "")
