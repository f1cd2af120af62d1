"""What PostgreSQL's driver must know: whole numbers stay whole, and a text keeps no NUL, which the server refuses."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Buffer, Dumper
from psycopg.types.numeric import NumericLoader
from psycopg.types.string import StrDumper, StrDumperUnknown


class _NumberLoader(NumericLoader):
    """sum() of integers is `numeric` there, an integer on SQLite."""

    def load(self, data: Buffer) -> Any:
        number = super().load(data)
        return int(number) if number == number.to_integral_value() else float(number)


def _without_nul(base: type[Dumper]) -> type[Dumper]:
    class WithoutNul(base):  # type: ignore[valid-type,misc]
        """A till may send any character; U+FFFD says that one stood there."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    return WithoutNul


class Pipeline:
    """Statements go out one after the other; the server works on one while the next is made. None may return rows.

    What any of them raises is raised by a later one, or at the `close`.
    """

    def __init__(self, connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self._pipeline = driver.pipeline()
        self._pipeline.__enter__()

    def close(self) -> None:
        """Waits until the server has done them all."""
        with _as_sqlalchemy():
            self._pipeline.__exit__(None, None, None)


def write(connection: sa.Connection, sql: str, values: tuple[str | None, ...]) -> None:
    """A statement that runs often and returns no rows, past SQLAlchemy. The server keeps its plan."""
    driver: Any = connection.connection.driver_connection
    connection.info["wrote"] = True
    with _as_sqlalchemy():
        driver.execute(sql, values, prepare=True)


@contextmanager
def _as_sqlalchemy() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from error


def one_row(connection: sa.Connection, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Of the first statement of a transaction: its BEGIN goes out with it, and one answer is waited for instead of two."""
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            row: tuple[Any, ...] | None = driver.execute(sql, values, prepare=True).fetchone()
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(sql, None, error, psycopg.Error, hide_parameters=True) from error
    return row


def all_rows(
    connection: sa.Connection, statements: Sequence[str], values: Mapping[str, object]
) -> list[list[tuple[Any, ...]]]:
    """The rows that each statement finds; all go out before the first answer is waited for."""
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            cursors = [driver.execute(sql, values, prepare=True) for sql in statements]
        return [cursor.fetchall() for cursor in cursors]
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from error


_DUMPERS = (_without_nul(StrDumper), _without_nul(StrDumperUnknown))


def set_up_connection(connection: Any, _record: object) -> None:
    connection.adapters.register_loader("numeric", _NumberLoader)
    for dumper in _DUMPERS:
        connection.adapters.register_dumper(str, dumper)
