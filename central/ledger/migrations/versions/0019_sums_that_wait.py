"""A batch's sums may wait for those of the next ones: a position says from which seq on. What is there is summed."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("positions", sa.Column("unsummed_from", sa.BigInteger))
    op.execute("CREATE INDEX positions_unsummed ON positions (store_id) WHERE unsummed_from IS NOT NULL")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
