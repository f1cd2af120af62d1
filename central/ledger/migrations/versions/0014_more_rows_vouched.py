"""The audit vouches for more rows and columns; `central.ledger.schema.migrate` adds the entries when all tables are new."""

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """No table changes."""


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
