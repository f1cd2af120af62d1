"""On PostgreSQL receipts lie in a table a month; those that are there are moved. On SQLite nothing changes."""

from alembic import op

from central.ledger import partitions

revision = "0015"
down_revision = "0014"

_KEYS = {
    "receipts": "store_id, business_date, register_id, sequence",
    "receipt_lines": "store_id, business_date, register_id, sequence, line",
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    op.execute("DROP INDEX receipts_member")
    for table in _KEYS:
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_old")
        op.execute(f"ALTER TABLE {table}_old DROP CONSTRAINT {table}_pkey")
        op.execute(
            f"CREATE TABLE {table} (LIKE {table}_old INCLUDING DEFAULTS) PARTITION BY RANGE (business_date)"
        )
    partitions.make_rest(connection)
    for month in partitions.months_of(connection, "receipts_old"):
        partitions.make_month(connection, month)
    for table, key in _KEYS.items():
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_old")  # noqa: S608 - our own names
        op.execute(f"DROP TABLE {table}_old")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({key})")
    op.execute("CREATE INDEX receipts_member ON receipts (member) WHERE member IS NOT NULL")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
