"""The gateway's one file: state, outbox and quarantine, in one transaction a group commit.

SQLite, WAL, synchronous=FULL: after `commit` returns, a power cut keeps everything. Only the loop's thread writes.
A damaged file is set aside as `…corrupt-N`; the gateway starts with a new epoch and declares a gap of unknown extent.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contract.records import GapRecord, Record
from edge.core.effects import PutAside
from edge.core.rows import Row
from edge.epoch_marker import write_marker
from edge.errors import DiskError
from edge.outbox import Stream, Streams, new_epoch

MAX_QUARANTINE_ROWS = 10_000
BUSY_TIMEOUT_S = 10.0
KEPT_FREE_PAGES, RECLAIM_PAGES = 2000, 1000
"""A page is 1 KiB: what an ordinary day needs again is kept, a drained outage is given back."""


@dataclass(slots=True)
class Commit:
    """What one transaction saves. acked: epoch -> seq through which the centre has everything.

    refused: (epoch, seq, reason), rows the centre refused: they go to quarantine. poisoned: rows that no batch may carry; a
    record that says so takes their place. freeze: the uplink works, so what is saved now may be sent at once.
    """

    at_ms: int
    rows: list[Row] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    put_aside: list[PutAside] = field(default_factory=list)
    acked: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    poisoned: list[tuple[str, int, str]] = field(default_factory=list)
    freeze: bool = True

    def is_empty(self) -> bool:
        return not (
            self.rows or self.records or self.put_aside or self.acked or self.refused or self.poisoned
        )


class EdgeStore:
    """Made by `open_store`. `streams` says where each epoch stands."""

    def __init__(self, path: Path, connection: sqlite3.Connection, streams: Streams) -> None:
        self.path = path
        self.streams = streams
        self._db = connection
        self.outbox_bytes: int = connection.execute(
            "SELECT coalesce(sum(length(json)), 0) FROM outbox"
        ).fetchone()[0]
        self.quarantine_dropped = 0
        self._quarantined = connection.execute("SELECT count(*) FROM quarantine").fetchone()[0]

    @property
    def db(self) -> sqlite3.Connection:
        return self._db

    def state_rows(self) -> list[tuple[str, str, str]]:
        # Documents first: other rows are read with their help.
        return list(
            self._db.execute("SELECT kind, key, json FROM state ORDER BY kind <> 'document', kind, key")
        )

    def commit(self, commit: Commit) -> None:
        """Saves all of `commit` or nothing. Raises DiskError when the disk refuses; call again with the same commit."""
        live = self.streams.live
        last_seq, added, gone = live.last_seq, 0, 0
        try:
            with self.transaction():
                self._save_state(commit.rows)
                for record in commit.records:
                    last_seq += 1
                    text = record.model_dump_json(exclude={"seq"})
                    added += len(text)
                    self._db.execute(
                        "INSERT INTO outbox VALUES (?, ?, ?, ?)", (live.epoch, last_seq, record.kind, text)
                    )
                self._put_aside(commit.put_aside)
                for epoch, seq, reason in commit.refused:
                    self._quarantine_row(epoch, seq, reason, commit.at_ms)
                for epoch, seq, reason in commit.poisoned:
                    added += self._replace_poison(epoch, seq, reason, commit.at_ms)
                for epoch, through in commit.acked.items():
                    gone += self._delete_acked(epoch, through)
                frozen = last_seq if commit.freeze else live.frozen_through
                self._db.execute(
                    "UPDATE epochs SET last_seq = ?, frozen_through = ? WHERE epoch = ?",
                    (last_seq, frozen, live.epoch),
                )
        except sqlite3.OperationalError as error:
            raise DiskError(
                f"{self.path}: {error}; free room on the disk, the gateway goes on by itself"
            ) from error
        self.outbox_bytes += added - gone
        live.last_seq, live.frozen_through = last_seq, frozen
        if commit.records or commit.poisoned:
            self.streams.news.set()

    def freeze(self) -> None:
        """Lets the uplink send everything that waits."""
        live = self.streams.live
        if live.frozen_through == live.last_seq:
            return
        try:
            with self.transaction():
                self._db.execute("UPDATE epochs SET frozen_through = last_seq WHERE epoch = ?", (live.epoch,))
        except sqlite3.OperationalError as error:
            raise DiskError(f"{self.path}: {error}") from error
        live.frozen_through = live.last_seq
        self.streams.news.set()

    def open_epoch(self) -> str:
        """From now on records go into a new epoch; the old one drains beside it."""
        epoch = new_epoch()
        try:
            with self.transaction():
                self._db.execute("UPDATE epochs SET frozen_through = last_seq")
                self._db.execute("INSERT INTO epochs VALUES (NULL, ?, 0, 0, 0)", (epoch,))
        except sqlite3.OperationalError as error:
            raise DiskError(f"{self.path}: {error}") from error
        for stream in self.streams.all():
            stream.frozen_through = stream.last_seq
        self.streams.open_epoch(Stream(epoch, 0, 0, 0))
        write_marker(self.path, epoch)
        return epoch

    def drop_drained(self) -> None:
        """Forgets epochs that have nothing left to send."""
        for stream in self.streams.all()[:-1]:
            if stream.waiting == 0:
                try:
                    with self.transaction():
                        self._db.execute("DELETE FROM outbox WHERE epoch = ?", (stream.epoch,))
                        self._db.execute("DELETE FROM epochs WHERE epoch = ?", (stream.epoch,))
                except sqlite3.OperationalError as error:
                    raise DiskError(f"{self.path}: {error}") from error
                self.streams.close_epoch(stream.epoch)

    def quarantine_rows(self) -> int:
        return int(self._quarantined)

    def reclaim(self) -> None:
        """Gives some of the pages that a drained outbox left back to the disk: little at once, commits wait for it.

        Raises DiskError when the disk refuses.
        """
        try:
            free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
            if free > KEPT_FREE_PAGES:
                pages = min(RECLAIM_PAGES, free - KEPT_FREE_PAGES)
                # As a script: it steps to the end, where `execute` stops at the first row, which is the first page.
                self._db.executescript(f"PRAGMA incremental_vacuum({pages})")
        except sqlite3.OperationalError as error:
            raise DiskError(f"{self.path}: {error}") from error

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises what the body raises, after rolling back."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite rolls some failures back itself.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _save_state(self, rows: Iterable[Row]) -> None:
        for kind, key, text in rows:
            if text is None:
                self._db.execute("DELETE FROM state WHERE kind = ? AND key = ?", (kind, key))
            else:
                self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (kind, key, text))

    def _put_aside(self, items: Iterable[PutAside]) -> None:
        for item in items:
            self._db.execute(
                "INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?)",
                (item.at_ms, item.source, item.stream, item.reason, item.payload),
            )
            self._quarantined += 1
        if self._quarantined > MAX_QUARANTINE_ROWS:
            over = self._quarantined - MAX_QUARANTINE_ROWS
            self._db.execute(
                "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine ORDER BY id LIMIT ?)", (over,)
            )
            self._quarantined -= over
            self.quarantine_dropped += over

    def _quarantine_row(self, epoch: str, seq: int, reason: str, at_ms: int) -> None:
        found = self._db.execute(
            "SELECT kind, json FROM outbox WHERE epoch = ? AND seq = ?", (epoch, seq)
        ).fetchone()
        if found is not None:
            source = f"outbox {epoch} {seq}"
            self._put_aside([PutAside(source, found[0], f"centre: {reason}", found[1].encode(), at_ms)])

    def _replace_poison(self, epoch: str, seq: int, reason: str, at_ms: int) -> int:
        """Bytes added. The seq stays in the run, or the centre would see a hole."""
        found = self._db.execute(
            "SELECT kind, json FROM outbox WHERE epoch = ? AND seq = ?", (epoch, seq)
        ).fetchone()
        if found is None or found[0] == "gap":
            return 0
        self._quarantine_row(epoch, seq, reason, at_ms)
        gap = GapRecord(
            seq=seq, at_ms=at_ms, what=f"one {found[0]} record", reason=f"the centre refuses it: {reason}"[:200],
            lost_epoch=epoch, seq_from=seq, seq_to=seq,
        )  # fmt: skip
        text = gap.model_dump_json(exclude={"seq"})
        self._db.execute(
            "UPDATE outbox SET kind = 'gap', json = ? WHERE epoch = ? AND seq = ?", (text, epoch, seq)
        )
        return len(text) - len(found[1])

    def _delete_acked(self, epoch: str, through: int) -> int:
        gone = self._db.execute(
            "SELECT coalesce(sum(length(json)), 0) FROM outbox WHERE epoch = ? AND seq <= ?", (epoch, through)
        ).fetchone()[0]
        self._db.execute("DELETE FROM outbox WHERE epoch = ? AND seq <= ?", (epoch, through))
        self._db.execute(
            "UPDATE epochs SET acked_through = max(acked_through, ?) WHERE epoch = ?", (through, epoch)
        )
        return int(gone)
