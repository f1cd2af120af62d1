"""Of two levels of one moment the sums keep the one that was told later, however the batches were cut."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE rollups ADD COLUMN level_order BIGINT NOT NULL DEFAULT 0")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
