"""What PostgreSQL's driver must know: whole numbers stay whole, and a text keeps no NUL, which the server refuses."""

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

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


class Stream:
    """A connection's statements that return nothing: they go out one after the other, and nobody waits before `finish`.

    Straight by libpq, in its pipeline mode: the driver's own pipeline costs eight times the processor time. Each statement is
    prepared once a connection. What any of them raises, `finish` raises.
    """

    def __init__(self, connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self.driver = driver
        self._pg: Any = driver.pgconn
        self._encoding: str = driver.info.encoding
        self._names: dict[str, bytes] = {}
        self._made = 0
        self.is_open = False
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)

    @classmethod
    def of(cls, connection: sa.Connection) -> "Stream":
        stream = connection.info.get(_STREAM)
        if stream is None:
            stream = connection.info[_STREAM] = cls(connection)
        return cast("Stream", stream)

    @property
    def is_lost(self) -> bool:
        """The server is gone: nothing can be rolled back, and nothing was committed that it did not say."""
        return bool(self._pg.status != psycopg.pq.ConnStatus.OK)

    def send(self, sql: str, values: Sequence[str | None] = ()) -> None:
        """sql: with a `%s` for each value, as the driver has it."""
        if not self.is_open:
            self._pg.enter_pipeline_mode()
            self.is_open = True
        name = self._names.get(sql)
        if name is None:
            # A number that was never used: of a statement that failed nobody knows whether it is there.
            self._made += 1
            name = self._names[sql] = f"shelfloop_{self._made}".encode()
            self._pg.send_prepare(name, _numbered(sql).encode())
        self._pg.send_query_prepared(name, [None if value is None else _bytes_of(value) for value in values])
        self._pg.flush()  # what the socket takes: the server begins

    def row(self, sql: str, values: Sequence[str | None]) -> tuple[str | None, ...] | None:
        """The first row of a transaction's first statement, whose BEGIN goes out with it. Its values as text."""
        if self._pg.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self.send(_BEGIN)
        self.send(sql, values)
        found = self.finish()[-1]
        if not found.ntuples:
            return None
        cells = [found.get_value(0, place) for place in range(found.nfields)]
        return tuple(None if cell is None else cell.decode() for cell in cells)

    def commit(self) -> None:
        """Sends what makes it last, and waits for it."""
        self.send(_COMMIT)
        done = self.finish()[-1].command_status
        if done != b"COMMIT":
            raise sa.exc.OperationalError(
                _COMMIT, None, psycopg.OperationalError(f"the server answered {done!r} to it")
            )

    def finish(self) -> list[Any]:
        """Waits until the server has done them all. Returns their results; raises sqlalchemy's DBAPIError of the first that failed."""
        if not self.is_open:
            return []
        with _as_sqlalchemy():
            try:
                results = self._results()
                self._pg.exit_pipeline_mode()
                self.is_open = False
            except psycopg.Error:
                self.forget()
                raise
            failed = next((one for one in results if one.status not in _DONE), None)
            if failed is not None:
                self.forget()
                error = psycopg.errors.error_from_result(failed, encoding=self._encoding)
                if error.sqlstate == _UNKNOWN_STATEMENT:
                    raise psycopg.OperationalError(f"a prepared statement is gone: {error}") from error
                raise error
        return results

    def forget(self) -> None:
        """After a rollback the driver drops all prepared statements of the connection, ours too."""
        self._names = {}

    def _results(self) -> list[Any]:
        self._pg.pipeline_sync()
        results: list[Any] = []
        while True:
            if self._pg.flush():
                self._wait(select.POLLIN | select.POLLOUT)
                self._pg.consume_input()
                continue
            while self._pg.is_busy():
                self._wait(select.POLLIN)
                self._pg.consume_input()
            result = self._pg.get_result()
            if result is None:  # the end of one statement's
                if self._pg.status != psycopg.pq.ConnStatus.OK:
                    raise psycopg.OperationalError("the connection was lost")
            elif result.status == psycopg.pq.ExecStatus.PIPELINE_SYNC:
                return results
            else:
                results.append(result)

    def _wait(self, events: int) -> None:
        self._poll.modify(self._pg.socket, events)
        self._poll.poll()


_STREAM = "stream"
_BEGIN, _COMMIT = "BEGIN ISOLATION LEVEL READ COMMITTED", "COMMIT"
_DONE = (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK)
_UNKNOWN_STATEMENT = "26000"


def _numbered(sql: str) -> str:
    """With PostgreSQL's own places: $1, $2, …"""
    first, *rest = sql.split("%s")
    return "".join([first, *(f"${place}{part}" for place, part in enumerate(rest, 1))]).replace("%%", "%")


def _bytes_of(value: str) -> bytes:
    return (value.replace("\0", "\ufffd") if "\0" in value else value).encode()


def write(connection: sa.Connection, sql: str, values: tuple[str | None, ...]) -> None:
    """A statement that runs often and returns no rows, past SQLAlchemy. The server keeps its plan."""
    driver: Any = connection.connection.driver_connection
    with _as_sqlalchemy():
        driver.execute(sql, values, prepare=True)


def forget_statements(connection: sa.Connection) -> None:
    """Of the connection's stream: a transaction was rolled back, or a table changed its form."""
    stream = None if connection.invalidated else connection.info.get(_STREAM)
    if stream is not None:
        stream.forget()


def forget_on_reset(driver: Any, record: Any, _state: object) -> None:
    """A connection that comes back to its pool inside a transaction is rolled back there."""
    stream = record.info.get(_STREAM)
    if stream is not None and driver.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        stream.forget()


@contextmanager
def _as_sqlalchemy() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from error


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
