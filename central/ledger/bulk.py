"""One statement for many rows, compiled once: SQLAlchemy builds parameters row by row, which costs more than SQLite's insert."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


class BulkStatement:
    """Values must be what the driver takes (int, str, float, None): no type conversion happens."""

    def __init__(self, statement: sa.Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        sql, names = self._sql(connection)
        if names is None:
            connection.exec_driver_sql(sql, list(rows))
        else:
            connection.exec_driver_sql(sql, [tuple([row[name] for name in names]) for row in rows])

    def _sql(self, connection: Connection) -> tuple[str, tuple[str, ...] | None]:
        """(SQL in the driver's style, the parameters' order, or None where the driver takes them by name)."""
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
            order = compiled.positiontup
            found = self._compiled[dialect.name] = (str(compiled), tuple(order) if order else None)
        return found
