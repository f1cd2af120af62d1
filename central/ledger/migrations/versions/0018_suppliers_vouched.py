"""The audit vouches for what suppliers have and expect; `central.ledger.schema.migrate` adds the entries when all tables are there."""

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """No table changes."""


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
