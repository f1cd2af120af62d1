"""What gives way when the outbox is full: resolution first, then the least telling records, never in silence.

    1. windows of one SKU that were never sent are merged: 1 min → 15 min → 1 h → 1 day. Sums stay; only when blurs.
    2. what only tells a state is dropped, oldest first: health, forecasts, quarantine; proposals, alerts, levels; windows.
    3. receipts, day closes, deliveries, counts and other stock facts are dropped last of all.

A gap record says what was dropped, and gaps never are. Rows that were never sent have no final seq yet: merging and dropping
leave holes, which close when the rows are frozen to be sent.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from contract.records import (
    AlertRecord,
    DayCloseRecord,
    GapRecord,
    ProposalRecord,
    ReceiptRecord,
    SkuWindow,
    StockFact,
    StockFactKind,
)

SPANS_MS = (15 * 60_000, 3_600_000, 24 * 3_600_000)
SUMS = {
    "picked_units": 100_000,
    "put_back_units": 100_000,
    "refilled_units": 100_000,
    "unresolved_g": 10_000_000,
    "stock_out_ms": 31 * 86_400_000,
}
"""What adds up, and what one window can carry of it (contract.records)."""
LAST_GROUP = 3

Values: TypeAlias = dict[str, int | str | None]


class WaitingRow(NamedTuple):
    """A row of the outbox that was never sent."""

    seq: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What a chunk of rows comes to: new texts of windows by seq, and the seqs of those that went into them."""

    changed: dict[int, str]
    gone: tuple[int, ...]


class Coarsening:
    """Merges windows into the first one of their SKU and span. Give it the rows of one epoch in order, chunk by chunk.

    Only the newest spans are held, so its memory is one window an SKU. A window that comes later than that, or whose sums
    would pass what the wire carries, begins anew: nothing is lost by it but room.
    """

    def __init__(self, span_ms: int) -> None:
        self._span_ms = span_ms
        self._newest = 0
        self._kept: dict[tuple[str, int], tuple[int, Values]] = {}

    def merge(self, rows: Iterable[WaitingRow]) -> Merged:
        """Apply all of the answer or none of it, and do not go on after an answer that was not applied."""
        changed: dict[int, Values] = {}
        gone: list[int] = []
        for row in rows:
            if row.kind != SkuWindow.kind:
                continue
            window: Values = json.loads(row.text)
            key = str(window["sku"]), _int(window, "at_ms") // self._span_ms
            if key[1] > self._newest:
                self._newest = key[1]
                self._kept = {kept: value for kept, value in self._kept.items() if kept[1] >= key[1] - 1}
            seq, known = self._kept.get(key, (row.seq, None))
            total = _sum(known, window) if known is not None else None
            if total is None:
                self._kept[key] = row.seq, window
                continue
            self._kept[key] = seq, total
            changed[seq] = total
            gone.append(row.seq)
        texts = {seq: json.dumps(values, separators=(",", ":")) for seq, values in changed.items()}
        return Merged(texts, tuple(gone))


def drop_group(kind: str, text: str) -> int | None:
    """When a record is dropped: 0 first, LAST_GROUP last; None for what never is."""
    if kind == GapRecord.kind:
        return None
    if kind in (ReceiptRecord.kind, DayCloseRecord.kind):
        return LAST_GROUP
    if kind == SkuWindow.kind:
        return 2
    if kind == StockFact.kind:
        return 1 if json.loads(text)["fact"] == StockFactKind.LEVEL else LAST_GROUP
    return 1 if kind in (ProposalRecord.kind, AlertRecord.kind) else 0


def _sum(one: Values, other: Values) -> Values | None:
    """Both windows as one: sums add up, the levels are those of the later end. None when that is more than one carries."""
    sums = {name: _int(one, name) + _int(other, name) for name in SUMS}
    if any(total > SUMS[name] for name, total in sums.items()):
        return None
    one_end_ms = _int(one, "at_ms") + _int(one, "span_ms")
    other_end_ms = _int(other, "at_ms") + _int(other, "span_ms")
    start_ms = min(_int(one, "at_ms"), _int(other, "at_ms"))
    later = other if other_end_ms >= one_end_ms else one
    return {
        **one,
        **sums,
        "at_ms": start_ms,
        "span_ms": max(one_end_ms, other_end_ms) - start_ms,
        "seq_from": None,
        "on_hand_units": later["on_hand_units"],
        "on_shelf_units": later["on_shelf_units"],
    }


def _int(values: Values, name: str) -> int:
    value = values[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} of a window is {value!r}")
    return value
