"""What the terminal shows while a demo runs: one line that renews itself, or one line a simulated day where nobody watches."""

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from simulator.catalogue import LOCAL_OFFSET_MS

RENEW_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Figures:
    """lag_ms: of the slowest shop at the centre, None when unknown."""

    now_ms: int
    receipts: int
    stock_outs: int
    orders: int
    offers: int
    lag_ms: int | None
    losses: int
    kills: int | None


class Progress:
    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._renewing = self._out.isatty()
        self._next_s = 0.0
        self._day = ""
        self._open_line = False

    def say(self, text: str) -> None:
        self._end_line()
        print(text, file=self._out, flush=True)

    def show(self, figures: Figures) -> None:
        local = datetime.fromtimestamp((figures.now_ms + LOCAL_OFFSET_MS) / 1000, UTC)
        if self._renewing:
            if time.monotonic() >= self._next_s:
                self._next_s = time.monotonic() + RENEW_EVERY_S
                print(f"\r\x1b[2K{line_of(figures, local)}", end="", file=self._out, flush=True)
                self._open_line = True
        elif (day := local.date().isoformat()) != self._day:
            self._day = day
            print(line_of(figures, local), file=self._out, flush=True)

    def _end_line(self) -> None:
        if self._open_line:
            print(file=self._out)
            self._open_line = False


def line_of(figures: Figures, local: datetime) -> str:
    lag = "unknown" if figures.lag_ms is None else f"{figures.lag_ms / 60_000:.0f} min"
    kills = "" if figures.kills is None else f"  kills {figures.kills}"
    return (
        f"{local:%a %Y-%m-%d %H:%M}  receipts {figures.receipts}  stock-outs {figures.stock_outs}  orders {figures.orders}"
        f"  offers {figures.offers}  lag {lag}  losses {figures.losses}{kills}"
    )
