"""Keeps the outbox below its limit during a long outage: coarser first, then fewer, always declared (edge.core.coarsen).

One step at a time: each is a transaction over some thousand rows, so that tills are answered in between.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from contract.records import SkuWindow
from edge.core.coarsen import LAST_GROUP, SPANS_MS, Coarsening, WaitingRow, drop_group
from edge.core.dropped import Dropped
from edge.errors import DiskError
from edge.outbox import Stream
from edge.row_check import is_sound, row_check
from edge.store import ROW_BYTES, EdgeStore
from runtime.logs import Log

log = Log("edge.store_trim")

CHUNK_ROWS = 4000
"""Rows looked at in one step: what bounds its time and memory."""
GAPS_BYTES = 2000
FROM, DOWN_TO = 0.95, 0.85
"""Shares of the limit at which to begin and to stop: the limit itself is not passed while steps are taken."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """A gap record that was not sent yet, and so may still grow."""

    epoch: str
    seq: int
    dropped: Dropped


class Trimmer:
    """`step` while `is_due`. Made with the store, by the thread that owns it."""

    def __init__(self, store: EdgeStore, max_bytes: int) -> None:
        self._store, self._max_bytes = store, max_bytes
        self._is_trimming = False
        self._stages: Iterator[bool] = iter(())
        self._at_ms = 0
        self._gaps: dict[str, _Declared] = {}
        self._places: list[tuple[str, int]] = []

    def is_due(self) -> bool:
        share = DOWN_TO if self._is_trimming else FROM
        return self._store.outbox_bytes > self._max_bytes * share

    def step(self, at_ms: int) -> bool:
        """One bounded step; False when the outbox is small enough or nothing more can give way.

        Raises DiskError when the disk refuses; the next step begins anew.
        """
        self._at_ms = at_ms
        places = [(stream.epoch, stream.moved) for stream in self._store.streams.all()]
        if places != self._places:
            # Rows have other seqs now: what we remember of places is void.
            self._places, self._is_trimming = places, False
            self._gaps.clear()
        if not self._is_trimming:
            self._is_trimming, self._stages = True, self._all_stages()
            log.warning(
                "the outbox is full, trimming it", bytes=self._store.outbox_bytes, limit=self._max_bytes
            )
        try:
            with self._store.disk_errors():
                if self.is_due() and next(self._stages, None) is not None:
                    return True
        except DiskError:
            # What was counted is perhaps not saved: begin anew.
            self._is_trimming = False
            self._gaps.clear()
            raise
        self._is_trimming = False
        log.warning("the outbox was trimmed", bytes=self._store.outbox_bytes, limit=self._max_bytes)
        return False

    def _all_stages(self) -> Iterator[bool]:
        """Yields after each transaction."""
        for span_ms in SPANS_MS:
            for stream in self._store.streams.all():
                coarsening = Coarsening(span_ms)
                for rows in self._walk(stream):
                    self._coarsen(stream, coarsening, rows)
                    yield True
        for group in range(LAST_GROUP + 1):
            for stream in self._store.streams.all():
                for rows in self._walk(stream):
                    self._drop(stream, group, rows)
                    yield True

    def _walk(self, stream: Stream) -> Iterator[list[WaitingRow]]:
        """All rows that were never sent, oldest first, a chunk at a time."""
        after = stream.frozen_through
        while rows := self._rows(stream, max(after, stream.frozen_through)):
            after = rows[-1].seq
            yield [row for row in rows if row.kind]

    def _rows(self, stream: Stream, after: int) -> list[WaitingRow]:
        """Rows that are not what was written come with kind "": they are declared when they are sent."""
        query = "SELECT seq, kind, json, crc FROM outbox WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT ?"
        found = self._store.db.execute(query, (stream.epoch, after, CHUNK_ROWS))
        return [
            WaitingRow(seq, kind if is_sound(check, kind, text) else "", text)
            for seq, kind, text, check in found
        ]

    def _coarsen(self, stream: Stream, coarsening: Coarsening, rows: list[WaitingRow]) -> None:
        merged = coarsening.merge(rows)
        if not merged.gone:
            return
        before = {row.seq: len(row.text) for row in rows}
        with self._store.transaction():
            freed = self._delete(stream, [(seq, before[seq]) for seq in merged.gone])
            for seq, text in merged.changed.items():
                freed -= self._update(stream, seq, SkuWindow.kind, text)
        self._store.outbox_bytes -= freed
        stream.holes += len(merged.gone)

    def _drop(self, stream: Stream, group: int, rows: list[WaitingRow]) -> None:
        # With room for the gap records: they must not push out what comes next in order.
        too_many = self._store.outbox_bytes - int(self._max_bytes * DOWN_TO) + GAPS_BYTES
        going: list[WaitingRow] = []
        for row in rows:
            if too_many <= 0:
                break
            if drop_group(row.kind, row.text) == group:
                going.append(row)
                too_many -= len(row.text) + ROW_BYTES
        if not going:
            return
        with self._store.transaction():
            freed = self._delete(stream, [(row.seq, len(row.text)) for row in going])
            for kind in sorted({row.kind for row in going}):
                freed -= self._declare(kind, [row.text for row in going if row.kind == kind])
        self._store.outbox_bytes -= freed
        stream.holes += len(going)

    def _delete(self, stream: Stream, rows: list[tuple[int, int]]) -> int:
        self._store.db.executemany(
            "DELETE FROM outbox WHERE epoch = ? AND seq = ?", [(stream.epoch, seq) for seq, _ in rows]
        )
        return sum(size + ROW_BYTES for _, size in rows)

    def _update(self, stream: Stream, seq: int, kind: str, text: str) -> int:
        """Gives a row another text; bytes added."""
        [size] = self._store.db.execute(
            "SELECT length(json) FROM outbox WHERE epoch = ? AND seq = ?", (stream.epoch, seq)
        ).fetchone()
        self._store.db.execute(
            "UPDATE outbox SET json = ?, crc = ? WHERE epoch = ? AND seq = ?",
            (text, row_check(kind, text), stream.epoch, seq),
        )
        return len(text) - int(size)

    def _declare(self, kind: str, texts: list[str]) -> int:
        """Adds what `texts` were to the gap record of their kind; bytes added. Inside the transaction that deletes them."""
        live, db = self._store.streams.live, self._store.db
        known = self._gaps.get(kind)
        if known is None or known.epoch != live.epoch or known.seq <= live.frozen_through:
            known = _Declared(live.epoch, live.last_seq + 1, Dropped(kind))
        for text in texts:
            known.dropped.add(text)
        record = known.dropped.record(self._at_ms)
        text = record.model_dump_json(exclude={"seq"})
        if known.seq <= live.last_seq:
            return self._update(live, known.seq, record.kind, text)
        row = (live.epoch, known.seq, record.kind, text, row_check(record.kind, text))
        db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", row)
        db.execute("UPDATE epochs SET last_seq = ? WHERE epoch = ?", (known.seq, live.epoch))
        live.last_seq = known.seq
        self._gaps[kind] = known
        return len(text) + ROW_BYTES
