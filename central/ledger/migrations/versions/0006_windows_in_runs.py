"""Windows a row a batch, no sums by the minute, sums by category and hour, and how far back facts are kept."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from central.ledger.window_runs import NAMES, run_row

revision = "0006"
down_revision = "0005"

RUN_ROWS = 500
"""Windows in a run that is made of old rows: as many as a batch has."""
_WINDOWS = """(store_id {text} NOT NULL, gateway {text} NOT NULL, epoch {text} NOT NULL, seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL, at_ms BIGINT NOT NULL, until_ms BIGINT NOT NULL, window_count BIGINT NOT NULL,
    picked_units BIGINT NOT NULL, put_back_units BIGINT NOT NULL, refilled_units BIGINT NOT NULL,
    unresolved_g BIGINT NOT NULL, stock_out_ms BIGINT NOT NULL, body {text} NOT NULL,
    PRIMARY KEY (store_id, gateway, epoch, seq))"""
_HOURS = """category_hours (store_id {text} NOT NULL, at_ms BIGINT NOT NULL, category {text} NOT NULL,
    sold_units BIGINT NOT NULL, sold_cents BIGINT NOT NULL, picked_units BIGINT NOT NULL,
    delivered_units BIGINT NOT NULL, shrink_units BIGINT NOT NULL, stock_out_ms BIGINT NOT NULL,
    PRIMARY KEY (store_id, at_ms, category))"""
_KEPT = "kept_since (store_id {text} NOT NULL, kind {text} NOT NULL, from_ms BIGINT NOT NULL, PRIMARY KEY (store_id, kind))"
_FILL_HOURS = """INSERT INTO category_hours SELECT r.store_id, r.at_ms, i.category, sum(r.sold_units), sum(r.sold_cents),
    sum(r.picked_units), sum(r.delivered_units), sum(r.shrink_units), sum(r.stock_out_ms) FROM rollups r
    JOIN items i ON i.store_id = r.store_id AND i.sku = r.sku WHERE r.step_ms = 3600000
    GROUP BY r.store_id, r.at_ms, i.category"""


_REWRITTEN = ("rollups", "category_hours", "stock", "positions", "store_heads")
"""A row's next version finds room on its page: no index is touched. Measured: half the time of the sums of a batch."""


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    text, tail = ('TEXT COLLATE "C"', "") if is_postgresql else ("TEXT", " WITHOUT ROWID")
    op.execute(f"CREATE TABLE windows_2 {_WINDOWS.format(text=text)}")
    _move_windows()
    op.execute("DROP TABLE windows")
    op.execute("ALTER TABLE windows_2 RENAME TO windows")
    if is_postgresql:
        op.execute("ALTER INDEX windows_2_pkey RENAME TO windows_pkey")
    op.execute("CREATE INDEX windows_until ON windows (store_id, until_ms)")
    for table in ("stock_facts", "proposals"):
        op.execute(f"CREATE INDEX {table}_at ON {table} (store_id, at_ms)")
    for table in (_HOURS, _KEPT):
        op.execute(f"CREATE TABLE {table.format(text=text)}{tail}")
    op.execute("DELETE FROM rollups WHERE step_ms = 60000")
    op.execute(_FILL_HOURS)
    if is_postgresql:
        for table in _REWRITTEN:
            op.execute(f"ALTER TABLE {table} SET (fillfactor = 60)")
        op.execute("ALTER TABLE windows ALTER COLUMN body SET STORAGE EXTERNAL")


def _move_windows() -> None:
    connection = op.get_bind()
    columns = ", ".join(NAMES[:-1])  # seq_from was not kept
    found = connection.execute(
        sa.text(f"SELECT store_id, gateway, epoch, {columns} FROM windows ORDER BY 1, 2, 3, 4"),  # noqa: S608
        execution_options={"stream_results": True},
    )
    places = ", ".join(f":v{n}" for n in range(14))
    insert = sa.text(f"INSERT INTO windows_2 VALUES ({places})")  # noqa: S608
    for place, rows in _runs(found):
        values = run_row(place, rows)
        connection.execute(insert, {f"v{n}": value for n, value in enumerate(values)})


def _runs(found: Any) -> Iterator[tuple[tuple[str, str, str], list[tuple[Any, ...]]]]:
    place: tuple[str, str, str] | None = None
    rows: list[tuple[Any, ...]] = []
    for row in found:
        of = (row[0], row[1], row[2])
        if place is not None and (of != place or len(rows) == RUN_ROWS):
            yield place, rows
            rows = []
        place = of
        rows.append((*row[3:], None))
    if place is not None:
        yield place, rows


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
