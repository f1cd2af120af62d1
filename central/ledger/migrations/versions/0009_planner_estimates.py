"""SQLite's planner learns how many rows a store has (central/ledger/planner.py)."""

from alembic import op

from central.ledger import planner

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    planner.estimate(op.get_bind())


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
