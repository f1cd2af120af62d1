"""Opens the gateway's file, makes it when absent, and sets a damaged one aside.

Noticed are: a structure that SQLite finds broken, a state row or an epoch whose values changed (edge.row_check), damage that
an earlier run met (edge.damage), commits that were in the log and are unreadable now (edge.wal_check), and a file that is gone.
"""

import os
import sqlite3
from pathlib import Path

from contract.records import GapRecord
from edge.damage import forget_damage, read_damage
from edge.epoch_marker import read_marker, write_marker
from edge.errors import CorruptStoreError, DiskError
from edge.outbox import Stream, Streams, new_epoch
from edge.row_check import is_sound, row_check
from edge.state_log import STATE_LOG_SCHEMA, StateLog, check_log
from edge.store import BUSY_TIMEOUT_S, EdgeStore
from edge.wal_check import log_commits, lost_commits
from runtime.errors import OperatorError
from runtime.logs import Log

log = Log("edge.store_file")

SCHEMA_VERSION = 5
PAGE_BYTES = 1024
KEPT_ASIDE = 3

# With a rowid: a page of a table without one holds a quarter of itself of a row at most, and each longer row, nearly every
# one, would take a page of its own beside.
_OUTBOX = """
CREATE TABLE IF NOT EXISTS outbox (epoch TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL,
    crc INTEGER, PRIMARY KEY (epoch, seq));
"""
# With a rowid, too: without one a document of a megabyte stands as a key in the tree, and is read whole to find any other row.
_STATE = """
CREATE TABLE IF NOT EXISTS state (kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, crc INTEGER,
    PRIMARY KEY (kind, key));
"""
# All SQL that makes the file. Pages are small because a commit writes whole pages and most commits change few rows.
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epochs (ordinal INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL,
    acked_through INTEGER NOT NULL, frozen_through INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, source TEXT NOT NULL,
    stream TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL);
{STATE_LOG_SCHEMA}
{_OUTBOX}
{_STATE}
"""
# Version 1 had no checksums, and windows that were merged but never sent carried a span of seqs.
_FROM_VERSION_1 = """
ALTER TABLE state ADD COLUMN crc INTEGER;
ALTER TABLE outbox ADD COLUMN crc INTEGER;
UPDATE outbox SET json = json_remove(json, '$.seq_from') WHERE kind = 'sku_window'
    AND seq > (SELECT frozen_through FROM epochs WHERE epochs.epoch = outbox.epoch);
"""
_WITH_ROWID = f"""
ALTER TABLE outbox RENAME TO old_outbox;
{_OUTBOX}
INSERT INTO outbox SELECT epoch, seq, kind, json, crc FROM old_outbox ORDER BY epoch, seq;
DROP TABLE old_outbox;
"""  # noqa: S608 - our own text
_STATE_WITH_ROWID = f"""
ALTER TABLE state RENAME TO old_state;
{_STATE}
INSERT INTO state SELECT kind, key, json, crc FROM old_state ORDER BY kind, key;
DROP TABLE old_state;
"""  # noqa: S608 - our own text
_STEPS = (_FROM_VERSION_1, STATE_LOG_SCHEMA, _WITH_ROWID, _STATE_WITH_ROWID)
"""From version 1 to 2, from 2 to 3 and so on."""
_UPGRADES = {0: _SCHEMA, **{version: "".join(_STEPS[version - 1 :]) for version in range(1, SCHEMA_VERSION)}}
"""By the version that the file has; 0 is a new one."""


def open_store(state_dir: Path, now_ms: int) -> EdgeStore:
    """The store in `state_dir`, made when absent. Raises OperatorError when the folder cannot be used."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"state_dir {state_dir}: {error.strerror}; choose a folder this user may write"
        ) from None
    path = state_dir / "edge.sqlite"
    try:
        return _open(path, now_ms)
    except PermissionError as error:
        raise OperatorError(
            f"state_dir {state_dir}: {error.strerror}; make it and what is in it writable for this user"
        ) from None
    except (sqlite3.OperationalError, OSError) as error:
        if isinstance(error, sqlite3.OperationalError) and _is_forbidden(path, error):
            raise OperatorError(
                f"state_dir {state_dir}: {error}; make the folder and edge.sqlite writable for this user"
            ) from None
        # Room or time may heal it: the service manager starts us again.
        raise DiskError(f"state_dir {state_dir}: {error}; free room on the disk") from error


def _open(path: Path, now_ms: int) -> EdgeStore:
    lost, torn = "", 0
    try:
        connection, torn = _connect(path)
    except CorruptStoreError as error:
        lost = str(error)
        log.warning("database is damaged, setting it aside", path=str(path), reason=lost)
        _set_aside(path)
        forget_damage(path)
        connection, _ = _connect(path)
    marker = read_marker(path)
    streams = _streams_of(connection)
    if not streams and marker and not lost:
        lost = f"the file {path.name} was gone"
    elif torn and not lost:
        lost = f"{torn} commits at the end of its log are unreadable"
        log.warning("the database's log is damaged, a new epoch begins", path=str(path), commits=torn)
    if lost or not streams:
        streams.append(_begin_epoch(connection, _gap(lost, marker, now_ms) if lost else None))
    if marker != streams[-1].epoch:
        write_marker(path, streams[-1].epoch)
    return EdgeStore(path, connection, Streams(streams))


def _gap(lost: str, epoch: str, now_ms: int) -> GapRecord:
    return GapRecord(
        seq=1, at_ms=now_ms, what="state and unsent records of an earlier epoch",
        reason=f"the gateway's database was lost: {lost}"[:200], lost_epoch=epoch or None,
    )  # fmt: skip


def _begin_epoch(connection: sqlite3.Connection, gap: GapRecord | None) -> Stream:
    """A new epoch, with what it has to declare, in one transaction: nobody may see the one without the other."""
    stream = Stream(new_epoch(), int(gap is not None), 0, 0)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO epochs VALUES (NULL, ?, ?, 0, 0)", (stream.epoch, stream.last_seq))
    if gap is not None:
        text = gap.model_dump_json(exclude={"seq"})
        row = (stream.epoch, gap.seq, gap.kind, text, row_check(gap.kind, text))
        connection.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("COMMIT")
    return stream


def _is_forbidden(path: Path, error: sqlite3.OperationalError) -> bool:
    if "readonly" in str(error):
        return True
    return "unable to open" in str(error) and not (
        path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)
    )


def _connect(path: Path) -> tuple[sqlite3.Connection, int]:
    """The connection, and how many commits at the end of the log are unreadable.

    Raises CorruptStoreError when the file is damaged, OperatorError when it is from a newer version.
    """
    commits = log_commits(path, PAGE_BYTES)
    # One thread uses it after the start; the check is SQLite's own, not ours.
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    # Text that is no UTF-8 any more must reach the checksum.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    try:
        _refuse_damage(read_damage(path) or "ok")
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA cache_size=-512")
        torn = lost_commits(commits, connection)
        check = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        _refuse_damage(check)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        _refuse_newer(path, version)
        if version != SCHEMA_VERSION:
            upgrade = _UPGRADES[version]
            connection.executescript(f"BEGIN; {upgrade} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        _refuse_changed_rows(connection)
        _fold_at_start(connection)
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise CorruptStoreError(str(error)) from None
    except Exception:
        connection.close()
        raise
    return connection, torn


def _streams_of(connection: sqlite3.Connection) -> list[Stream]:
    waiting = dict(
        connection.execute(
            "SELECT epoch, count(*) FROM outbox JOIN epochs USING (epoch) WHERE seq > acked_through GROUP BY epoch"
        )
    )
    return [
        Stream(
            epoch,
            last,
            acked,
            frozen,
            last - acked - waiting.get(epoch, 0),
            opened_at=last,
            is_known=last == 0,
        )
        for epoch, last, acked, frozen in connection.execute(
            "SELECT epoch, last_seq, acked_through, frozen_through FROM epochs ORDER BY ordinal"
        )
    ]


def _set_aside(path: Path) -> None:
    """Renames the file to `….corrupt-N`. The newest few are kept for whoever wants to look; each may be large."""
    numbers = sorted(
        int(kept.name.rpartition("-")[2])
        for kept in path.parent.glob(f"{path.name}.corrupt-*")
        if kept.name.rpartition("-")[2].isdigit()
    )
    number = (numbers[-1] if numbers else 0) + 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.corrupt-{number}{suffix}"))
        for old in numbers[: -(KEPT_ASIDE - 1)]:
            path.with_name(f"{path.name}.corrupt-{old}{suffix}").unlink(missing_ok=True)


def _refuse_damage(check: str) -> None:
    if check != "ok":
        raise CorruptStoreError(check)


def _refuse_changed_rows(connection: sqlite3.Connection) -> None:
    """What the outbox's rows say is checked when they are sent; where they stand, and the state, must be right at once."""
    for kind, key, text, check in connection.execute("SELECT kind, key, json, crc FROM state"):
        _refuse_damage(
            "ok" if is_sound(check, kind, key, text) else f"state {kind} {key[:40]} is not what was written"
        )
    check_log(connection)
    bad = connection.execute(
        """SELECT epoch FROM epochs WHERE acked_through > frozen_through OR frozen_through > last_seq OR acked_through < 0
        OR last_seq < (SELECT coalesce(max(seq), 0) FROM outbox WHERE outbox.epoch = epochs.epoch)"""
    ).fetchone()
    _refuse_damage("ok" if bad is None else f"the seqs of epoch {bad[0]} contradict each other")


def _fold_at_start(connection: sqlite3.Connection) -> None:
    """The state's log begins empty, whichever version wrote it; on a full disk it is read as it is."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        StateLog(connection).fold()
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        log.warning("the state's log stays as it is", reason=str(error))
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise OperatorError(
            f"{path}: written by a newer version (schema {version}); install that version or move the file away"
        )
