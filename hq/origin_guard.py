"""Keeps other web pages out: a page on the internet must not reach this one through the reader's browser.

Refuses requests whose Host is not ours (a foreign name that resolves to this address) and WebSockets and
writes whose Origin is another site.
"""

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class OriginGuard:
    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str]) -> None:
        self._app, self._allowed = app, allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {
            name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")
        }
        refusal = self._refusal(headers.get(b"host", ""), headers.get(b"origin"))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse(refusal, status_code=403)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "origin"})

    def _refusal(self, host: str, origin: str | None) -> str | None:
        name = host_name(host)
        if "*" not in self._allowed and name not in self._allowed:
            return f"HQ does not answer to the name {name[:100]!r}. Add it to allowed_hosts in hq.toml if it is right.\n"
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "This request comes from another web page. Open HQ's own address.\n"
        return None


def host_name(host: str) -> str:
    """`example.org` from `Example.org:8702`, `::1` from `[::1]:8702`."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def allowed_names(host: str, extra: list[str]) -> frozenset[str]:
    """The names by which browsers may call: the address itself, loopback's names, and what the settings add.

    A wildcard address without extra names answers to any: a firewall or proxy is then the guard.
    """
    if host in ("0.0.0.0", "::") and not extra:  # noqa: S104 - compared, not bound
        return frozenset({"*"})
    return LOOPBACK_NAMES | {host.lower()} | {name.lower() for name in extra}
