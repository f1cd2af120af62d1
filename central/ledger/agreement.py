"""How the processes of one centre agree: who takes a turn of recurring work, who leads, and what was placed.

On SQLite there is one process, which takes all turns and leads.
"""

import threading
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger.engine import Ledger
from central.ledger.running import share
from runtime.logs import Log

log = Log("central.agreement")

LISTEN_S = 0.5
RETRY_S = 1.0

_TAKE = sa.text(
    """INSERT INTO turns (work, turn) VALUES (:work, :turn)
    ON CONFLICT (work) DO UPDATE SET turn = excluded.turn WHERE turns.turn < excluded.turn"""
)
_LEAD = sa.text("SELECT pg_try_advisory_lock(:number)")
_STILL = sa.text("SELECT 1")


def take_turn(connection: Connection, work: str, turn: int) -> bool:
    """Whether this process is the one that does `turn` of `work`: the first that asks, once it has committed."""
    return connection.execute(_TAKE, {"work": work, "turn": turn}).rowcount == 1


class Leadership:
    """`is_mine`: whether this process leads; held by a connection's lock, so that it ends with the process or its line."""

    def __init__(self, ledger: Ledger, number: int) -> None:
        self._ledger, self._number = ledger, number
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def is_mine(self) -> bool:
        if not self._ledger.is_shared:
            return True
        with self._lock:
            try:
                return self._ask()
            except sa.exc.DBAPIError:
                self._drop()
                return False

    def _ask(self) -> bool:
        if self._connection is not None:
            self._connection.execute(_STILL)
            return True
        connection = self._ledger.watch.connect()
        if connection.execute(_LEAD, {"number": self._number}).scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def listen(ledger: Ledger, on_placed: Callable[[], None], stop: threading.Event) -> None:
    """Calls `on_placed` whenever any process gave events their positions. Run it in a supervised thread."""
    while not stop.is_set():
        try:
            with ledger.watch.connect() as connection:
                connection.execute(sa.text("LISTEN shelfloop_placed"))
                share(connection)
                on_placed()  # what came while nobody listened
                _hear(connection, on_placed, stop)
        except sa.exc.DBAPIError as error:
            log.warning("no news of the feed", reason=str(error.orig)[:200])
            stop.wait(RETRY_S)


def _hear(connection: Connection, on_placed: Callable[[], None], stop: threading.Event) -> None:
    import psycopg  # noqa: PLC0415 - only where the driver is

    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        while not stop.is_set():
            for _ in driver.notifies(timeout=LISTEN_S, stop_after=1):
                on_placed()
    except psycopg.Error as error:
        connection.invalidate()
        log.warning("no news of the feed", reason=str(error)[:200])
        stop.wait(RETRY_S)
