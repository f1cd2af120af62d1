"""A webhook says how many of its events were given up, and from which position of the feed on."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE endpoints ADD COLUMN given_up_total BIGINT NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE endpoints ADD COLUMN given_up_from BIGINT")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
