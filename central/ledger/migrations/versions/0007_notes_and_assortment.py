"""Delivery notes by line, and changes of the assortment with their dates."""

from alembic import op

revision = "0007"
down_revision = "0006"

_MADE = {
    "delivery_notes": """store_id {text} NOT NULL, note {text} NOT NULL, sku {text} NOT NULL, despatch {text} NOT NULL,
        at_ms BIGINT NOT NULL, quantity_units BIGINT NOT NULL, expected_units BIGINT NOT NULL, substitutes {text},
        state {text} NOT NULL, booked_units BIGINT, heard_ms BIGINT NOT NULL, digest {text} NOT NULL,
        PRIMARY KEY (store_id, note, sku)""",
    "assortment": """store_id {text} NOT NULL, sku {text} NOT NULL, change {text} NOT NULL, from_ms BIGINT NOT NULL,
        pack_units BIGINT, min_order_units BIGINT, gtin {text}, applied BIGINT NOT NULL, heard_ms BIGINT NOT NULL,
        PRIMARY KEY (store_id, sku, change, from_ms)""",
}


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    text, tail = ('TEXT COLLATE "C"', "") if is_postgresql else ("TEXT", " WITHOUT ROWID")
    for table, columns in _MADE.items():
        op.execute(f"CREATE TABLE {table} ({columns.format(text=text)}){tail}")
    op.execute(
        "CREATE INDEX delivery_notes_open ON delivery_notes (store_id, despatch, sku) WHERE state = 'open'"
    )
    op.execute("CREATE INDEX assortment_due ON assortment (from_ms, store_id) WHERE applied = 0")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
