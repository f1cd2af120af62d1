"""Statements that go out one after the other on PostgreSQL: what fails takes all with it, and the connection works on."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from ledger_kinds import POSTGRESQL, database
from local_postgresql import why_absent

from central.ledger.engine import Ledger
from central.ledger.lanes import LaneTransaction

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent())

PUT = "INSERT INTO things (name, n) SELECT unnest(%s::text[]), %s::bigint"
WAIT_S = 60.0


@pytest.fixture(scope="module")
def made() -> Iterator[Ledger]:
    with database(POSTGRESQL) as url:
        ledger = Ledger(url)
        ledger.create()
        with ledger.write.begin() as connection:
            connection.execute(sa.text("CREATE TABLE things (name TEXT, n BIGINT)"))
            connection.execute(sa.text("CREATE UNIQUE INDEX one_of_each ON things (md5(name))"))
        yield ledger
        ledger.close()


@pytest.fixture
def ledger(made: Ledger) -> Ledger:
    with made.write.begin() as connection:
        connection.execute(sa.text("DELETE FROM things"))
    return made


def put(ledger: Ledger, *names: str) -> None:
    transaction = LaneTransaction(ledger, 0)
    try:
        transaction.hold("store-1", writes=True)
        for name in names:
            transaction.stream().send(PUT, (f'{{"{name}"}}', "7"))
        transaction.commit()
    finally:
        transaction.close()


def names(ledger: Ledger) -> list[str]:
    with ledger.read.connect() as connection:
        return list(
            connection.execute(sa.text('SELECT name FROM things ORDER BY name COLLATE "C"')).scalars()
        )


def version(ledger: Ledger) -> int | None:
    with ledger.read.connect() as connection:
        found: int | None = connection.execute(
            sa.text("SELECT version FROM store_heads WHERE store_id = 'store-1'")
        ).scalar()
        return found


def test_what_was_sent_is_there_after_the_commit(ledger: Ledger) -> None:
    before = version(ledger) or 0
    put(ledger, "a", "b")
    put(ledger, "c")
    assert names(ledger) == ["a", "b", "c"]
    assert version(ledger) == before + 2


def test_one_statement_that_fails_takes_the_transaction_with_it_and_the_next_one_works(
    ledger: Ledger,
) -> None:
    put(ledger, "a")
    before = version(ledger)
    for _ in range(10):  # on each of the pool's connections
        with pytest.raises(sa.exc.IntegrityError):
            put(ledger, "b", "a", "c")
    assert (names(ledger), version(ledger)) == (["a"], before)
    for number in range(10):
        put(ledger, f"d{number}")
    assert len(names(ledger)) == 11


def test_a_form_that_the_server_refuses_is_told_once_it_is_mended(ledger: Ledger) -> None:
    """A statement whose preparation failed is prepared anew, not taken for prepared."""
    statement = "INSERT INTO later_things (name) VALUES (%s::text)"
    for _ in range(3):
        transaction = LaneTransaction(ledger, 0)
        transaction.hold("store-1", writes=True)
        transaction.stream().send(statement, ("a",))
        with pytest.raises(sa.exc.ProgrammingError):
            transaction.commit()
        transaction.close()
    with ledger.write.begin() as connection:
        connection.execute(sa.text("CREATE TABLE later_things (name TEXT)"))
    transaction = LaneTransaction(ledger, 0)
    transaction.hold("store-1", writes=True)
    transaction.stream().send(statement, ("a",))
    transaction.commit()
    transaction.close()


def test_a_rollback_and_a_changed_table_leave_no_statement_behind_that_is_taken_for_prepared(
    ledger: Ledger,
) -> None:
    put(ledger, "a")
    for change in ("ALTER TABLE things ADD COLUMN more TEXT", "ALTER TABLE things DROP COLUMN more"):
        for _ in range(6):
            transaction = LaneTransaction(ledger, 0)
            transaction.hold("store-1")
            transaction.stream().send(PUT, ('{"gone"}', "1"))
            transaction.close()
        with ledger.write.begin() as connection:
            connection.execute(sa.text(change))
        for number in range(6):
            put(ledger, f"{change[-8:]}{number}")
    assert len(names(ledger)) == 13


def test_texts_of_any_kind_and_length_pass(ledger: Ledger) -> None:
    put(ledger, "50 % of %s, $1", "zero \0 within", "ÄÖ 店", "x" * 2_000_000)
    assert [name[:20] for name in names(ledger)] == [
        "50 % of %s, $1",
        "x" * 20,
        "zero \ufffd within",
        "ÄÖ 店",
    ]


def test_a_server_that_goes_away_is_told_and_the_next_connection_works(ledger: Ledger) -> None:
    transaction = LaneTransaction(ledger, 0)
    transaction.hold("store-1", writes=True)
    transaction.stream().send(PUT, ('{"a"}', "1"))
    pid = transaction.stream().driver.info.backend_pid
    with ledger.watch.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 30000)"), {"pid": pid}).scalar()
    with pytest.raises(sa.exc.OperationalError):
        transaction.commit()
    transaction.close()
    assert names(ledger) == []
    put(ledger, "b")
    assert names(ledger) == ["b"]


def test_who_waits_for_the_server_lets_other_threads_work(ledger: Ledger) -> None:
    """A statement that waits for a lock holds up nobody else of the process."""
    first, second = LaneTransaction(ledger, 0), LaneTransaction(ledger, 0)
    first.hold("store-1", writes=True)
    done = threading.Event()

    def wait() -> None:
        second.hold("store-1", writes=True)
        second.commit()
        done.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    put_elsewhere = LaneTransaction(ledger, 0)
    put_elsewhere.hold("store-2", writes=True)
    put_elsewhere.commit()
    put_elsewhere.close()
    assert not done.is_set()
    first.commit()
    assert done.wait(WAIT_S)
    thread.join(WAIT_S)
    first.close()
    second.close()


def test_the_driver_finds_the_connection_as_it_expects_it(ledger: Ledger) -> None:
    """After a stream the same transaction goes on by the driver's own way, and the other way round."""
    transaction = LaneTransaction(ledger, 0)
    transaction.hold("store-1", writes=True)
    transaction.stream().send(PUT, ('{"a"}', "1"))
    assert transaction.connection.execute(sa.text("SELECT n FROM things")).scalars().all() == [1]
    transaction.stream().send(PUT, ('{"b"}', "2"))
    transaction.commit()
    driver = transaction.connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    transaction.close()
    assert names(ledger) == ["a", "b"]
