"""The uplink's view of the outbox."""

import contextlib
import json
import sqlite3
from pathlib import Path

from edge.damage import noticing_damage
from edge.errors import DamagedRowError
from edge.outbox import OutboxRow
from edge.row_check import is_sound
from edge.store import BUSY_TIMEOUT_S


class OutboxReader:
    """The uplink's own read-only connection. Open it in the thread that uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
        self._db.execute("PRAGMA cache_size=-256")
        # Text that is no UTF-8 any more must reach the checksum.
        self._db.text_factory = lambda text: text.decode("utf-8", "replace")

    def rows(self, epoch: str, after: int, through: int, max_rows: int, max_bytes: int) -> list[OutboxRow]:
        """Rows with after < seq <= through, in order, at least one when there is one.

        Raises DamagedRowError when the first of them is not what was written, CorruptStoreError when the file is damaged.
        """
        found: list[OutboxRow] = []
        size = 0
        with noticing_damage(self._path):
            cursor = self._db.execute(
                "SELECT seq, kind, json, crc FROM outbox WHERE epoch = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (epoch, after, through, max_rows),
            )
            with contextlib.closing(cursor):
                for seq, kind, text, check in cursor:
                    size += len(text)
                    if found and size > max_bytes:
                        break
                    if not is_sound(check, kind, text):
                        if found:
                            break
                        raise DamagedRowError(epoch, seq)
                    found.append(OutboxRow(seq, kind, text))
        return found

    def oldest_at_ms(self, epoch: str, after: int) -> int | None:
        """When the first row behind `after` happened; None when there is none, or when it is damaged."""
        with noticing_damage(self._path):
            found = self._db.execute(
                "SELECT kind, json, crc FROM outbox WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT 1",
                (epoch, after),
            ).fetchone()
        if found is None or not is_sound(found[2], found[0], found[1]):
            return None
        return int(json.loads(found[1])["at_ms"])

    def close(self) -> None:
        self._db.close()
