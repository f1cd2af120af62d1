"""Receipts by the month of their business date, on PostgreSQL: what has had its time goes as a whole table, not a row at a time.

A receipt of a month that has no table of its own lies in the `_rest`: none is ever refused for its date. SQLite has one table.
"""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

BY_MONTH = ("receipt_lines", "receipts")
"""In the order in which they go: lines before the receipt they belong to."""
LOCK_LIMIT_MS = 2_000
"""Making or dropping a month waits no longer for the batches that write, and they wait no longer for it."""

_MONTHS = sa.text(
    """SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'receipts'::regclass AND c.relname <> 'receipts_rest' ORDER BY c.relname"""
)
_MONTHS_WITH_ROWS = (
    "SELECT DISTINCT substr(business_date, 1, 7) FROM {table} WHERE business_date SIMILAR TO :pattern"
)
_MONTH = "[0-9]{4}-(0[1-9]|1[0-2])%"


def is_month(text: str) -> bool:
    """Whether it is a month as YYYY-MM."""
    try:
        return date.fromisoformat(f"{text}-01").isoformat() == f"{text}-01"
    except ValueError:
        return False


def month_after(month: str, months: int = 1) -> str:
    """months: may be negative; the result stays within the years 1 to 9999."""
    year, number = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + months, 12)
    return f"{min(max(year, 1), 9999):04d}-{number + 1:02d}"


def months(connection: Connection) -> list[str]:
    """Those that have a table of their own, oldest first; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    names = connection.execute(_MONTHS).scalars()
    return [name.removeprefix("receipts_").replace("_", "-") for name in names]


def make_rest(connection: Connection) -> None:
    """The tables of what has no month of its own."""
    for table in BY_MONTH:
        connection.execute(sa.text(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT"))


def make_month(connection: Connection, month: str) -> None:
    """Raises sqlalchemy's DBAPIError when the rest has rows of it already, or a lock is not to be had."""
    assert is_month(month), month
    _limit_wait(connection)
    for table in BY_MONTH:
        # Of texts, as they are stored: '2017-09' <= '2017-09-01' … '2017-09-30' < '2017-10'.
        connection.execute(
            sa.text(
                f"CREATE TABLE IF NOT EXISTS {_name(table, month)} PARTITION OF {table} "
                f"FOR VALUES FROM ('{month}') TO ('{month_after(month)}')"
            )
        )


def drop_month(connection: Connection, month: str) -> None:
    """Raises sqlalchemy's DBAPIError when a lock is not to be had."""
    assert is_month(month), month
    _limit_wait(connection)
    for table in BY_MONTH:
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {_name(table, month)}"))


def months_of(connection: Connection, table: str) -> list[str]:
    """The months of which `table` has rows."""
    found = connection.execute(sa.text(_MONTHS_WITH_ROWS.format(table=table)), {"pattern": _MONTH})
    return sorted(month for month in found.scalars() if is_month(month))


def _limit_wait(connection: Connection) -> None:
    connection.execute(sa.text(f"SET LOCAL lock_timeout = {LOCK_LIMIT_MS}"))


def _name(table: str, month: str) -> str:
    return f"{table}_{month.replace('-', '_')}"
