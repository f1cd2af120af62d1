"""Opens the gateway's file, makes it when absent, and sets a damaged one aside."""

import sqlite3
from pathlib import Path

from contract.records import GapRecord
from edge.epoch_marker import read_marker, write_marker
from edge.errors import CorruptStoreError
from edge.outbox import Stream, Streams, new_epoch
from edge.store import BUSY_TIMEOUT_S, Commit, EdgeStore
from runtime.errors import OperatorError
from runtime.logs import Log

log = Log("edge.store_file")

SCHEMA_VERSION = 1

# All SQL that makes the file. Pages are small because a commit writes whole pages and most commits change few rows.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epochs (ordinal INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL,
    acked_through INTEGER NOT NULL, frozen_through INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (epoch TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (epoch, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, source TEXT NOT NULL,
    stream TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL);
"""


def open_store(state_dir: Path, now_ms: int) -> EdgeStore:
    """The store in `state_dir`, made when absent. Raises OperatorError when the folder cannot be used."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"state_dir {state_dir}: {error.strerror}; choose a folder this user may write"
        ) from None
    path = state_dir / "edge.sqlite"
    lost = ""
    try:
        connection = _connect(path)
    except CorruptStoreError as error:
        lost = str(error)
        log.warning("database is damaged, setting it aside", path=str(path), reason=lost)
        _set_aside(path)
        connection = _connect(path)
    except sqlite3.OperationalError as error:
        raise OperatorError(
            f"state_dir {state_dir}: {error}; make the folder and edge.sqlite writable for this user, with room"
        ) from None
    marker = read_marker(path)
    streams = _streams_of(connection)
    if not streams:
        epoch = new_epoch()
        connection.execute("INSERT INTO epochs VALUES (NULL, ?, 0, 0, 0)", (epoch,))
        streams = [Stream(epoch, 0, 0, 0)]
        write_marker(path, epoch)
        if marker and not lost:
            lost = f"the file {path.name} was gone"
    store = EdgeStore(path, connection, Streams(streams))
    if lost:
        gap = GapRecord(
            seq=1, at_ms=now_ms, what="state and unsent records of an earlier epoch",
            reason=f"the gateway's database was lost: {lost}"[:200], lost_epoch=marker or None,
        )  # fmt: skip
        store.commit(Commit(at_ms=now_ms, records=[gap]))
    return store


def _connect(path: Path) -> sqlite3.Connection:
    """Raises CorruptStoreError when the file is damaged, OperatorError when it is from a newer version."""
    # One thread uses it after the start; the check is SQLite's own, not ours.
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA page_size=1024")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA cache_size=-512")
        check = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        _refuse_damage(check)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        _refuse_newer(path, version)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise CorruptStoreError(str(error)) from None
    except Exception:
        connection.close()
        raise
    return connection


def _streams_of(connection: sqlite3.Connection) -> list[Stream]:
    return [
        Stream(*row)
        for row in connection.execute(
            "SELECT epoch, last_seq, acked_through, frozen_through FROM epochs ORDER BY ordinal"
        )
    ]


def _set_aside(path: Path) -> None:
    number = 1
    while path.with_name(f"{path.name}.corrupt-{number}").exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.corrupt-{number}{suffix}"))


def _refuse_damage(check: str) -> None:
    if check != "ok":
        raise CorruptStoreError(check)


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise OperatorError(
            f"{path}: written by a newer version (schema {version}); install that version or move the file away"
        )
