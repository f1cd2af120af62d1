"""The books of a till's day are kept with each batch; those of the receipts that are there are summed once.

Orders that were sent are counted by an index of their events, which are many and long.
"""

import sqlalchemy as sa
from alembic import op

from central.ledger import planner

revision = "0016"
down_revision = "0015"

_SUMS = ("receipts", "lines", "units", "grams", "cents")
# As the table was made here: what central/ledger/till_days.py does later is not a migration's.
_HELD = """INSERT INTO till_days (store_id, business_date, register_id, receipts, lines, units, grams, cents, first_number,
    last_number) SELECT store_id, business_date, register_id, count(*), sum(line_count), sum(sold_units), sum(sold_g),
    sum(total_cents), min(sequence), max(sequence) FROM receipts GROUP BY store_id, business_date, register_id"""
_TOLD = """INSERT INTO till_days (store_id, business_date, register_id, told_ms, told_receipts, told_lines, told_units,
    told_grams, told_cents)
    SELECT store_id, business_date, register_id, at_ms, receipts, lines, units, grams, cents FROM day_closes WHERE 1 = 1
    ON CONFLICT (store_id, business_date, register_id) DO UPDATE SET told_ms = excluded.told_ms,
    told_receipts = excluded.told_receipts, told_lines = excluded.told_lines, told_units = excluded.told_units,
    told_grams = excluded.told_grams, told_cents = excluded.told_cents"""


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    connection = op.get_bind()
    op.create_table(
        "till_days",
        *(sa.Column(name, text, primary_key=True) for name in ("store_id", "business_date", "register_id")),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in _SUMS),
        sa.Column("first_number", sa.BigInteger),
        sa.Column("last_number", sa.BigInteger),
        sa.Column("told_ms", sa.BigInteger),
        *(sa.Column(f"told_{name}", sa.BigInteger) for name in _SUMS),
        sqlite_with_rowid=False,
    )
    if connection.dialect.name == "postgresql":
        op.execute("ALTER TABLE till_days SET (fillfactor = 60)")
    op.execute(
        "CREATE INDEX outgoing_orders ON outgoing (store_id, subject) WHERE type = 'shelfloop.restock.trigger.v1'"
    )
    op.execute(_HELD)
    op.execute(_TOLD)
    planner.estimate(connection)


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
