"""What commits change of the state, appended to a log and folded into its table now and then.

A commit changes a few dozen rows that lie on as many pages, and SQLite writes whole pages: at fifty messages a second over
sixty hot SKUs that were 4.3 GB a day. Appended as one compressed row they are a tenth of that. The log is part of the same file
and the same transaction; a row in it is newer than the table's.

Kinds that are large or rarely change (documents above all) go straight to the table: a kind is either logged or not, so that
the newer of two rows is always known.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence

import zstandard

from edge.core.rows import Row
from edge.errors import CorruptStoreError
from edge.row_check import row_check

STATE_LOG_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS state_log (id INTEGER PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL);"
)
DIRECT_KINDS = frozenset({"document"})
"""Never logged. Taking a kind from here or adding one is safe: `fold` empties the log at each start."""
FOLD_BYTES = 262_144
"""Compressed. The log's pages are used again after each fold, so a short log also keeps the file small."""
_LEVEL = 1
MAX_BODY_BYTES = 64_000_000


class StateLog:
    """Its methods run inside the caller's transaction; `bytes` is wrong after one that failed until `recount`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.bytes = 0
        self.recount()

    def recount(self) -> None:
        self.bytes = self._db.execute("SELECT coalesce(sum(length(body)), 0) FROM state_log").fetchone()[0]

    def save(self, rows: Sequence[Row]) -> None:
        """Newer than all that was saved before; None in place of JSON deletes."""
        logged = [row for row in rows if row[0] not in DIRECT_KINDS]
        self._to_table(row for row in rows if row[0] in DIRECT_KINDS)
        if not logged:
            return
        body = self._compress(json.dumps(logged, separators=(",", ":")).encode())
        self._db.execute("INSERT INTO state_log VALUES (NULL, ?, ?)", (body, zlib.crc32(body)))
        self.bytes += len(body)
        if self.bytes > FOLD_BYTES:
            self.fold()

    def fold(self) -> None:
        """The newest of each row into the table; the log is empty then."""
        newest: dict[tuple[str, str], str | None] = {}
        for kind, key, text in _rows_newest_first(self._db):
            newest.setdefault((kind, key), text)
        self._to_table(
            (kind, key, text) for (kind, key), text in sorted(newest.items(), key=lambda item: item[0])
        )
        self._db.execute("DELETE FROM state_log")
        self.bytes = 0

    def _to_table(self, rows: Iterable[Row]) -> None:
        for kind, key, text in rows:
            if text is None:
                self._db.execute("DELETE FROM state WHERE kind = ? AND key = ?", (kind, key))
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)",
                    (kind, key, text, row_check(kind, key, text)),
                )


def state_rows(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """(kind, key, JSON) of the whole state, documents first: other rows are read with their help.

    Raises CorruptStoreError when a row of the log is not what was written.
    """
    rows: dict[tuple[str, str], str | None] = {
        (kind, key): text for kind, key, text in db.execute("SELECT kind, key, json FROM state")
    }
    logged: dict[tuple[str, str], str | None] = {}
    for kind, key, text in _rows_newest_first(db):
        logged.setdefault((kind, key), text)
    rows |= logged
    found = [(kind, key, text) for (kind, key), text in rows.items() if text is not None]
    return sorted(found, key=lambda row: (row[0] != "document", row[0], row[1]))


def check_log(db: sqlite3.Connection) -> None:
    """Raises CorruptStoreError when a row of the log is not what was written."""
    for _ in _rows_newest_first(db):
        pass


def _rows_newest_first(db: sqlite3.Connection) -> Iterator[Row]:
    for number, body, check in db.execute("SELECT id, body, crc FROM state_log ORDER BY id DESC"):
        if not isinstance(body, bytes) or zlib.crc32(body) != check:
            raise CorruptStoreError(f"row {number} of the state's log is not what was written")
        plain = zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_BODY_BYTES)
        # A row comes once in a body, so within one the order says nothing.
        yield from json.loads(plain)
