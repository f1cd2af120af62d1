"""Event-time windows per SKU: what the shelf saw in [start, start + span), closed by a watermark.

    event time   12:00        12:01        12:02
    SKU a        ├─pick─pick──┼────────────┼─refill     one row for 12:00, none for 12:01, one for 12:02
    watermark           ▲ an item before it is late: it makes a further row of its own window, so sums never change

A window opens with its first item and closes when the watermark reaches its end. Rows of one window add up.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter

from edge.core.rows import Row, Rows

LATENESS_MS = 120_000
"""How far behind shop time the watermark follows: devices with clocks of their own may be this late."""


@dataclass(slots=True)
class WindowRow:
    """Sums of one SKU in one window."""

    sku: str
    start_ms: int
    span_ms: int
    picked_units: int = 0
    put_back_units: int = 0
    refilled_units: int = 0
    unresolved_g: int = 0
    stock_out_ms: int = 0


class Windows:
    """Pure windower: `add` items, `close` by watermark, nothing is ever dropped."""

    def __init__(self, span_ms: int) -> None:
        self.span_ms = span_ms
        self.rows: Rows[WindowRow] = Rows("window", TypeAdapter(WindowRow))

    def add(
        self,
        sku: str,
        at_ms: int,
        *,
        picked_units: int = 0,
        put_back_units: int = 0,
        refilled_units: int = 0,
        unresolved_g: int = 0,
    ) -> None:
        window = self._window(sku, at_ms, self.span_ms)
        window.picked_units += picked_units
        window.put_back_units += put_back_units
        window.refilled_units += refilled_units
        window.unresolved_g += unresolved_g

    def add_stock_out(self, sku: str, from_ms: int, span_ms: int, stock_out_ms: int) -> None:
        """Opening time with an empty facing in [from_ms, from_ms + span_ms), a span of its own."""
        self._window(sku, from_ms, span_ms, aligned=False).stock_out_ms += stock_out_ms

    def put_moved(self, window: WindowRow, start_ms: int) -> None:
        """`window` begins at `start_ms` now; where one stands already they become one."""
        known = self._window(window.sku, start_ms, window.span_ms, aligned=False)
        known.picked_units += window.picked_units
        known.put_back_units += window.put_back_units
        known.refilled_units += window.refilled_units
        known.unresolved_g += window.unresolved_g
        known.stock_out_ms += window.stock_out_ms

    def close(self, watermark_ms: int) -> list[WindowRow]:
        """The windows that end at or before the watermark, in order of time and SKU."""
        due = [
            (key, window)
            for key, window in self.rows.by_key.items()
            if window.start_ms + window.span_ms <= watermark_ms
        ]
        for key, _ in due:
            self.rows.drop(key)
        return sorted((window for _, window in due), key=lambda window: (window.start_ms, window.sku))

    def next_close_ms(self) -> int | None:
        """The watermark at which the next window closes."""
        return min((window.start_ms + window.span_ms for window in self.rows.by_key.values()), default=None)

    def net_picked_units(self, sku: str, from_ms: int, to_ms: int) -> int:
        """Picks less put-backs in the open windows of this span that touch [from_ms, to_ms]."""
        total = 0
        for start_ms in range(from_ms - from_ms % self.span_ms, to_ms + 1, self.span_ms):
            window = self.rows.get(f"{start_ms}|{self.span_ms}|{sku}")
            if window is not None:
                total += window.picked_units - window.put_back_units
        return total

    def open_windows(self) -> Iterable[WindowRow]:
        return self.rows.by_key.values()

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def _window(self, sku: str, at_ms: int, span_ms: int, *, aligned: bool = True) -> WindowRow:
        start_ms = at_ms - at_ms % span_ms if aligned else at_ms
        key = f"{start_ms}|{span_ms}|{sku}"
        window = self.rows.get(key)
        if window is None:
            window = WindowRow(sku, start_ms, span_ms)
        self.rows.put(key, window)
        return window
