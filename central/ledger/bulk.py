"""One statement for many rows, compiled once: SQLAlchemy builds parameters row by row, which costs more than the insert.

SQLite gets TOGETHER rows a statement: between two statements its driver lets other threads run, and each time that costs as
much as a row. PostgreSQL gets all rows as one array a column and unnests
them: one message instead of one a row.
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

TOGETHER = 32

Rows = Sequence[dict[str, Any]]


class BulkStatement:
    """`INSERT INTO table (columns) VALUES (:names) …`. Values must be what the driver takes (int, str, float, None).

    newest_of: of rows that are equal in these columns only the one with the latest `at_ms` is written, the last of
    several; for statements that would do the same one after the other.
    """

    def __init__(self, statement: sa.Executable, *, newest_of: tuple[str, ...] = ()) -> None:
        self._statement, self._newest_of = statement, newest_of
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

    def run_tuples(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """rows: each with its values in the statement's order."""
        if rows:
            self._execute(connection, self._for(connection), rows)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Of the values, in the statement's order."""
        return _compiled(str(self._statement.compile()), is_postgresql=False).names  # type: ignore[attr-defined]

    def _for(self, connection: Connection) -> "_Compiled":
        name = connection.dialect.name
        found = self._compiled.get(name)
        if found is None:
            text = str(self._statement.compile())  # type: ignore[attr-defined]
            found = self._compiled[name] = _compiled(text, is_postgresql=name == "postgresql")
        return found

    @staticmethod
    def _execute(connection: Connection, compiled: "_Compiled", rows: Sequence[tuple[Any, ...]]) -> None:
        if compiled.elements is None:
            try:
                # Past SQLAlchemy, whose way to the driver costs as much as ten rows.
                cursor = connection.connection.cursor()
                first = 0
                while len(rows) - first >= TOGETHER:
                    some = chain.from_iterable(rows[first : first + TOGETHER])
                    cursor.execute(compiled.sql_together, tuple(some))
                    first += TOGETHER
                cursor.executemany(compiled.sql, rows[first:])
            except sqlite3.Error as error:
                raise sa.exc.DBAPIError.instance(
                    compiled.sql, None, error, sqlite3.Error, hide_parameters=True
                ) from error
            return
        columns = zip(*rows, strict=True)
        arrays = tuple(
            [f"{{{','.join(map(to, one))}}}" for to, one in zip(compiled.elements, columns, strict=True)]
        )
        connection.exec_driver_sql(compiled.sql, arrays)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """sql_together: of TOGETHER rows, for SQLite. elements: how each column's values become elements of an array; None where the driver takes them as they are."""

    sql: str
    sql_together: str
    names: tuple[str, ...]
    elements: tuple[Callable[[Any], str], ...] | None


def _compiled(text: str, *, is_postgresql: bool) -> _Compiled:
    match = _INSERT.match(text)
    assert match is not None, f"not an INSERT of named values: {text[:80]}"
    table = metadata.tables[match[1]]
    columns = [part.strip().strip('"') for part in match[2].split(",")]
    names = tuple(_name(part.strip()) for part in match[3].split(","))
    quoted = ", ".join(f'"{column}"' for column in columns)
    into = f"INSERT INTO {match[1]} ({quoted})"
    if not is_postgresql:
        values = f"({', '.join('?' * len(names))})"
        together = ", ".join([values] * TOGETHER)
        return _Compiled(
            f"{into} VALUES {values}{match[4]}", f"{into} VALUES {together}{match[4]}", names, None
        )
    types = [_TYPES[type(table.c[column].type)] for column in columns]
    arrays = ", ".join(f"%s::{sql}[]" for sql, _ in types)
    elements = tuple(
        str if to is _number and not table.c[column].nullable else to
        for column, (_, to) in zip(columns, types, strict=True)
    )
    tail = match[4].replace("%", "%%")
    sql = f"{into} SELECT * FROM unnest({arrays}){tail}"  # noqa: S608 - our own names
    return _Compiled(sql, "", names, elements)


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


def _number(value: float | None) -> str:
    return "NULL" if value is None else str(value)


def _text(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\ufffd")
    return f'"{escaped}"'


_TYPES: dict[type, tuple[str, Callable[[Any], str]]] = {
    sa.Text: ("text", _text),
    sa.BigInteger: ("bigint", _number),
    sa.Float: ("double precision", _number),
}
