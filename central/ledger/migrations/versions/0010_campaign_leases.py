"""Stores promise a campaign's coupons from leases; what is out so far counts as granted."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    text, tail = ('TEXT COLLATE "C"', "") if is_postgresql else ("TEXT", " WITHOUT ROWID")
    for table, column in (
        ("campaigns", "granted_coupons"),
        ("campaigns", "granted_cents"),
        ("campaigns", "leases_total"),
        ("coupons", "returned"),
    ):
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} BIGINT NOT NULL DEFAULT 0")
    op.execute(
        f"CREATE TABLE campaign_leases (campaign {text} NOT NULL, store_id {text} NOT NULL, number BIGINT NOT NULL, "
        f"coupons BIGINT NOT NULL, cents BIGINT NOT NULL, until_ms BIGINT NOT NULL, PRIMARY KEY (campaign, store_id)){tail}"
    )
    op.execute("CREATE INDEX campaign_leases_store ON campaign_leases (store_id)")
    op.execute(
        f"CREATE TABLE lease_rests (store_id {text} NOT NULL, campaign {text} NOT NULL, number BIGINT NOT NULL, "
        f"coupons BIGINT NOT NULL, cents BIGINT NOT NULL, is_open BIGINT NOT NULL, PRIMARY KEY (store_id, campaign)){tail}"
    )
    op.execute("UPDATE coupons SET returned = 1 WHERE state = 'expired'")
    op.execute(
        """UPDATE campaigns SET
        granted_coupons = (SELECT count(*) FROM coupons c WHERE c.campaign = campaigns.campaign),
        granted_cents = (SELECT coalesce(sum(c.discount_cents), 0) FROM coupons c
        WHERE c.campaign = campaigns.campaign AND c.returned = 0)"""
    )


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
