"""What the command line does to the ledger beside the running centre: folders, keys, tokens, rebuilt projections."""

import re
import unicodedata
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from central.access import Reach, Scope
from central.auth import GATEWAY_PREFIX, LINK_PREFIX, TOKEN_PREFIX, hash_of, new_secret
from central.core.vouched import KEY, PERSON, TOKEN
from central.ledger import credentials, people, till_days
from central.ledger.engine import Ledger
from central.ledger.running import alone_on
from central.operator_work import OPERATOR, operator_work
from central.settings import CentralSettings
from central.timeseries.projection import forget_target
from central.timeseries.sql import rebuild_store
from contract.ids import ID_PATTERN
from runtime.clock import SystemClock
from runtime.errors import OperatorError

MAX_NAME_CHARS = 80
MAX_TOKEN_DAYS = 36_500
TOKEN_DAYS = 365
"""A token that leaks must not work for ever; the command says the day."""
LINK_MIN, MAX_LINK_MIN = 15, 1440
DAY_MS = 86_400_000
_REGIONS = sa.text("SELECT store_id, region FROM stores")
_STORES = sa.text("SELECT store_id, timezone FROM stores ORDER BY store_id")


def init_state(settings: CentralSettings) -> None:
    """Makes the folder (its owner's only) and the tables. Raises OperatorError when it cannot."""
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"state_dir {settings.state_dir}: {error.strerror}; choose a folder that can be made"
        ) from None
    ledger = Ledger(settings.url)
    try:
        ledger.create()
    finally:
        ledger.close()


def add_gateway(settings: CentralSettings, store: str, gateway: str) -> str:
    """A new key for the gateway. Raises OperatorError when the name is bad or stands in another store."""
    for what, name in (("store", store), ("gateway", gateway)):
        if not re.match(ID_PATTERN, name):
            raise OperatorError(
                f"--{what} {name!r} must be lower case letters, digits and inner hyphens, at most 48"
            )
    key = new_secret(GATEWAY_PREFIX)
    with operator_work(settings) as work:
        other = credentials.put_gateway(work.connection, gateway, store, hash_of(key), SystemClock().now_ms())
        if other is not None:
            raise OperatorError(
                f"gateway {gateway} stands in store {other}; choose another id for store {store}"
            )
        work.audit(OPERATOR, "add-gateway", gateway, f"store {store}: a new key")
        work.vouch_for_row(KEY, gateway)
    return key


def create_token(
    settings: CentralSettings, scope: str, name: str, *, days: int = TOKEN_DAYS, reach: Reach | None = None
) -> str:
    """A new token. days: until it expires, 0 never. reach: None for the whole chain. Raises OperatorError for a bad name."""
    _check_name(name)
    _check_reach(reach, scope)
    if not 0 <= days <= MAX_TOKEN_DAYS:
        raise OperatorError(f"--days {days}: a token works for 1 to {MAX_TOKEN_DAYS} days, or for ever: 0")
    token, now_ms = new_secret(TOKEN_PREFIX), SystemClock().now_ms()
    with operator_work(settings) as work:
        expires_ms = now_ms + days * DAY_MS if days else None
        kept = None if reach is None else reach.to_json()
        credentials.put_token(
            work.connection, name, scope, hash_of(token), now_ms, expires_ms=expires_ms, reach=kept
        )
        said = f"{scope}, {_shown(kept)}, {f'for {days} days' if days else 'for ever'}"
        work.audit(OPERATOR, "create-token", name, said[:300])
        work.vouch_for_row(TOKEN, hash_of(token))
    return token


def put_person(
    settings: CentralSettings, name: str, role: str, password: str | None, *, reach: Reach | None = None
) -> None:
    """Makes a person, or gives one a new password, role and reach; open sessions end. Raises OperatorError for bad values.

    password: None for one who comes in by one-time links only.
    """
    plain = unicodedata.normalize("NFKC", name)
    _check_name(plain)
    _check_reach(reach, role)
    from central.passwords import NO_PASSWORD, hash_password  # noqa: PLC0415 - the other commands hash none

    password_hash = NO_PASSWORD if password is None else hash_password(password)
    with operator_work(settings) as work:
        kept = None if reach is None else reach.to_json()
        people.put_person(work.connection, plain, password_hash, role, kept, SystemClock().now_ms())
        work.audit(OPERATOR, "put-person", plain, f"{role}, {_shown(kept)}"[:300])
        work.vouch_for_row(PERSON, plain)


def make_link(settings: CentralSettings, name: str, minutes: int = LINK_MIN) -> str:
    """A code that opens one session of the person within so many minutes. Raises OperatorError for bad values."""
    check_minutes(minutes)
    code, now_ms = new_secret(LINK_PREFIX), SystemClock().now_ms()
    with operator_work(settings) as work:
        plain = unicodedata.normalize("NFKC", name)
        if people.person_row(work.connection, plain) is None:
            raise OperatorError(f"nobody is called {name!r}; `shelfloop central access` shows who is there")
        until_ms = now_ms + minutes * 60_000
        people.open_session(work.connection, plain, hash_of(code), now_ms, until_ms, kind="link")
        work.audit(OPERATOR, "make-link", plain, f"opens one session within {minutes} minutes")
    return code


def check_minutes(minutes: int) -> None:
    if not 1 <= minutes <= MAX_LINK_MIN:
        raise OperatorError(f"--minutes {minutes}: a link works for 1 to {MAX_LINK_MIN} minutes")


def unknown_in(settings: CentralSettings, reach: Reach | None) -> list[str]:
    """Stores and regions of `reach` that the ledger does not know."""
    if reach is None:
        return []
    ledger = Ledger(settings.url)
    try:
        with ledger.read.connect() as connection:
            known = connection.execute(_REGIONS).all()
    finally:
        ledger.close()
    stores, regions = {row.store_id for row in known}, {row.region for row in known}
    return [
        *(f"store {name}" for name in reach.stores if name not in stores),
        *(f"region {name}" for name in reach.regions if name not in regions),
    ]


def remove_person(settings: CentralSettings, name: str) -> int:
    with operator_work(settings) as work:
        plain = unicodedata.normalize("NFKC", name)
        count = people.delete_person(work.connection, plain)
        if count:
            work.audit(OPERATOR, "remove-person", plain)
            work.vouch_for_row(PERSON, plain)
    return count


def who_may(settings: CentralSettings) -> list[str]:
    """A line for each person and each token that works."""
    now_ms = SystemClock().now_ms()
    with operator_work(settings) as work:
        persons = people.all_people(work.connection)
        tokens = [row for row in credentials.all_tokens(work.connection) if not row.revoked]
    lines = [f"person {row.person}: {row.role}, {_shown(row.reach)}" for row in persons]
    for row in tokens:
        left = (
            "never expires" if row.expires_ms is None else f"{(row.expires_ms - now_ms) // DAY_MS} days left"
        )
        expired = row.expires_ms is not None and row.expires_ms <= now_ms
        lines.append(f"token {row.name}: {row.scope}, {_shown(row.reach)}, {'expired' if expired else left}")
    return lines


def revoke_token(settings: CentralSettings, name: str) -> int:
    with operator_work(settings) as work:
        revoked = credentials.revoke_tokens(work.connection, name)
        if revoked:
            work.audit(OPERATOR, "revoke-tokens", name, f"{len(revoked)} of this name")
        for token_hash in revoked:
            work.vouch_for_row(TOKEN, token_hash)
    return len(revoked)


def rewrite_series(settings: CentralSettings) -> None:
    """Lets the centre write all time series to their server again."""
    with operator_work(settings) as work:
        forget_target(work.connection)
        work.audit(OPERATOR, "rewrite-series", "all")


def rebuild_rollups(settings: CentralSettings) -> Iterator[tuple[str, int]]:
    """(store, rows) as each store's sums are done."""
    ledger = Ledger(settings.url)
    try:
        with alone_on(ledger, "rebuild-rollups"):
            with operator_work(settings) as work:
                stores = work.connection.execute(_STORES).all()
                work.audit(OPERATOR, "rebuild-rollups", "all")
            for row in stores:
                with ledger.write.begin() as connection:
                    zone = ZoneInfo(row.timezone)
                    rows = rebuild_store(connection, row.store_id, zone)
                    rows += till_days.rebuild(connection, row.store_id, zone)
                yield row.store_id, rows
    finally:
        ledger.close()


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise OperatorError(f"--name must be 1 to {MAX_NAME_CHARS} printable characters")


def _check_reach(reach: Reach | None, role: str) -> None:
    """The roles `store` and `region` are nothing without a reach; the others may have one."""
    if role == Scope.STORE and not (reach and reach.stores):
        raise OperatorError("--role store wants at least one --store")
    if role == Scope.REGION and not (reach and reach.regions):
        raise OperatorError("--role region wants at least one --region")
    for store in reach.stores if reach is not None else ():
        if not re.match(ID_PATTERN, store):
            raise OperatorError(f"--store {store!r} must be lower case letters, digits and inner hyphens")
    if role in (Scope.ADMIN, Scope.MEMBER_APP) and reach is not None:
        raise OperatorError(f"{role} is about the whole chain; leave out --store and --region")


def _shown(reach: str | None) -> str:
    if reach is None:
        return "the whole chain"
    of = Reach.from_json(reach)
    return ", ".join([*(f"store {name}" for name in of.stores), *(f"region {name}" for name in of.regions)])
