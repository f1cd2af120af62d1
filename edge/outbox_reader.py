"""The uplink's view of the outbox."""

import contextlib
import sqlite3
from pathlib import Path

from edge.outbox import OutboxRow
from edge.store import BUSY_TIMEOUT_S


class OutboxReader:
    """The uplink's own read-only connection. Open it in the thread that uses it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
        self._db.execute("PRAGMA cache_size=-256")

    def rows(self, epoch: str, after: int, through: int, max_rows: int, max_bytes: int) -> list[OutboxRow]:
        """Rows with after < seq <= through, in order, at least one when there is one."""
        found: list[OutboxRow] = []
        size = 0
        cursor = self._db.execute(
            "SELECT seq, kind, json FROM outbox WHERE epoch = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (epoch, after, through, max_rows),
        )
        with contextlib.closing(cursor):
            for row in cursor:
                size += len(row[2])
                if found and size > max_bytes:
                    break
                found.append(OutboxRow(*row))
        return found

    def close(self) -> None:
        self._db.close()
