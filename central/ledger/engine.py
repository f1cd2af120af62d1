"""Opens the ledger: SQLite with WAL and synchronous=FULL, or PostgreSQL."""

import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from central.ledger.schema import migrate, pending_migrations
from runtime.errors import OperatorError

READERS = 8
WRITER_CACHE_KB, READER_CACHE_KB = 8_000, 2_000
"""Pages of a SQLite file that a connection keeps to itself; the system keeps the file for all of them. Eight readers with as much as the
writer would hold 64 MB of the same pages."""
WATCHERS = 4
"""Connections that hold a lead or listen, and are in no transaction."""
LANES = 4
"""Transactions that one process has open at once on PostgreSQL, each on a store of its own."""
CONNECT_WAIT_S = 30.0
"""A database that starts with the machine may need so long until it answers."""
STATEMENT_LIMIT_MS, LOCK_LIMIT_MS = 60_000, 30_000


class Ledger:
    """Two doors to one database: `write` for transactions that change it, `read` for views of the last commit.

    is_shared: other processes may write, too (PostgreSQL); on SQLite one process owns the file.
    """

    def __init__(self, url: str) -> None:
        self.url = checked_url(url)
        self.is_shared = self.url.get_backend_name() == "postgresql"
        try:
            if self.is_shared:
                self.write: Engine = self._postgresql(LANES + 2, "READ COMMITTED")
                self.read: Engine = self._postgresql(READERS, "REPEATABLE READ")
                self.watch: Engine = self._postgresql(WATCHERS, "AUTOCOMMIT")
                self._keep_streams_true(self.write)
            else:
                self.write = self._sqlite("BEGIN IMMEDIATE", 1, WRITER_CACHE_KB)
                self.read = self.watch = self._sqlite("BEGIN", READERS, READER_CACHE_KB)
        except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
            raise OperatorError(f"database_url: {error}; see docs/settings.md") from None

    def create(self) -> tuple[str, ...]:
        """Makes the tables, or brings them forward. Returns the migrations that ran.

        Raises OperatorError when the database is no ledger, or one of a newer program.
        """
        try:
            with self.write.begin() as connection:
                return migrate(connection, self.shown)
        except sa.exc.DatabaseError as error:
            raise self._unusable(error) from None

    def pending(self) -> tuple[str, ...]:
        """Migrations that the database lacks."""
        try:
            with self.read.connect() as connection:
                return pending_migrations(connection, self.shown)
        except sa.exc.DatabaseError as error:
            raise self._unusable(error) from None

    def require(self) -> None:
        """Raises OperatorError when the ledger was never made, or is of an older form."""
        missing = not self.is_shared and not Path(self.url.database or "").exists()
        pending = () if missing else self.pending()
        if missing or (pending and pending[0] == "0001"):
            raise OperatorError(
                f"ledger {self.shown} does not exist; run `shelfloop central init --config FILE` first"
            )
        if pending:
            raise OperatorError(
                f"ledger {self.shown} lacks the migrations {', '.join(pending)}; back it up, then run "
                "`shelfloop central migrate --config FILE`"
            )

    def _unusable(self, error: sa.exc.DatabaseError) -> OperatorError:
        is_away = self.is_shared and isinstance(error, sa.exc.OperationalError)
        step = (
            "start the database's server, or correct database_url"
            if is_away
            else "restore it from a backup, or move it away"
        )
        return OperatorError(f"ledger {self.shown}: {' '.join(str(error.orig).split())}; {step}")

    def wait_until_up(self, limit_s: float = CONNECT_WAIT_S) -> None:
        """Returns when the database answers. Raises sqlalchemy's OperationalError when it does not in time.

        SQLite is a file: there is nothing to wait for, and `require` says what is wrong with it.
        """
        if not self.is_shared:
            return
        deadline = time.monotonic() + limit_s
        while True:
            try:
                with self.read.connect():
                    return
            except sa.exc.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    @staticmethod
    def _keep_streams_true(engine: Engine) -> None:
        from central.ledger.postgresql import forget_on_reset, forget_statements  # noqa: PLC0415 - only where the driver is

        def note(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
            # A transaction that only reads needs no new version of its store, and no disk.
            if not statement.startswith("SELECT"):
                connection.info["wrote"] = True
            if statement.lstrip().startswith(_CHANGES_TABLES):
                forget_statements(connection)

        event.listen(engine, "before_cursor_execute", note)
        event.listen(engine, "rollback", forget_statements)
        event.listen(engine.pool, "reset", forget_on_reset)

    @property
    def shown(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        self.write.dispose()
        self.read.dispose()
        self.watch.dispose()

    def _sqlite(self, begin: str, connections: int, cache_kb: int) -> Engine:
        engine = sa.create_engine(
            self.url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=30,
            pool_use_lifo=True,  # the same few connections answer as long as few ask: the others hold no pages and statements
            connect_args={"check_same_thread": False},
            hide_parameters=True,  # a failed statement is logged; its values name members
        )
        event.listen(engine, "connect", partial(_set_pragmas, cache_kb))
        event.listen(engine, "begin", _begin_with(begin))
        return engine

    def _postgresql(self, connections: int, isolation: Any) -> Engine:
        from central.ledger.postgresql import set_up_connection  # noqa: PLC0415 - only where the driver is

        engine = sa.create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            isolation_level=isolation,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=30,
            connect_args={
                "connect_timeout": 5,
                "application_name": "shelfloop",
                # No jit: it takes longer to compile than any of our statements to run.
                "options": f"-c statement_timeout={STATEMENT_LIMIT_MS} -c lock_timeout={LOCK_LIMIT_MS} -c timezone=UTC -c jit=off",
                # A statement's plan is kept from its second run on: ours are few, and each runs many times.
                "prepare_threshold": 1,
            },
            hide_parameters=True,
        )
        event.listen(engine, "connect", set_up_connection)
        return engine


def checked_url(text: str) -> sa.URL:
    """The URL of a SQLite file or of a PostgreSQL database. Raises OperatorError for any other."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise OperatorError(f"database_url: {error}; see docs/settings.md") from None
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise OperatorError(
            f"database_url: {backend} is not supported, only sqlite and postgresql are; "
            "leave database_url empty for ledger.sqlite3 in state_dir"
        )
    return url


_CHANGES_TABLES = ("ALTER", "DROP", "DISCARD", "DEALLOCATE")
"""After these the driver drops the connection's prepared statements."""
_WAL_PAGES = 8_000
"""Of 4 kB, before they are copied into the database: a page that many batches change is copied once for all of them."""


def _set_pragmas(cache_kb: int, connection: Any, _record: object) -> None:
    # The driver would open transactions late and as DEFERRED; ours begin where we say.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"wal_autocheckpoint={_WAL_PAGES}",
        "busy_timeout=15000",
        f"cache_size=-{cache_kb}",
        "temp_store=MEMORY",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_with(begin: str) -> Callable[[Connection], None]:
    def on_begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute(begin)  # past SQLAlchemy, whose way costs more than the statement
        except sqlite3.Error as error:
            raise sa.exc.DBAPIError.instance(begin, None, error, sqlite3.Error) from error

    return on_begin
