"""What gives way when the outbox is full: resolution first, then the least telling records, never in silence.

    1. windows of one SKU that were never sent are merged: 1 min → 15 min → 1 h → 1 day. Sums stay; only when blurs.
    2. what only informs is dropped, oldest first: health, forecasts, levels, proposals, alerts, quarantine, windows.
    Receipts, day closes, deliveries, counts and gaps are dropped last of all. A gap record says what is missing.

Rows keep their place in the run of seq: n rows become m, the m take the first seqs, and the last of them stands for
the rest (`seq_from`), which only a window may do. So one window always comes last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contract.records import SkuWindow

SPANS_MS = (15 * 60_000, 3_600_000, 24 * 3_600_000)
MAX_UNRESOLVED_G = 10_000_000
DROP_ORDER = (
    "health", "forecast", "proposal", "quarantine", "alert", "sku_window", "stock_fact", "day_close", "receipt",
)  # fmt: skip
"""Gaps are never dropped: they say what was."""


class WaitingRow(NamedTuple):
    """A row of the outbox that was never sent. seq_from: the first seq that it stands for."""

    seq_from: int
    seq: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Coarsened:
    """The rows that take the place of those given, over the same run of seq."""

    rows: tuple[WaitingRow, ...]
    merged: int


def coarsened(rows: Sequence[WaitingRow], span_ms: int) -> Coarsened:
    """`rows` with their windows merged to `span_ms`; as they are when no two windows go together."""
    order: list[WaitingRow] = []
    windows: dict[tuple[str, int], SkuWindow] = {}
    merged = 0
    for row in rows:
        if row.kind != SkuWindow.kind:
            order.append(row)
            continue
        window = SkuWindow.model_validate_json(_with_seq(row))
        key = (window.sku, window.at_ms - window.at_ms % span_ms)
        known = windows.get(key)
        if known is None:
            windows[key] = window
        else:
            windows[key] = _sum(known, window)
            merged += 1
    if not merged:
        return Coarsened(tuple(rows), 0)
    texts = [(row.kind, row.text) for row in order]
    texts += [(SkuWindow.kind, window.model_dump_json(exclude={"seq"})) for window in windows.values()]
    first, last = rows[0].seq_from, rows[-1].seq
    placed = [
        WaitingRow(first + place, first + place, kind, text) for place, (kind, text) in enumerate(texts[:-1])
    ]
    rest_from = first + len(placed)
    final = list(windows.values())[-1].model_copy(update={"seq_from": rest_from})
    placed.append(WaitingRow(rest_from, last, SkuWindow.kind, final.model_dump_json(exclude={"seq"})))
    return Coarsened(tuple(placed), merged)


def _sum(one: SkuWindow, other: SkuWindow) -> SkuWindow:
    """Both windows as one: sums add up, the levels are those of the later end."""
    start_ms = min(one.at_ms, other.at_ms)
    end_ms = max(one.at_ms + one.span_ms, other.at_ms + other.span_ms)
    later = other if other.at_ms + other.span_ms >= one.at_ms + one.span_ms else one
    return one.model_copy(
        update={
            "at_ms": start_ms,
            "span_ms": end_ms - start_ms,
            "seq_from": None,
            "picked_units": one.picked_units + other.picked_units,
            "put_back_units": one.put_back_units + other.put_back_units,
            "refilled_units": one.refilled_units + other.refilled_units,
            "unresolved_g": min(one.unresolved_g + other.unresolved_g, MAX_UNRESOLVED_G),
            "on_hand_units": later.on_hand_units,
            "on_shelf_units": later.on_shelf_units,
            "stock_out_ms": one.stock_out_ms + other.stock_out_ms,
        }
    )


def _with_seq(row: WaitingRow) -> str:
    return f'{{"seq":{row.seq},{row.text[1:]}'
