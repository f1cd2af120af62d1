"""What suppliers' distribution centres expect, by SKU and day; transfers are found by their giver."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    text, tail = ('TEXT COLLATE "C"', "") if is_postgresql else ("TEXT", " WITHOUT ROWID")
    op.execute(
        f"CREATE TABLE supplier_arrivals (supplier {text} NOT NULL, sku {text} NOT NULL, day {text} NOT NULL, "
        f"units BIGINT NOT NULL, PRIMARY KEY (supplier, sku, day)){tail}"
    )
    op.execute("CREATE INDEX triggers_transfers ON triggers (supplier, state) WHERE kind = 'transfer'")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
