"""What SQLite's planner should think of the tables, whatever they hold today.

Without statistics it takes the first column of a key for nearly unique. Here that column is the store, of which there may be one:
the planner then reads all of a store's rows where an index names the few that are asked for. ANALYZE would tell it, but an
empty ledger has nothing to analyse, and plans that change by themselves are worse than plans that are known.
Source: sqlite.org/fileformat2.html, "The sqlite_stat1 Table", which applications may write.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

STORES, ROWS_OF_A_STORE, ROWS_OF_AN_ENTRY = 100, 10_000, 10

_TABLES = sa.text(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
)
_KEY = sa.text("SELECT name FROM pragma_table_info(:table) WHERE pk > 0 ORDER BY pk")
_INDEXES = sa.text("SELECT name FROM pragma_index_list(:table) WHERE origin = 'c'")
_COLUMNS = sa.text("SELECT name FROM pragma_index_info(:index) ORDER BY seqno")
_INSERT = sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :stat)")


def estimate(connection: Connection) -> None:
    """Writes the estimates for every key and index that begins with the store. On PostgreSQL nothing: it keeps its own."""
    if connection.dialect.name != "sqlite":
        return
    connection.execute(sa.text("ANALYZE"))  # makes sqlite_stat1
    connection.execute(sa.text("DELETE FROM sqlite_stat1"))
    for table in connection.execute(_TABLES).scalars().all():
        _tell(connection, table, table, connection.execute(_KEY, {"table": table}).scalars().all(), 1)
        for index in connection.execute(_INDEXES, {"table": table}).scalars().all():
            columns = connection.execute(_COLUMNS, {"index": index}).scalars().all()
            _tell(connection, table, index, columns, ROWS_OF_AN_ENTRY)
    # This connection reads them anew, others do when they open.
    connection.execute(sa.text("ANALYZE sqlite_schema"))


def _tell(connection: Connection, table: str, index: str, columns: Sequence[str], at_end: int) -> None:
    """at_end: rows that share all columns. SQLite's form: rows in all, then those that share the first column, the first two, ..."""
    if len(columns) < 2 or columns[0] != "store_id":
        return
    steps = len(columns) - 1
    shares = [round(ROWS_OF_A_STORE * (at_end / ROWS_OF_A_STORE) ** (n / steps)) for n in range(steps + 1)]
    stat = " ".join(str(number) for number in (STORES * ROWS_OF_A_STORE, *shares))
    connection.execute(_INSERT, {"table": table, "index": index, "stat": stat})
