"""Keeps the outbox below its limit during a long outage: coarser first, then fewer, always declared (edge.core.coarsen)."""

import json
import sqlite3
from collections.abc import Iterator

from contract.records import GapRecord, ReceiptRecord, SkuWindow
from edge.core.coarsen import DROP_ORDER, SPANS_MS, WaitingRow, coarsened
from edge.errors import DiskError
from edge.store import EdgeStore
from runtime.logs import Log

log = Log("edge.store_trim")

CHUNK_ROWS = 5000
"""Rows that are merged at once: what bounds the memory of it."""
COARSEN_TO, DROP_TO = 0.9, 0.8
"""Shares of the limit at which to stop: room until the next time."""

_FIRST_SEQ = "coalesce(json_extract(json, '$.seq_from'), seq)"


def trim(store: EdgeStore, max_bytes: int, at_ms: int) -> bool:
    """Brings the outbox below `max_bytes` if rows that were never sent allow it. False when nothing could give way.

    Raises DiskError when the disk refuses.
    """
    if store.outbox_bytes <= max_bytes:
        return True
    before = store.outbox_bytes
    try:
        for span_ms in SPANS_MS:
            _coarsen(store, span_ms, int(max_bytes * COARSEN_TO))
        if store.outbox_bytes > max_bytes * COARSEN_TO:
            _drop(store, int(max_bytes * DROP_TO), at_ms)
    except sqlite3.OperationalError as error:
        raise DiskError(f"{store.path}: {error}") from error
    log.warning("outbox trimmed", before_bytes=before, after_bytes=store.outbox_bytes, limit_bytes=max_bytes)
    return store.outbox_bytes < before


def _coarsen(store: EdgeStore, span_ms: int, target_bytes: int) -> None:
    """Merges windows chunk by chunk, oldest first, until the outbox is small enough."""
    live = store.streams.live
    after = live.frozen_through
    while store.outbox_bytes > target_bytes:
        chunk = list(_waiting(store, after))
        if not chunk:
            return
        after = chunk[-1].seq
        found = coarsened(chunk, span_ms)
        if not found.merged:
            continue
        with store.transaction() as db:
            db.execute(
                "DELETE FROM outbox WHERE epoch = ? AND seq BETWEEN ? AND ?",
                (live.epoch, chunk[0].seq_from, chunk[-1].seq),
            )
            db.executemany(
                "INSERT INTO outbox VALUES (?, ?, ?, ?)",
                [(live.epoch, row.seq, row.kind, row.text) for row in found.rows],
            )
        store.outbox_bytes += sum(len(row.text) for row in found.rows) - sum(len(row.text) for row in chunk)


def _waiting(store: EdgeStore, after: int) -> Iterator[WaitingRow]:
    query = (
        f"SELECT {_FIRST_SEQ}, seq, kind, json FROM outbox WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
    )
    for row in store.db.execute(query, (store.streams.live.epoch, after, CHUNK_ROWS)):
        yield WaitingRow(*row)


def _drop(store: EdgeStore, target_bytes: int, at_ms: int) -> None:
    """Drops the least telling rows, oldest first, closes the holes, and declares what is missing."""
    live = store.streams.live
    gaps: list[GapRecord] = []
    size = store.outbox_bytes
    with store.transaction() as db:
        for kind in DROP_ORDER:
            if size <= target_bytes:
                break
            count, freed, units, cents = _drop_kind(
                db, live.epoch, live.frozen_through, kind, size - target_bytes
            )
            if count:
                size -= freed
                reason = "the outbox was full; the centre has been away for long"
                gaps.append(
                    GapRecord(
                        seq=1,
                        at_ms=at_ms,
                        what=f"{count} {kind} records",
                        reason=reason,
                        units=units,
                        cents=cents,
                    )
                )
        last_seq = _renumber(db, live.epoch, live.frozen_through)
        for gap in gaps:
            last_seq += 1
            text = gap.model_dump_json(exclude={"seq"})
            size += len(text)
            db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?)", (live.epoch, last_seq, gap.kind, text))
        db.execute("UPDATE epochs SET last_seq = ? WHERE epoch = ?", (last_seq, live.epoch))
    store.outbox_bytes, live.last_seq = size, last_seq


def _drop_kind(
    db: sqlite3.Connection, epoch: str, frozen_through: int, kind: str, too_many_bytes: int
) -> tuple[int, int, int | None, int | None]:
    """(rows, bytes, units, cents) dropped; units and cents None where the kind has none."""
    count = freed = units = cents = last = 0
    rows = db.execute(
        "SELECT seq, json FROM outbox WHERE epoch = ? AND seq > ? AND kind = ? ORDER BY seq",
        (epoch, frozen_through, kind),
    )
    for seq, text in rows:
        if freed >= too_many_bytes:
            break
        count, freed, last = count + 1, freed + len(text), seq
        if kind == ReceiptRecord.kind:
            receipt = ReceiptRecord.model_validate_json(f'{{"seq":1,{text[1:]}')
            units += sum(line.sold_units for line in receipt.lines)
            cents += receipt.total_cents
    rows.close()
    db.execute(
        "DELETE FROM outbox WHERE epoch = ? AND seq > ? AND seq <= ? AND kind = ?",
        (epoch, frozen_through, last, kind),
    )
    is_sale = kind == ReceiptRecord.kind
    return count, freed, units if is_sale else None, cents if is_sale else None


def _renumber(db: sqlite3.Connection, epoch: str, frozen_through: int) -> int:
    """Gives the rows after `frozen_through` seqs without holes; nobody has seen the old ones. The last seq."""
    seq = frozen_through
    query = "SELECT seq, kind, json FROM outbox WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT ?"
    after = frozen_through
    while rows := db.execute(query, (epoch, after, CHUNK_ROWS)).fetchall():
        after = rows[-1][0]
        db.execute("DELETE FROM outbox WHERE epoch = ? AND seq > ? AND seq <= ?", (epoch, seq, after))
        moved = []
        for _, kind, text in rows:
            seq += 1
            moved.append((epoch, seq, kind, _without_span(text) if kind == SkuWindow.kind else text))
        db.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?)", moved)
    return seq


def _without_span(text: str) -> str:
    """A merged window needs no span of seqs once the rows are numbered anew."""
    values = json.loads(text)
    if values.get("seq_from") is None:
        return text
    return json.dumps({**values, "seq_from": None}, separators=(",", ":"))
