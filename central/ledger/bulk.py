"""One statement for many rows, compiled once: SQLAlchemy builds parameters row by row, which costs more than the insert.

SQLite gets many rows a statement: between two statements its driver lets other threads run, and each time that costs as
much as a row. PostgreSQL gets all rows as one array a column and unnests them: one message instead of one a row; what is the
same in all rows goes as one value, and a single row as plain values.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger.tables import metadata

_INSERT = re.compile(r"\s*INSERT INTO (\w+) \(([^)]*)\)\s+VALUES \(([^)]*)\)(.*)", re.DOTALL)
_NAMED = re.compile(r":(\w+)$")

TOGETHER = (128, 32, 8)

Rows = Sequence[dict[str, Any]]
Send = Callable[[str, Sequence[str | None]], None]


class BulkStatement:
    """`INSERT INTO table (columns) VALUES (:names) …`. Values must be what the driver takes (int, str, float, None).

    newest_of: of rows that are equal in these columns only the one with the latest `at_ms` is written, the last of
    several; for statements that would do the same one after the other.
    often_same: columns that mostly have one value in all rows of a call, besides those that say whose rows they are.
    """

    def __init__(
        self, statement: sa.Executable, *, newest_of: tuple[str, ...] = (), often_same: tuple[str, ...] = ()
    ) -> None:
        self._statement, self._newest_of, self._often_same = statement, newest_of, often_same
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, rows: Rows) -> None:
        """rows: each with its values by their names."""
        self.run_tuples(connection, self.tuples(rows))

    def tuples(self, rows: Rows) -> list[tuple[Any, ...]]:
        """The same for `run_tuples`: one for each row that will be written."""
        if self._newest_of:
            rows = _newest(rows, self._newest_of)
        names = self._names
        return [tuple([row[name] for name in names]) for row in rows]

    def run_tuples(
        self, connection: Connection, rows: Sequence[tuple[Any, ...]], send: Send | None = None
    ) -> None:
        """rows: each with its values in the statement's order. send: of a stream, where the server's answer is awaited later."""
        if rows:
            self._execute(connection, self._for(connection), rows, send)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Of the values, in the statement's order."""
        return _compiled(str(self._statement.compile()), is_postgresql=False).names  # type: ignore[attr-defined]

    def _for(self, connection: Connection) -> "_Compiled":
        name = connection.dialect.name
        found = self._compiled.get(name)
        if found is None:
            text = str(self._statement.compile())  # type: ignore[attr-defined]
            found = _compiled(text, is_postgresql=name == "postgresql", often_same=self._often_same)
            self._compiled[name] = found
        return found

    @staticmethod
    def _execute(
        connection: Connection, compiled: "_Compiled", rows: Sequence[tuple[Any, ...]], send: Send | None
    ) -> None:
        # Past SQLAlchemy, whose way to the driver costs as much as ten rows.
        if compiled.arrays is not None:
            from central.ledger.postgresql import write  # noqa: PLC0415 - only where the driver is

            connection.info["wrote"] = True
            sql, values = compiled.arrays.of(rows)
            if send is None:
                write(connection, sql, values)
            else:
                send(sql, values)
            return
        try:
            cursor = connection.connection.cursor()
            first = 0
            for together, sql in compiled.sql_together:
                while len(rows) - first >= together:
                    some = chain.from_iterable(rows[first : first + together])
                    cursor.execute(sql, tuple(some))
                    first += together
            if first < len(rows):
                cursor.executemany(compiled.sql, rows[first:])
        except sqlite3.Error as error:
            raise sa.exc.DBAPIError.instance(
                compiled.sql, None, error, sqlite3.Error, hide_parameters=True
            ) from error


@dataclass(frozen=True, slots=True)
class _Compiled:
    """sql_together: of so many rows, most first, for SQLite. arrays: the same for PostgreSQL, None on SQLite."""

    sql: str
    sql_together: tuple[tuple[int, str], ...]
    names: tuple[str, ...]
    arrays: "_Arrays | None" = None


class _Arrays:
    """An INSERT on PostgreSQL, in few forms: each is a statement that the server plans once a connection."""

    def __init__(
        self, table: sa.Table, columns: Sequence[str], tail: str, often_same: tuple[str, ...]
    ) -> None:
        self._types = [_TYPES[type(table.c[column].type)] for column in columns]
        self._arrays = [
            _plain_numbers if of is _numbers and not table.c[column].nullable else of
            for column, (_, of) in zip(columns, self._types, strict=True)
        ]
        self._into = (
            f"INSERT INTO {table.name} ({', '.join(f'{chr(34)}{column}{chr(34)}' for column in columns)})"
        )
        self._tail = tail.replace("%", "%%")
        whose = frozenset(place for place, column in enumerate(columns) if column in _WHOSE)
        often = frozenset(place for place, column in enumerate(columns) if column in often_same)
        self._forms = [(form, self._sql(form)) for form in dict.fromkeys((whose | often, whose)) if form]
        self._all_arrays = (frozenset[int](), self._sql(frozenset()))
        self._one_row = self._sql(frozenset(range(len(columns))))

    def of(self, rows: Sequence[tuple[Any, ...]]) -> tuple[str, tuple[str | None, ...]]:
        """The statement for these rows, and its values."""
        if len(rows) == 1:
            return self._one_row, tuple([_value(value) for value in rows[0]])
        columns = list(zip(*rows, strict=True))
        same, sql = next(
            (form for form in self._forms if all(_is_same(columns[place]) for place in form[0])),
            self._all_arrays,
        )
        return sql, tuple(
            [
                _value(column[0]) if place in same else f"{{{to(column)}}}"
                for place, (to, column) in enumerate(zip(self._arrays, columns, strict=True))
            ]
        )

    def _sql(self, same: frozenset[int]) -> str:
        """same: places of the columns that have one value in all rows. The order of the values stays that of the columns."""
        if len(same) == len(self._types):
            return f"{self._into} VALUES ({', '.join(f'%s::{sql}' for sql, _ in self._types)}){self._tail}"
        # Arrays are unnested where they stand: all are as long as each other, so that the server walks them in step.
        parts = ", ".join(
            f"%s::{sql}" if place in same else f"unnest(%s::{sql}[])"
            for place, (sql, _) in enumerate(self._types)
        )
        return f"{self._into} SELECT {parts}{self._tail}"


def _compiled(text: str, *, is_postgresql: bool, often_same: tuple[str, ...] = ()) -> _Compiled:
    match = _INSERT.match(text)
    assert match is not None, f"not an INSERT of named values: {text[:80]}"
    columns = [part.strip().strip('"') for part in match[2].split(",")]
    names = tuple(_name(part.strip()) for part in match[3].split(","))
    if is_postgresql:
        return _Compiled("", (), names, _Arrays(metadata.tables[match[1]], columns, match[4], often_same))
    quoted = ", ".join(f'"{column}"' for column in columns)
    into = f"INSERT INTO {match[1]} ({quoted})"
    values = f"({', '.join('?' * len(names))})"
    sql = {count: f"{into} VALUES {', '.join([values] * count)}{match[4]}" for count in (*TOGETHER, 1)}
    return _Compiled(sql.pop(1), tuple(sql.items()), names)


def _name(part: str) -> str:
    match = _NAMED.match(part)
    assert match is not None, f"a bulk statement takes named values only, not {part[:40]}"
    return match[1]


def _newest(rows: Rows, key: tuple[str, ...]) -> Rows:
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        place = tuple([row[name] for name in key])
        if place not in kept or row["at_ms"] >= kept[place]["at_ms"]:
            kept[place] = row
    return list(kept.values())


def _is_same(column: Sequence[Any]) -> bool:
    return column.count(column[0]) == len(column)


def _value(value: float | str | None) -> str | None:
    """As text, so that the driver names no type of its own: a small number would make another statement than a large one."""
    return None if value is None else str(value)


def _plain_numbers(column: Sequence[float]) -> str:
    return ",".join(map(str, column))


def _numbers(column: Sequence[float | None]) -> str:
    return ",".join(["NULL" if value is None else str(value) for value in column])


def _texts(column: Sequence[str | None]) -> str:
    try:
        joined = '","'.join(column)  # type: ignore[arg-type]
    except TypeError:
        return ",".join(map(_text, column))
    # Mostly nothing stands in them that an array's text must mark.
    if "\\" in joined or "\0" in joined or joined.count('"') != 2 * (len(column) - 1):
        return ",".join(map(_text, column))
    return f'"{joined}"'


def _text(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\ufffd")
    return f'"{escaped}"'


_WHOSE = frozenset(("store_id", "gateway", "epoch"))
_TYPES: dict[type, tuple[str, Callable[[Any], str]]] = {
    sa.Text: ("text", _texts),
    sa.BigInteger: ("bigint", _numbers),
    sa.Float: ("double precision", _numbers),
}
