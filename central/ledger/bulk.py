"""One statement for many rows, compiled once: SQLAlchemy builds parameters row by row, which costs more than the insert.

SQLite runs it a row at a time without leaving the process. PostgreSQL gets all rows as one array a column and unnests
them: one message instead of one a row.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger.tables import metadata

_INSERT = re.compile(r"\s*INSERT INTO (\w+) \(([^)]*)\)\s+VALUES \(([^)]*)\)(.*)", re.DOTALL)
_NAMED = re.compile(r":(\w+)$")

Rows = Sequence[dict[str, Any]]


class BulkStatement:
    """`INSERT INTO table (columns) VALUES (:names) …`. Values must be what the driver takes (int, str, float, None).

    newest_of: of rows that are equal in these columns only the one with the latest `at_ms` is written, the last of
    several; for statements that would do the same one after the other.
    """

    def __init__(self, statement: sa.Executable, *, newest_of: tuple[str, ...] = ()) -> None:
        self._statement, self._newest_of = statement, newest_of
        self._compiled: tuple[str, tuple[str, ...]] | None = None
        self._unnested: tuple[str, tuple[tuple[str, Callable[[Any], str]], ...]] | None = None

    def run(self, connection: Connection, rows: Rows) -> None:
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            self._unnest(connection, rows)
            return
        if self._compiled is None:
            compiled = self._statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
            self._compiled = (str(compiled), tuple(compiled.positiontup))
        sql, names = self._compiled
        connection.exec_driver_sql(sql, [tuple([row[name] for name in names]) for row in rows])

    def _unnest(self, connection: Connection, rows: Rows) -> None:
        if self._unnested is None:
            self._unnested = _unnested(str(self._statement.compile()))  # type: ignore[attr-defined]
        sql, columns = self._unnested
        if self._newest_of:
            rows = _newest(rows, self._newest_of)
        arrays = tuple([f"{{{','.join([text_of(row[name]) for row in rows])}}}" for name, text_of in columns])
        connection.exec_driver_sql(sql, arrays)


def _unnested(text: str) -> tuple[str, tuple[tuple[str, Callable[[Any], str]], ...]]:
    """(statement over arrays, (name of each value, how it becomes an array's element))."""
    match = _INSERT.match(text)
    assert match is not None, f"not an INSERT of named values: {text[:80]}"
    table = metadata.tables[match[1]]
    columns = [part.strip().strip('"') for part in match[2].split(",")]
    names = [_name(part.strip()) for part in match[3].split(",")]
    types = [_TYPES[type(table.c[column].type)] for column in columns]
    arrays = ", ".join(f"%s::{sql}[]" for sql, _ in types)
    tail = match[4].replace("%", "%%")
    quoted = ", ".join(f'"{column}"' for column in columns)
    sql = f"INSERT INTO {match[1]} ({quoted}) SELECT * FROM unnest({arrays}){tail}"  # noqa: S608 - our own names
    return sql, tuple((name, text_of) for name, (_, text_of) in zip(names, types, strict=True))


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
