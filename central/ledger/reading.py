"""Small reads inside a transaction, straight by the driver: SQLAlchemy's way to it costs ten times what they take.

PostgreSQL gets all reads of a call at once and answers them at once: one wait instead of one each.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_NAMED = re.compile(r":(\w+)")

Row = tuple[Any, ...]
Values = Mapping[str, object]


class Read:
    """A SELECT with `:names` of its values. No `%`, no cast by `::` and no text with a colon in it."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.postgresql = _NAMED.sub(r"%(\1)s", sql)

    def rows(self, connection: Connection, values: Values) -> list[Row]:
        return read_all(connection, (self,), values)[0]


def read_all(connection: Connection, reads: Sequence[Read], values: Values) -> list[list[Row]]:
    """What each read finds, all of them with the same values. connection: in a transaction that has begun.

    Raises sqlalchemy's DBAPIError, as its own way does.
    """
    if connection.dialect.name == "postgresql":
        from central.ledger.postgresql import all_rows  # noqa: PLC0415 - only where the driver is

        return all_rows(connection, [read.postgresql for read in reads], values)
    cursor = connection.connection.cursor()
    try:
        return [cursor.execute(read.sql, values).fetchall() for read in reads]
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError.instance(
            reads[0].sql, None, error, sqlite3.Error, hide_parameters=True
        ) from error
    finally:
        cursor.close()
