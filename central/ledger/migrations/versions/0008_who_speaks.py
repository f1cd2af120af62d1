"""Which process speaks for a gateway, what a gateway tells of itself, and a second box that has its identity."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    is_shared = op.get_bind().dialect.name == "postgresql"
    text = 'TEXT COLLATE "C"' if is_shared else "TEXT"
    end = "" if is_shared else " WITHOUT ROWID"
    op.execute(
        f"CREATE TABLE identities (store_id {text} NOT NULL, gateway {text} NOT NULL, run {text} NOT NULL, "
        f"replaced {text} NOT NULL, since_ms BIGINT NOT NULL, PRIMARY KEY (store_id, gateway)){end}"
    )
    for column in (f"state {text}", "told_ms BIGINT", "ahead_ms BIGINT", f"twin {text}"):
        op.execute(f"ALTER TABLE gateways ADD COLUMN {column}")


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
