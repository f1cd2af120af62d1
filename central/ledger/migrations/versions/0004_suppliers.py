"""Suppliers with their calendars and what they have, stores' budgets, and orders that wait for a cut-off or a change."""

from alembic import op

revision = "0004"
down_revision = "0003"

_MADE = {
    "suppliers": "supplier {text} NOT NULL, body {text} NOT NULL, changed_ms BIGINT NOT NULL, PRIMARY KEY (supplier)",
    "supplier_stock": """supplier {text} NOT NULL, sku {text} NOT NULL, available_units BIGINT NOT NULL,
        at_ms BIGINT NOT NULL, PRIMARY KEY (supplier, sku)""",
    "budgets": "store_id {text} NOT NULL, cents_a_day BIGINT NOT NULL, PRIMARY KEY (store_id)",
}
_ADDED = ("due_ms", "agreed_revision", "agreed_units")


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    text, tail = ('TEXT COLLATE "C"', "") if is_postgresql else ("TEXT", " WITHOUT ROWID")
    for table, columns in _MADE.items():
        op.execute(f"CREATE TABLE {table} ({columns.format(text=text)}){tail}")
    for column in _ADDED:
        op.execute(f"ALTER TABLE triggers ADD COLUMN {column} BIGINT")
    op.execute("CREATE INDEX triggers_due ON triggers (store_id, due_ms) WHERE due_ms IS NOT NULL")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
