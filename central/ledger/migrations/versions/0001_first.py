"""The first form, from before Alembic: 0001_first.sql, as SQLite had it."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    if op.get_bind().dialect.name == "postgresql":
        sql = sql.replace("WITHOUT ROWID", "").replace(
            "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "SERIAL PRIMARY KEY"
        )
        sql = sql.replace(" TEXT", ' TEXT COLLATE "C"')
    for statement in sql.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute("INSERT INTO meta (key, value) VALUES ('schema', '1')")
