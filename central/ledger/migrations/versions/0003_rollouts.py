"""What gateways say of documents and bundles, how bundles score, who noted an alert, and roll-outs."""

from alembic import op

revision = "0003"
down_revision = "0002"

_FACT = "store_id {text} NOT NULL, gateway {text} NOT NULL, epoch {text} NOT NULL, seq BIGINT NOT NULL, at_ms BIGINT NOT NULL"
_FACT_KEY = "PRIMARY KEY (store_id, gateway, epoch, seq)"
_MADE = {
    "staging_events": _FACT
    + ", what {text} NOT NULL, name {text} NOT NULL, state {text} NOT NULL, reason {text} NOT NULL, sha256 {text} NOT NULL, "
    + _FACT_KEY,
    "model_scores": _FACT
    + """, day {text} NOT NULL, bundle {text} NOT NULL, sha256 {text} NOT NULL, role {text} NOT NULL, skus BIGINT NOT NULL,
        units BIGINT NOT NULL, mean_units FLOAT NOT NULL, pinball FLOAT NOT NULL, inside_80 BIGINT NOT NULL,
        inside_95 BIGINT NOT NULL, """
    + _FACT_KEY,
    "alert_acks": """store_id {text} NOT NULL, code {text} NOT NULL, subject {text} NOT NULL, raised_ms BIGINT NOT NULL,
        who {text} NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (store_id, code, subject, raised_ms)""",
    "bundles": """sha256 {text} NOT NULL, name {text} NOT NULL, manifest {text} NOT NULL, files {text} NOT NULL,
        size_bytes BIGINT NOT NULL, who {text} NOT NULL, created_ms BIGINT NOT NULL, PRIMARY KEY (sha256)""",
    "rollouts": """number BIGINT NOT NULL, sha256 {text} NOT NULL, name {text} NOT NULL, mode {text} NOT NULL,
        state {text} NOT NULL, percent BIGINT NOT NULL, max_refusals BIGINT NOT NULL, who {text} NOT NULL,
        reason {text} NOT NULL, created_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL, PRIMARY KEY (number)""",
}
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS staging_bundles ON staging_events (sha256) WHERE sha256 != ''",
    "CREATE INDEX IF NOT EXISTS model_scores_bundle ON model_scores (sha256, day)",
)


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    text, tail = ('TEXT COLLATE "C"', "") if is_postgresql else ("TEXT", " WITHOUT ROWID")
    for table, columns in _MADE.items():
        op.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns.format(text=text)}){tail}")
    for index in _INDEXES:
        op.execute(index)


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError("restore a backup made before the migration")
