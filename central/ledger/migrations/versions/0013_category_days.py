"""Hours by category that are over lie a day in a row (central/ledger/category_days.py); a running centre packs them."""

import sqlalchemy as sa
from alembic import op

from central.ledger import planner

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "category_days",
        sa.Column("store_id", text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("body", text, nullable=False),
    )
    planner.estimate(op.get_bind())


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
