"""People log in and out, and a caller asks what it may see."""

import threading
import time
import unicodedata
from typing import Annotated

from fastapi import APIRouter, Header, Request

from central.access import Principal
from central.api.gate import FromAnyone, TheCentre
from central.auth import LINK_PREFIX, SESSION_PREFIX, Authority, bearer_of, hash_of, new_secret
from central.centre import Centre, real_ms
from central.context import CHAIN, Work
from central.core.throttle import Throttle
from central.errors import SenderError, TooManyError, UnauthorizedError
from central.ledger import people
from central.passwords import is_password
from contract.api.people import LogIn, Me, SessionMade

router = APIRouter(prefix="/v1", tags=["people"])

HOUR_MS = 3_600_000
BY_NAME = (1 / 30, 6)
"""Attempts a second and at once for one name: 6, then one each half minute. A guess of 12 characters needs more."""
BY_ADDRESS = (1.0, 60)
"""From one address, which may be a whole office behind one."""


class LogInGuard:
    """Slows down guessing, by name and by address; in memory, so that a guesser writes nothing."""

    def __init__(self) -> None:
        self._names, self._addresses = Throttle(*BY_NAME), Throttle(*BY_ADDRESS)
        self._lock = threading.Lock()

    def take(self, name: str, address: str) -> None:
        """Counts an attempt before it is judged. Raises TooManyError when one of both must wait. name "": by address only."""
        with self._lock:
            now_s = time.monotonic()
            wait_s = max(self._addresses.take(address, now_s), self._names.take(name, now_s) if name else 0.0)
        if wait_s:
            raise TooManyError(
                f"more than {BY_NAME[1]} log-ins with this name, then one each {1 / BY_NAME[0]:.0f} s, or {BY_ADDRESS[1]} from this "
                "address, then one each second; wait as Retry-After says and try again",
                wait_s,
            )


@router.post("/sessions", status_code=201)
def log_in(attempt: LogIn, request: Request, centre: TheCentre) -> SessionMade:
    """By name and password, or by a one-time link. Wrong ones are all answered alike."""
    guard: LogInGuard = request.app.state.log_in_guard
    address = request.client.host if request.client else ""
    # Links are random: guessing them is bounded by address alone.
    name = "" if attempt.link else unicodedata.normalize("NFKC", attempt.name)
    if not attempt.link and not (attempt.name and attempt.password):
        raise SenderError("send name and password, or the code of a one-time link")
    guard.take(name, address)
    if not attempt.link and not _is_right(centre, name, attempt.password):
        centre.count("refused_logins")
        raise UnauthorizedError(
            "name or password is wrong; an admin sets a new one: `shelfloop central person add`"
        )
    token = new_secret(SESSION_PREFIX)
    made = centre.call_store(CHAIN, lambda work: _open(work, name, attempt.link, token))
    if made is None:
        centre.count("refused_logins")
        raise UnauthorizedError(
            "the link is unknown, used or expired; make one: `shelfloop central person link`"
        )
    return made


@router.delete("/sessions/mine", status_code=204)
def log_out(
    principal: FromAnyone, request: Request, centre: TheCentre, authorization: Annotated[str, Header()] = ""
) -> None:
    """Ends the session that asks. A key or token stays as it is."""
    if not principal.is_person:
        raise SenderError(
            "this is a key or token, no session; revoke it with `shelfloop central token revoke`"
        )
    digest = hash_of(bearer_of(authorization))

    def job(work: Work) -> None:
        people.end_session(work.connection, digest)
        work.audit(principal.name, "log-out", principal.name)

    centre.call_store(CHAIN, job)
    authority: Authority = request.app.state.authority
    authority.forget(authorization)


@router.get("/me")
async def get_me(principal: FromAnyone) -> Me:
    """Who the caller is here, and whose rows it sees."""
    return me_of(principal)


def me_of(principal: Principal) -> Me:
    stores = principal.stores if principal.stores is not None else None
    if principal.gateway:
        stores = frozenset({principal.store})
    return Me(
        name=principal.name, scope=principal.scope, is_person=principal.is_person,
        stores=None if stores is None else sorted(stores), expires_ms=principal.expires_ms,
    )  # fmt: skip


def _is_right(centre: Centre, name: str, password: str) -> bool:
    with centre.ledger.read.connect() as connection:
        row = people.person_row(connection, name)
    return is_password(None if row is None else row.password_hash, password)


def _open(work: Work, name: str, link: str, token: str) -> SessionMade | None:
    now_ms = real_ms()
    if link:
        found = (
            people.use_link(work.connection, hash_of(link), now_ms) if link.startswith(LINK_PREFIX) else None
        )
        if found is None:
            return None
        name = found
    row = people.person_row(work.connection, name)
    if row is None:
        return None
    expires_ms = now_ms + int(work.settings.session_h * HOUR_MS)
    people.open_session(work.connection, name, hash_of(token), now_ms, expires_ms)
    work.audit(name, "log-in", name, "by a one-time link" if link else "by password")
    return SessionMade(token=token, name=name, role=row.role, expires_ms=expires_ms)
