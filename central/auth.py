"""Keys and tokens: random, stored as SHA-256, looked up by that. High entropy needs no slow hash."""

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from central.errors import ForbiddenError, UnauthorizedError
from central.ledger.engine import Ledger

GATEWAY_PREFIX, TOKEN_PREFIX = "slg_", "slt_"
_KNOWN_FOR_S = 5.0
"""How long a found key is trusted before the ledger is asked again: a revoked one works no longer than this."""
_MAX_KNOWN = 10_000


class Scope(StrEnum):
    GATEWAY = "gateway"
    SYSTEM = "system"
    HQ = "hq"
    MEMBER_APP = "member-app"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. gateway, store: of a gateway's key only."""

    scope: Scope
    name: str
    gateway: str = ""
    store: str = ""

    def require(self, *scopes: Scope) -> None:
        """Raises ForbiddenError unless the scope is one of `scopes`; an admin may all but speak as a gateway."""
        if self.scope in scopes or (self.scope is Scope.ADMIN and scopes != (Scope.GATEWAY,)):
            return
        raise ForbiddenError(f"this is a {self.scope} credential; the route wants {' or '.join(scopes)}")


def new_secret(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Authority:
    """Answers who a bearer is. Keys made by the command line while the centre runs are found at their first use."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, tuple[float, Principal]] = {}
        self._lock = threading.Lock()

    def known(self, authorization: str | None) -> Principal | None:
        """Who it is if that was asked a moment ago: no look at the ledger."""
        kind, _, secret = (authorization or "").partition(" ")
        entry = self._known.get(hash_of(secret.strip()[:200])) if kind.lower() == "bearer" else None
        return entry[1] if entry is not None and time.monotonic() < entry[0] else None

    def principal(self, authorization: str | None) -> Principal:
        """Raises UnauthorizedError that says what is missing; never what would have been right."""
        kind, _, secret = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise UnauthorizedError(
                "send `Authorization: Bearer` with a gateway key (slg_…) or a token (slt_…)"
            )
        digest = hash_of(secret.strip()[:200])
        known = self._known.get(digest)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        found = self._find(digest, is_gateway=secret.startswith(GATEWAY_PREFIX))
        with self._lock:
            self._known.pop(digest, None)
            if found is None:
                raise UnauthorizedError(
                    "the key or token is unknown or revoked; make one with `shelfloop central`"
                )
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[digest] = (time.monotonic() + _KNOWN_FOR_S, found)
        return found

    def _find(self, digest: str, *, is_gateway: bool) -> Principal | None:
        with self._ledger.read.connect() as connection:
            if is_gateway:
                row = connection.execute(_GATEWAY_BY_KEY, {"hash": digest}).first()
                return Principal(Scope.GATEWAY, row.gateway, row.gateway, row.store_id) if row else None
            row = connection.execute(_TOKEN, {"hash": digest}).first()
            return Principal(Scope(row.scope), row.name) if row else None


_GATEWAY_BY_KEY = sa.text("SELECT gateway, store_id FROM gateways WHERE key_hash = :hash")
_TOKEN = sa.text("SELECT name, scope FROM tokens WHERE token_hash = :hash AND revoked = 0")
