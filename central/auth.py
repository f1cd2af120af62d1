"""Keys, tokens and sessions: random, stored as SHA-256, looked up by that. High entropy needs no slow hash."""

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.access import SCOPE_BY_ROLE, Principal, Reach, Scope
from central.errors import UnauthorizedError
from central.gateway_keys import GatewayKeys
from central.ledger import credentials, people
from central.ledger.engine import Ledger

__all__ = ["Authority", "Principal", "Scope", "hash_of", "new_secret"]

GATEWAY_PREFIX, TOKEN_PREFIX, SESSION_PREFIX, LINK_PREFIX = "slg_", "slt_", "slp_", "sll_"
_KNOWN_FOR_S = 5.0
"""How long a found key is trusted before the ledger is asked again: a revoked one works no longer than this."""
_MAX_KNOWN = 10_000


def new_secret(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Known:
    until_s: float
    principal: Principal


class Authority:
    """Answers who a bearer is. Keys made by the command line while the centre runs are found at their first use."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, _Known] = {}
        self._gateways = GatewayKeys(ledger)
        self._lock = threading.Lock()

    def known(self, authorization: str | None) -> Principal | None:
        """Who it is if that was asked a moment ago: no look at the ledger."""
        secret = bearer_of(authorization)
        if not secret:
            return None
        digest = hash_of(secret)
        if secret.startswith(GATEWAY_PREFIX) and (found := self._gateways.find(digest)) is not None:
            return found
        entry = self._known.get(digest)
        return entry.principal if entry is not None and time.monotonic() < entry.until_s else None

    def principal(self, authorization: str | None) -> Principal:
        """Raises UnauthorizedError that says what is missing; never what would have been right."""
        secret = bearer_of(authorization)
        if not secret:
            raise UnauthorizedError(
                "send `Authorization: Bearer` with a gateway key (slg_…), a token (slt_…) or a session of POST /v1/sessions"
            )
        digest = hash_of(secret)
        known = self.known(authorization)
        if known is None and secret.startswith(GATEWAY_PREFIX):
            known = self._gateways.find_now(digest)
        if known is not None:
            return known
        now_ms = time.time_ns() // 1_000_000
        found = self._find(digest, secret[: len(TOKEN_PREFIX)], now_ms)
        with self._lock:
            self._known.pop(digest, None)
            if found is None:
                raise UnauthorizedError(
                    "the key, token or session is unknown, revoked or expired; log in again, or make one with `shelfloop central`"
                )
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            left_s = _KNOWN_FOR_S if found.expires_ms is None else (found.expires_ms - now_ms) / 1000
            self._known[digest] = _Known(time.monotonic() + min(_KNOWN_FOR_S, left_s), found)
        return found

    def forget(self, authorization: str) -> None:
        """The bearer's session has ended: it works no longer, here at once."""
        with self._lock:
            self._known.pop(hash_of(bearer_of(authorization)), None)

    def _find(self, digest: str, prefix: str, now_ms: int) -> Principal | None:
        with self._ledger.read.connect() as connection:
            if prefix == GATEWAY_PREFIX:
                row = connection.execute(_GATEWAY_BY_KEY, {"hash": digest}).first()
                return Principal(Scope.GATEWAY, row.gateway, row.gateway, row.store_id) if row else None
            if prefix == SESSION_PREFIX:
                row = people.session_row(connection, digest, now_ms)
                if row is None:
                    return None
                return _principal(connection, SCOPE_BY_ROLE[row.role], row.person, row, is_person=True)
            row = connection.execute(_TOKEN, {"hash": digest, "now": now_ms}).first()
            if row is None:
                return None
            return _principal(connection, Scope(row.scope), row.name, row, is_person=False)


def bearer_of(authorization: str | None) -> str:
    """The secret of an Authorization header; "" when there is none."""
    kind, _, secret = (authorization or "").partition(" ")
    return secret.strip()[:200] if kind.lower() == "bearer" else ""


def _principal(connection: Connection, scope: Scope, name: str, row: Any, *, is_person: bool) -> Principal:
    reach = None if row.reach is None else Reach.from_json(row.reach)
    return Principal(
        scope, name, stores=credentials.reached_stores(connection, reach), reach=reach, is_person=is_person,
        expires_ms=row.expires_ms,
    )  # fmt: skip


_GATEWAY_BY_KEY = sa.text("SELECT gateway, store_id FROM gateways WHERE key_hash = :hash")
_TOKEN = sa.text(
    """SELECT name, scope, expires_ms, reach FROM tokens
    WHERE token_hash = :hash AND revoked = 0 AND (expires_ms IS NULL OR expires_ms > :now)"""
)
