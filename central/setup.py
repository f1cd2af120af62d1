"""What the command line does to the ledger beside the running centre: folders, keys, tokens, rebuilt projections."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.auth import GATEWAY_PREFIX, TOKEN_PREFIX, hash_of, new_secret
from central.ledger import credentials
from central.ledger.engine import Ledger
from central.settings import CentralSettings
from central.timeseries.sql import rebuild_store
from contract.ids import ID_PATTERN
from runtime.clock import SystemClock
from runtime.errors import OperatorError

MAX_NAME_CHARS = 80
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
    with _ledger(settings) as connection:
        other = credentials.put_gateway(connection, gateway, store, hash_of(key), SystemClock().now_ms())
    if other is not None:
        raise OperatorError(f"gateway {gateway} stands in store {other}; choose another id for store {store}")
    return key


def create_token(settings: CentralSettings, scope: str, name: str) -> str:
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise OperatorError(f"--name must be 1 to {MAX_NAME_CHARS} printable characters")
    token = new_secret(TOKEN_PREFIX)
    with _ledger(settings) as connection:
        credentials.put_token(connection, name, scope, hash_of(token), SystemClock().now_ms())
    return token


def revoke_token(settings: CentralSettings, name: str) -> int:
    with _ledger(settings) as connection:
        return credentials.revoke_tokens(connection, name)


def rebuild_rollups(settings: CentralSettings) -> Iterator[tuple[str, int]]:
    """(store, rows) as each store's sums are done."""
    with _ledger(settings) as connection:
        for row in connection.execute(_STORES).all():
            yield row.store_id, rebuild_store(connection, row.store_id, ZoneInfo(row.timezone))


@contextmanager
def _ledger(settings: CentralSettings) -> Iterator[Connection]:
    ledger = Ledger(settings.url)
    try:
        ledger.require()
        with ledger.write.begin() as connection:
            yield connection
    finally:
        ledger.close()
