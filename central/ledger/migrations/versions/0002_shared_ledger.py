"""Several processes may write; outgoing events count within their store; the audit is a chain; people log in."""

import sqlalchemy as sa
from alembic import op

from central.core.audit_chain import FIRST, entry_hash

revision = "0002"
down_revision = "0001"

_OUTGOING = "store_id, number, position, event_id, type, subject, created_ms, body, member, secret"
_MADE = {
    "store_heads": "store_id {text} NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (store_id)",
    "turns": "work {text} NOT NULL, turn BIGINT NOT NULL, PRIMARY KEY (work)",
    "sagas": """saga {text} NOT NULL, kind {text} NOT NULL, subject {text} NOT NULL, through_store {text} NOT NULL,
        changed_ms BIGINT NOT NULL, PRIMARY KEY (saga)""",
    "people": """person {text} NOT NULL, password_hash {text} NOT NULL, role {text} NOT NULL, reach {text},
        created_ms BIGINT NOT NULL, PRIMARY KEY (person)""",
    "sessions": """token_hash {text} NOT NULL, person {text} NOT NULL, kind {text} NOT NULL,
        created_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL, PRIMARY KEY (token_hash)""",
    "outgoing_2": """store_id {text} NOT NULL, number BIGINT NOT NULL, position BIGINT, event_id {text} NOT NULL,
        type {text} NOT NULL, subject {text} NOT NULL, created_ms BIGINT NOT NULL, body {text} NOT NULL,
        member {text}, secret BIGINT NOT NULL, PRIMARY KEY (store_id, number)""",
    "audit_2": """store_id {text} NOT NULL, number BIGINT NOT NULL, at_ms BIGINT NOT NULL, who {text} NOT NULL,
        action {text} NOT NULL, subject {text} NOT NULL, reason {text} NOT NULL, digest {text} NOT NULL,
        hash {text} NOT NULL, PRIMARY KEY (store_id, number)""",
}
_ADDED = {
    "endpoints": ("old_secret {text}", "old_secret_until_ms BIGINT", "reach {text}"),
    "tokens": ("expires_ms BIGINT", "reach {text}"),
}
_INDEXES = (
    "CREATE INDEX sessions_person ON sessions (person)",
    "CREATE UNIQUE INDEX outgoing_event ON outgoing (store_id, event_id)",
    "CREATE INDEX outgoing_position ON outgoing (position)",
    "CREATE INDEX outgoing_unplaced ON outgoing (store_id, number) WHERE position IS NULL",
    "CREATE INDEX outgoing_secret ON outgoing (created_ms) WHERE secret = 1",
    "CREATE INDEX outgoing_member ON outgoing (member) WHERE member IS NOT NULL",
    "CREATE INDEX triggers_id ON triggers (trigger_id)",
    "CREATE INDEX coupons_code ON coupons (code_hash)",
)


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    text, tail = ('TEXT COLLATE "C"', "") if is_postgresql else ("TEXT", " WITHOUT ROWID")
    for table, columns in _MADE.items():
        op.execute(f"CREATE TABLE {table} ({columns.format(text=text)}){tail}")
    for table, added in _ADDED.items():
        for column in added:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column.format(text=text)}")
    op.execute(
        f"""INSERT INTO outgoing_2 ({_OUTGOING}) SELECT store_id,
        row_number() OVER (PARTITION BY store_id ORDER BY number), position, event_id, type, subject, created_ms, body,
        member, secret FROM outgoing"""  # noqa: S608 - our own column names
    )
    _chain_the_audit()
    for table in ("outgoing", "audit"):
        op.execute(f"DROP TABLE {table}")
        op.execute(f"ALTER TABLE {table}_2 RENAME TO {table}")
        if is_postgresql:
            op.execute(f"ALTER INDEX {table}_2_pkey RENAME TO {table}_pkey")
    op.execute("DROP INDEX triggers_id")
    op.execute("DROP INDEX coupons_code")
    for index in _INDEXES:
        op.execute(index)
    op.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")


def _chain_the_audit() -> None:
    connection = op.get_bind()
    hashes: dict[str, str] = {}
    rows = connection.execute(sa.text("SELECT * FROM audit ORDER BY store_id, number")).mappings().all()
    for row in rows:
        # Older entries say nothing of the row they were about; from here on they cannot be changed unseen.
        entry = {**row, "digest": ""}
        hashes[row["store_id"]] = entry["hash"] = entry_hash(hashes.get(row["store_id"], FIRST), entry)
        connection.execute(
            sa.text(
                """INSERT INTO audit_2 (store_id, number, at_ms, who, action, subject, reason, digest, hash)
                VALUES (:store_id, :number, :at_ms, :who, :action, :subject, :reason, :digest, :hash)"""
            ),
            entry,
        )
