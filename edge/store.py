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
from edge.damage import noticing_damage
from edge.epoch_marker import write_marker
from edge.errors import DiskError
from edge.outbox import Stream, Streams, new_epoch
from edge.row_check import is_sound, row_check
from edge.state_log import StateLog, state_rows

MAX_QUARANTINE_ROWS, MAX_QUARANTINE_BYTES = 10_000, 32_000_000
MAX_PUT_ASIDE_BYTES = 256_000
"""Of one payload; what is longer is cut. A broker would carry up to 256 MB."""
MAX_FROZEN_ROWS = 50_000
"""Rows that may have been sent cannot give way to a full outbox, so no more than this wait for a slow centre."""
ROW_BYTES = 160
"""What a row takes beside its JSON: epoch, seq, kind, checksum, its entry in the index, and its share of half-empty pages
(150 measured over 30 days with benchmarks/outage.py)."""
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
        self._state_log = StateLog(connection)
        self.outbox_bytes: int = connection.execute(
            f"SELECT coalesce(sum(length(json) + {ROW_BYTES}), 0) FROM outbox"  # noqa: S608 - a number of ours
        ).fetchone()[0]
        """What waits for the centre takes about this much of the file."""
        self.quarantine_dropped = 0
        self._quarantined, self._quarantine_bytes = connection.execute(
            "SELECT count(*), coalesce(sum(length(payload)), 0) FROM quarantine"
        ).fetchone()

    @property
    def db(self) -> sqlite3.Connection:
        return self._db

    def state_rows(self) -> list[tuple[str, str, str]]:
        """(kind, key, JSON), documents first."""
        return state_rows(self._db)

    def commit(self, commit: Commit) -> None:
        """Saves all of `commit` or nothing. Raises DiskError when the disk refuses; call again with the same commit."""
        live = self.streams.live
        last_seq, added, gone = live.last_seq, 0, 0
        quarantine = self._quarantined, self._quarantine_bytes, self.quarantine_dropped
        try:
            with self.transaction():
                self._state_log.save(commit.rows)
                for record in commit.records:
                    last_seq += 1
                    text = record.model_dump_json(exclude={"seq"})
                    added += len(text) + ROW_BYTES
                    self._db.execute(
                        "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)",
                        (live.epoch, last_seq, record.kind, text, row_check(record.kind, text)),
                    )
                self._put_aside(commit.put_aside)
                for epoch, seq, reason in commit.refused:
                    self._quarantine_row(epoch, seq, reason, commit.at_ms)
                for epoch, seq, reason in commit.poisoned:
                    added += self._replace_poison(epoch, seq, reason, commit.at_ms)
                for epoch, through in commit.acked.items():
                    gone += self._delete_acked(epoch, through)
                frozen = last_seq if commit.freeze and self._may_freeze(live) else live.frozen_through
                self._db.execute(
                    "UPDATE epochs SET last_seq = ?, frozen_through = ? WHERE epoch = ?",
                    (last_seq, frozen, live.epoch),
                )
        except sqlite3.OperationalError as error:
            self._quarantined, self._quarantine_bytes, self.quarantine_dropped = quarantine
            self._state_log.recount()
            raise DiskError(
                f"{self.path}: {error}; free room on the disk, the gateway goes on by itself"
            ) from error
        self.outbox_bytes += added - gone
        live.last_seq, live.frozen_through = last_seq, frozen
        if commit.records or commit.poisoned:
            self.streams.news.set()

    def freeze(self, stream: Stream | None = None, max_rows: int = MAX_FROZEN_ROWS) -> None:
        """Gives the next rows of `stream` (the live one) their final seqs: the uplink may send them from now on."""
        stream = stream or self.streams.live
        if stream.frozen_through == stream.last_seq:
            return
        with self.disk_errors():
            seqs = [seq for (seq,) in self._db.execute(
                "SELECT seq FROM outbox WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT ?",
                (stream.epoch, stream.frozen_through, max_rows),
            )]  # fmt: skip
            frozen = stream.frozen_through + len(seqs)
            last_seq = frozen if len(seqs) < max_rows else stream.last_seq
            # Upwards: the place below is free, its row has moved down already.
            moves = [
                (new, stream.epoch, seq)
                for new, seq in enumerate(seqs, stream.frozen_through + 1)
                if new != seq
            ]
            with self.transaction():
                self._db.executemany("UPDATE outbox SET seq = ? WHERE epoch = ? AND seq = ?", moves)
                self._db.execute(
                    "UPDATE epochs SET frozen_through = ?, last_seq = ? WHERE epoch = ?",
                    (frozen, last_seq, stream.epoch),
                )
        if last_seq == frozen:
            stream.holes = 0
        stream.moved += 1
        stream.frozen_through, stream.last_seq = frozen, last_seq
        self.streams.news.set()

    def open_epoch(self) -> str:
        """From now on records go into a new epoch; the old one drains beside it."""
        epoch = new_epoch()
        with self.disk_errors(), self.transaction():
            self._db.execute("INSERT INTO epochs VALUES (NULL, ?, 0, 0, 0)", (epoch,))
        self.streams.open_epoch(Stream(epoch, 0, 0, 0))
        self.keep_marker()
        return epoch

    def keep_marker(self) -> None:
        """Notes the live epoch beside the file."""
        with contextlib.suppress(OSError):  # no room: the next start does it
            write_marker(self.path, self.streams.live.epoch)

    def drop_drained(self) -> None:
        """Forgets epochs that have nothing left to send."""
        for stream in self.streams.all()[:-1]:
            if stream.acked_through < stream.frozen_through or stream.frozen_through < stream.last_seq:
                continue
            with self.disk_errors(), self.transaction():
                gone = self._delete_acked(stream.epoch, stream.last_seq)
                self._db.execute("DELETE FROM epochs WHERE epoch = ?", (stream.epoch,))
            self.outbox_bytes -= gone
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
        """All or nothing. Raises what the body raises, after rolling back, and CorruptStoreError for a damaged file."""
        with noticing_damage(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite rolls some failures back itself.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def disk_errors(self) -> Iterator[None]:
        """Raises DiskError where SQLite says that the disk refused."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DiskError(
                f"{self.path}: {error}; free room on the disk, the gateway goes on by itself"
            ) from error

    @staticmethod
    def _may_freeze(live: Stream) -> bool:
        """What waits already is frozen by `freeze`, in its turn."""
        return (
            live.frozen_through == live.last_seq
            and live.frozen_through - live.acked_through < MAX_FROZEN_ROWS
        )

    def _put_aside(self, items: Iterable[PutAside]) -> None:
        for item in items:
            payload = item.payload[:MAX_PUT_ASIDE_BYTES]
            self._db.execute(
                "INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?)",
                (item.at_ms, item.source, item.stream, item.reason, payload),
            )
            self._quarantined += 1
            self._quarantine_bytes += len(payload)
        while self._quarantined > MAX_QUARANTINE_ROWS or self._quarantine_bytes > MAX_QUARANTINE_BYTES:
            row_id, size = self._db.execute(
                "SELECT id, length(payload) FROM quarantine ORDER BY id LIMIT 1"
            ).fetchone()
            self._db.execute("DELETE FROM quarantine WHERE id = ?", (row_id,))
            self._quarantined -= 1
            self._quarantine_bytes -= size
            self.quarantine_dropped += 1

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
            "SELECT kind, json, crc FROM outbox WHERE epoch = ? AND seq = ?", (epoch, seq)
        ).fetchone()
        if found is None or (found[0] == "gap" and is_sound(found[2], found[0], found[1])):
            return 0
        self._quarantine_row(epoch, seq, reason, at_ms)
        gap = GapRecord(
            seq=seq, at_ms=at_ms, what=f"one {found[0]} record"[:200], reason=reason[:200],
            lost_epoch=epoch, seq_from=seq, seq_to=seq,
        )  # fmt: skip
        text = gap.model_dump_json(exclude={"seq"})
        self._db.execute(
            "UPDATE outbox SET kind = 'gap', json = ?, crc = ? WHERE epoch = ? AND seq = ?",
            (text, row_check("gap", text), epoch, seq),
        )
        return len(text) - len(found[1])

    def _delete_acked(self, epoch: str, through: int) -> int:
        gone = self._db.execute(
            f"SELECT coalesce(sum(length(json) + {ROW_BYTES}), 0) FROM outbox WHERE epoch = ? AND seq <= ?",  # noqa: S608 - a number of ours
            (epoch, through),
        ).fetchone()[0]
        self._db.execute("DELETE FROM outbox WHERE epoch = ? AND seq <= ?", (epoch, through))
        self._db.execute(
            "UPDATE epochs SET acked_through = max(acked_through, ?) WHERE epoch = ?", (through, epoch)
        )
        return int(gone)
