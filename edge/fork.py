"""Leaves an epoch that somebody else writes, too: an old copy of our file was put back, or another gateway has a copy.

    the file we have      1 … 90 │ 91 … 95            we opened it at 90 and wrote 91..95
    the centre has        1 … 90 │ 91 … 120           from the file that was copied, before or since

Our 91..95 are other records than the centre's: they go up in a new epoch. What stands at or below 90 is the same record in
both files: the centre has it, and it would count twice in another epoch. Where we cannot know (we were started twice without
reaching the centre) we take it as counted, and declare that; receipts and what else the centre recognises go up again anyway.
"""

import json

from contract.records import DayCloseRecord, ForecastRecord, GapRecord, HealthRecord, ReceiptRecord, StockFact
from edge.outbox import Stream, new_epoch
from edge.row_check import row_check
from edge.store import ROW_BYTES, EdgeStore

RECOGNISED = frozenset({ReceiptRecord.kind, DayCloseRecord.kind, ForecastRecord.kind, HealthRecord.kind})
"""Kinds of which the centre takes the same content once, whichever epoch it comes in."""
CHUNK_ROWS = 5000


def leave_epoch(store: EdgeStore, epoch: str, through: int, at_ms: int) -> str | None:
    """Moves what only we can have into a new live epoch, and declares the rest; the new epoch, None when it is done already.

    through: the centre's position in `epoch`. Raises DiskError when the disk refuses; nothing has changed then.
    """
    stream = next((stream for stream in store.streams.all() if stream.epoch == epoch), None)
    if stream is None:
        return None
    fresh = Stream(new_epoch(), 1, 0, 0)
    shared_through = through if stream.had_twin else min(through, stream.opened_at)
    given_up = freed = 0
    with store.disk_errors(), store.transaction() as db:
        after = stream.acked_through
        query = "SELECT seq, kind, json FROM outbox WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT ?"
        while rows := db.execute(query, (epoch, after, CHUNK_ROWS)).fetchall():
            after = rows[-1][0]
            moved = [row for row in rows if row[0] > shared_through or _is_recognised(row[1], row[2])]
            db.executemany(
                "UPDATE outbox SET epoch = ?, seq = ? WHERE epoch = ? AND seq = ?",
                [(fresh.epoch, fresh.last_seq + place, epoch, row[0]) for place, row in enumerate(moved, 1)],
            )
            fresh.last_seq += len(moved)
            given_up += len(rows) - len(moved)
        gap = _gap(stream, through, given_up, at_ms)
        text = gap.model_dump_json(exclude={"seq"})
        row = (fresh.epoch, gap.seq, gap.kind, text, row_check(gap.kind, text))
        db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", row)
        [freed] = db.execute(
            f"SELECT coalesce(sum(length(json) + {ROW_BYTES}), 0) FROM outbox WHERE epoch = ?",  # noqa: S608 - a number of ours
            (epoch,),
        ).fetchone()
        db.execute("DELETE FROM outbox WHERE epoch = ?", (epoch,))
        db.execute("DELETE FROM epochs WHERE epoch = ?", (epoch,))
        db.execute("INSERT INTO epochs VALUES (NULL, ?, ?, 0, 0)", (fresh.epoch, fresh.last_seq))
    store.outbox_bytes += len(text) + ROW_BYTES - freed
    store.streams.open_epoch(fresh)
    store.streams.close_epoch(epoch)
    store.keep_marker()
    return fresh.epoch


def _gap(stream: Stream, through: int, given_up: int, at_ms: int) -> GapRecord:
    what = "what was recorded since the gateway's file was copied"
    if given_up:
        what += f"; {given_up} records that the centre has by number"
    reason = (
        f"the centre had this epoch through {through}, the gateway through {stream.frozen_through}: an old copy of its file"
        " was put back, or another gateway has its identity"
    )
    return GapRecord(seq=1, at_ms=at_ms, what=what, reason=reason[:200], lost_epoch=stream.epoch)


def _is_recognised(kind: str, text: str) -> bool:
    if kind == StockFact.kind:
        return json.loads(text).get("despatch") is not None
    return kind in RECOGNISED
