"""The schema: made at once or by migrations, on SQLite and PostgreSQL, and what each table's key begins with."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from free_ports import free_port
from ledger_kinds import POSTGRESQL, on_both
from local_postgresql import shared_server

from central.ledger import partitions, schema
from central.ledger.audit_check import verify_audit
from central.ledger.engine import Ledger
from central.ledger.partitions import BY_MONTH
from central.ledger.tables import CHAIN_TABLES, metadata
from central.ledger.window_runs import windows_of
from runtime.errors import OperatorError


@contextmanager
def empty_ledger(kind: str, folder: Path) -> Iterator[Ledger]:
    url = shared_server().new_database() if kind == POSTGRESQL else f"sqlite:///{folder / 'ledger.sqlite3'}"
    ledger = Ledger(url)
    try:
        yield ledger
    finally:
        ledger.close()
        if kind == POSTGRESQL:
            shared_server().drop_database(url)


RECEIPT_DAYS = ("2017-08-31", "2017-09-01", "2017-12-31")


def first_form(connection: sa.Connection) -> None:
    """A ledger as it was before Alembic, with an order, an event and two entries of the audit."""
    script = schema.MIGRATIONS / "versions" / "0001_first.sql"
    sql = script.read_text()
    if connection.dialect.name == "postgresql":
        sql = sql.replace("WITHOUT ROWID", "").replace(
            "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "SERIAL PRIMARY KEY"
        )
        sql = sql.replace(" TEXT", ' TEXT COLLATE "C"')
    for statement in sql.split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    for statement in (
        "INSERT INTO meta (key, value) VALUES ('schema', '1')",
        *(
            f"""INSERT INTO outgoing (position, store_id, event_id, type, subject, created_ms, body, member, secret)
            VALUES ({number}, 'store-{number % 2}', 'e{number}', 't', 's', 0, '{{}}', NULL, 0)"""
            for number in range(1, 6)
        ),
        *(
            f"""INSERT INTO audit (store_id, number, at_ms, who, action, subject, reason)
            VALUES ('store-1', {number}, 0, 'Ann', 'approve', 'r', '')"""
            for number in (1, 2)
        ),
        *(
            f"""INSERT INTO receipts (store_id, business_date, register_id, sequence, at_ms, gateway, epoch, seq, clock_quality,
            total_cents, member, line_count, sold_units, sold_g, content_hash)
            VALUES ('store-1', '{day}', 'till-1', 1, 0, 'gw-0', 'e1', 1, 'synced', 250, NULL, 1, 1, 0, '')"""
            for day in RECEIPT_DAYS
        ),
        *(
            f"""INSERT INTO receipt_lines (store_id, business_date, register_id, sequence, line, kind, sku, gtin, raw_code,
            quantity_units, quantity_g, unit_price_cents, extended_cents, code_hash)
            VALUES ('store-1', '{day}', 'till-1', 1, 0, 'sale', 'sku-1', '', '', 1, 0, 250, 250, NULL)"""
            for day in RECEIPT_DAYS
        ),
        "INSERT INTO items (store_id, sku, gtin, name, category, managed) VALUES ('store-1', 'sku-1', '', '', 'food', 1)",
        *(
            f"""INSERT INTO rollups (store_id, step_ms, sku, at_ms, receipts, sold_units, sold_cents, picked_units,
            delivered_units, shrink_units, unresolved_g, stock_out_ms, on_hand_units, level_ms)
            VALUES ('store-1', {step_ms}, 'sku-1', 7200000, 0, 2, 500, 1, 0, 0, 0, 0, NULL, -1)"""
            for step_ms in (60_000, 3_600_000)
        ),
        *(
            f"""INSERT INTO windows (store_id, gateway, epoch, seq, at_ms, sku, span_ms, picked_units, put_back_units,
            refilled_units, unresolved_g, on_hand_units, on_shelf_units, stock_out_ms)
            VALUES ('store-1', 'gw-{seq // 600}', 'e1', {seq}, {seq * 1000}, 'sku-1', 60000, 1, 0, 0, 0, NULL, 3, 0)"""
            for seq in range(1, 611)
        ),
    ):
        connection.exec_driver_sql(statement)


def is_ours_alone(change: str) -> bool:
    """Tables that nobody declares: Alembic's own, and the parts of one that is split."""
    return "alembic_version" in change or any(f"{table}_rest" in change for table in BY_MONTH)


@on_both
def test_migrations_make_the_tables_that_the_program_declares(kind: str, tmp_path: Path) -> None:
    with empty_ledger(kind, tmp_path) as ledger, ledger.write.begin() as connection:
        schema.run_migrations(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        different = [
            change for change in compare_metadata(context, metadata) if not is_ours_alone(str(change))
        ]
        assert different == []
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            declared = [column.name for column in table.primary_key.columns]
            assert inspector.get_pk_constraint(table.name)["constrained_columns"] == declared, table.name


def test_the_program_knows_all_migrations_in_their_order() -> None:
    scripts = ScriptDirectory(str(schema.MIGRATIONS))
    found = [script.revision for script in scripts.walk_revisions()]
    assert (tuple(reversed(found)), scripts.get_current_head()) == (schema.ORDER, schema.HEAD)


@on_both
def test_a_ledger_of_the_first_form_is_brought_forward_with_its_rows(kind: str, tmp_path: Path) -> None:
    with empty_ledger(kind, tmp_path) as ledger:
        with ledger.write.begin() as connection:
            first_form(connection)
        assert ledger.pending() == schema.ORDER[1:]
        with pytest.raises(OperatorError, match="central migrate"):
            ledger.require()
        assert ledger.create() == schema.ORDER[1:]
        ledger.require()
        assert ledger.create() == ()
        with ledger.read.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT store_id, number, position FROM outgoing ORDER BY store_id, number")
            ).all()
            assert [tuple(row) for row in rows] == [
                ("store-0", 1, 2), ("store-0", 2, 4), ("store-1", 1, 1), ("store-1", 2, 3), ("store-1", 3, 5),
            ]  # fmt: skip
            report = verify_audit(connection)
            assert (report.entries, report.breaks) == (3, ())  # the list of items has one, too
            moved = list(windows_of(connection, "store-1", 0, 10**9))
            assert [(gateway, window.seq) for gateway, _, window in moved] == [
                (f"gw-{seq // 600}", seq) for seq in range(1, 611)
            ]
            assert (moved[7][2].at_ms, moved[7][2].on_hand_units, moved[7][2].on_shelf_units) == (
                8000,
                None,
                3,
            )
            runs = connection.execute(
                sa.text("SELECT seq, last_seq, window_count, picked_units FROM windows")
            )
            assert sorted(tuple(row) for row in runs) == [
                (1, 500, 500, 500), (501, 599, 99, 99), (600, 610, 11, 11),
            ]  # fmt: skip
            hours = connection.execute(
                sa.text("SELECT category, at_ms, sold_units FROM category_hours")
            ).all()
            assert [tuple(row) for row in hours] == [("food", 7_200_000, 2)]
            books = connection.execute(
                sa.text("SELECT business_date, receipts, cents, last_number FROM till_days")
            )
            assert sorted(tuple(row) for row in books) == [(day, 1, 250, 1) for day in RECEIPT_DAYS]
            steps = connection.execute(sa.text("SELECT step_ms FROM rollups")).scalars().all()
            assert steps == [3_600_000]
            for table in BY_MONTH:
                days = connection.execute(sa.text(f"SELECT business_date FROM {table} ORDER BY 1")).scalars()
                assert tuple(days) == RECEIPT_DAYS
            kept = ["2017-08", "2017-09", "2017-12"] if kind == POSTGRESQL else []
            assert partitions.months(connection) == kept


@on_both
def test_a_migration_that_fails_leaves_the_ledger_as_it_was(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_ledger(kind, tmp_path) as ledger:
        with ledger.write.begin() as connection:
            first_form(connection)
            connection.exec_driver_sql("CREATE TABLE sagas (unexpected BIGINT)")
        with pytest.raises(OperatorError):
            ledger.create()
        with ledger.write.begin() as connection:
            connection.exec_driver_sql("DROP TABLE sagas")
        assert ledger.create() == schema.ORDER[1:]


@on_both
def test_a_ledger_of_a_newer_program_is_left_alone(kind: str, tmp_path: Path) -> None:
    with empty_ledger(kind, tmp_path) as ledger:
        ledger.create()
        with ledger.write.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        for act in (ledger.create, ledger.require, ledger.pending):
            with pytest.raises(OperatorError, match="9999"):
                act()


def test_every_table_that_grows_leads_its_key_with_the_store() -> None:
    keys = {
        table.name: [column.name for column in table.primary_key.columns] for table in metadata.sorted_tables
    }
    assert keys.keys() >= CHAIN_TABLES
    assert {name for name, key in keys.items() if key[0] != "store_id"} == CHAIN_TABLES


def test_no_rule_of_uniqueness_spans_stores() -> None:
    for table in metadata.sorted_tables:
        for index in table.indexes:
            if index.unique and table.name not in CHAIN_TABLES:
                assert next(iter(index.columns)).name == "store_id", index.name


def test_the_page_on_scale_distributes_every_table_of_the_stores() -> None:
    page = (Path(__file__).parents[3] / "docs" / "scale.md").read_text()
    listed = set(re.findall(r"'(\w+)'", page.partition("ARRAY[")[2].partition("]")[0])) | {"store_heads"}
    assert listed == {table.name for table in metadata.sorted_tables} - CHAIN_TABLES


def test_a_server_that_does_not_answer_is_told_apart_from_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    away = Ledger(f"postgresql://user:secret@127.0.0.1:{free_port()}/ledger")
    with pytest.raises(OperatorError, match=r"Connection refused.*; start the database's server") as told:
        away.create()
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(OperatorError, match="restore it from a backup, or move it away"):
        Ledger(f"sqlite:///{tmp_path}/ledger.sqlite3").create()
