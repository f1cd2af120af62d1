"""Opens the ledger: SQLite with WAL and synchronous=FULL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from central.ledger.tables import SCHEMA_VERSION, metadata
from runtime.errors import OperatorError

READERS = 8


class Ledger:
    """Two doors to one database: `write` has one connection, `read` has several that see the last commit."""

    def __init__(self, url: str) -> None:
        self.url = checked_url(url)
        try:
            self.write: Engine = self._engine("BEGIN IMMEDIATE", 1)
            self.read: Engine = self._engine("BEGIN", READERS)
        except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
            raise OperatorError(f"database_url: {error}; see docs/settings.md") from None

    def create(self) -> None:
        """Makes missing tables. Raises OperatorError when the file is no ledger, or one of another version."""
        try:
            with self.write.begin() as connection:
                metadata.create_all(connection)
                _check_version(connection, self.shown)
        except sa.exc.DatabaseError as error:
            raise OperatorError(
                f"ledger {self.shown}: {error.orig}; restore it from a backup, or move it away"
            ) from None

    def require(self) -> None:
        """Raises OperatorError when the ledger was never made."""
        if not Path(self.url.database or "").exists():
            raise OperatorError(
                f"ledger {self.shown} does not exist; run `shelfloop central init --config FILE` first"
            )
        self.create()

    @property
    def shown(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        self.write.dispose()
        self.read.dispose()

    def _engine(self, begin: str, connections: int) -> Engine:
        engine = sa.create_engine(
            self.url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=30,
            connect_args={"check_same_thread": False},
            hide_parameters=True,  # a failed statement is logged; its values name members
        )
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_with(begin))
        return engine


def checked_url(text: str) -> sa.URL:
    """The URL of a SQLite file. Raises OperatorError for any other, PostgreSQL's too."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise OperatorError(f"database_url: {error}; see docs/settings.md") from None
    backend = url.get_backend_name()
    if backend != "sqlite":
        named = "PostgreSQL" if backend in ("postgresql", "postgres") else backend
        raise OperatorError(
            f"database_url: {named} is not supported yet by this version, only SQLite is; "
            "leave database_url empty for ledger.sqlite3 in state_dir"
        )
    return url


def _set_pragmas(connection: Any, _record: object) -> None:
    # The driver would open transactions late and as DEFERRED; ours begin where we say.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=15000",
        "cache_size=-8000",
        "temp_store=MEMORY",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_with(begin: str) -> Callable[[Connection], None]:
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return on_begin


def _check_version(connection: Connection, shown: str) -> None:
    found = connection.execute(sa.text("SELECT value FROM meta WHERE key = 'schema'")).scalar()
    if found is None:
        connection.execute(
            sa.text("INSERT INTO meta (key, value) VALUES ('schema', :v)"), {"v": str(SCHEMA_VERSION)}
        )
    elif int(found) != SCHEMA_VERSION:
        raise OperatorError(
            f"ledger {shown} has schema {found}, this program wants {SCHEMA_VERSION}; use the version that made it"
        )
