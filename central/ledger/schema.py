"""The ledger's schema over time: made new at once, or brought forward by migrations (Alembic)."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger import partitions, planner, vouched_rows
from central.ledger.tables import metadata
from runtime.errors import OperatorError

ORDER = tuple(f"{number:04}" for number in range(1, 20))
HEAD = ORDER[-1]
"""The newest migration; a test holds it against the folder."""
VOUCHES_FOR_MORE = "0018"
"""The newest migration after which the audit vouches for more than before."""
MIGRATIONS = Path(__file__).with_name("migrations")
_FIRST_META = "1"

_REVISION = sa.text("SELECT version_num FROM alembic_version")
_META = sa.text("SELECT value FROM meta WHERE key = 'schema'")


def revision_of(connection: Connection) -> str | None:
    """The migration that the database stands at; None when there is no ledger in it."""
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" in tables:
        found = connection.execute(_REVISION).scalar()
        return str(found) if found is not None else None
    # The first form had a number of its own and no Alembic.
    if "meta" in tables and connection.execute(_META).scalar() == _FIRST_META:
        return ORDER[0]
    return None


_REWRITTEN = ("rollups", "category_hours", "stock", "positions", "store_heads", "till_days")
"""Their rows change all day: a row's next version finds room on its page, and no index is touched (PostgreSQL's HOT)."""


def make_schema(connection: Connection) -> None:
    """All tables of an empty database at once: the same that the migrations make, a test holds."""
    metadata.create_all(connection)
    planner.estimate(connection)
    if connection.dialect.name == "postgresql":
        for table in _REWRITTEN:
            connection.execute(sa.text(f"ALTER TABLE {table} SET (fillfactor = 60)"))
        partitions.make_rest(connection)
        # Packed already: the server would only try.
        connection.execute(sa.text("ALTER TABLE windows ALTER COLUMN body SET STORAGE EXTERNAL"))
    connection.execute(
        sa.text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    )
    connection.execute(sa.text("DELETE FROM alembic_version"))
    connection.execute(sa.text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})
    connection.execute(
        sa.text("INSERT INTO meta (key, value) VALUES ('schema', '2') ON CONFLICT (key) DO NOTHING")
    )


def pending_migrations(connection: Connection, shown: str) -> tuple[str, ...]:
    """Those that the database lacks. Raises OperatorError when it has one that this program does not know."""
    found = revision_of(connection)
    if found is None:
        return ORDER
    if found not in ORDER:
        raise OperatorError(
            f"ledger {shown} has schema {found}, this program knows up to {HEAD}; use the version that made it"
        )
    return ORDER[ORDER.index(found) + 1 :]


def migrate(connection: Connection, shown: str) -> tuple[str, ...]:
    """Brings the schema to HEAD in the connection's transaction. Returns the migrations that ran."""
    pending = pending_migrations(connection, shown)
    if revision_of(connection) is None:
        make_schema(connection)
        return pending
    if pending:
        run_migrations(connection, stamp_first=pending == ORDER[1:])
    if VOUCHES_FOR_MORE in pending:
        vouched_rows.vouch_for_all(connection)
    return pending


def run_migrations(connection: Connection, *, stamp_first: bool = False) -> None:
    """By Alembic. stamp_first: the database is of the first form, from before Alembic."""
    from alembic import command  # noqa: PLC0415 - 0.2 s that a start without migrations does not spend
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    if stamp_first and "alembic_version" not in sa.inspect(connection).get_table_names():
        command.stamp(config, ORDER[0])
    command.upgrade(config, "head")
