"""The durable memory of a system outside: which events it has seen, and what it did about them, in one transaction."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event(id TEXT PRIMARY KEY, type TEXT NOT NULL, door TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS kept(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

Event = dict[str, Any]
"""A CloudEvent as parsed JSON."""


class Notebook:
    """One SQLite file, one lock, one transaction at a time: a kill at any moment leaves an event wholly done or not at all."""

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA + schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, values: tuple[object, ...] = ()) -> int:
        """The first column of the first row as an integer; 0 when there is none."""
        rows = self.rows(sql, values)
        return int(rows[0][0] or 0) if rows else 0

    def keep(self, name: str, value: object) -> None:
        with self.transaction() as db:
            keep(db, name, value)

    def kept(self, name: str, default: Any) -> Any:
        rows = self.rows("SELECT value FROM kept WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows else default


def keep(db: sqlite3.Connection, name: str, value: object) -> None:
    db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, json.dumps(value)))


def count(db: sqlite3.Connection, name: str, more: int = 1) -> None:
    """Adds to a kept number, inside the caller's transaction."""
    db.execute(
        "INSERT INTO kept VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = CAST(value AS INTEGER) + ?",
        (name, str(more), more),
    )


def is_new(db: sqlite3.Connection, event: Event, door: str, now_ms: int) -> bool:
    """Whether `event` comes for the first time; either way the notebook knows it now. Counts those that come again."""
    cursor = db.execute(
        "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?)", (event["id"], event["type"], door, now_ms)
    )
    if cursor.rowcount == 0:
        count(db, f"seen_again_by_{door}")
    return cursor.rowcount == 1
