"""Conditions that hold for a while: each is logged when it begins and when it ends, never in between."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.logs import Log

MAX_LINES_A_LOOK = 50
"""A shop that opens with a thousand empty shelves fills no log: the rest is told as a number."""


@dataclass(frozen=True, slots=True)
class _Since:
    text: str
    monotonic_s: float


class Conditions:
    """`look` at what holds now, as often as you like. is_info: what begins is worth knowing, not a warning."""

    def __init__(self, log: Log, kind: str, *, is_info: bool = False) -> None:
        self._log, self._kind = log, kind
        self._tell = log.info if is_info else log.warning
        self._holding: dict[str, _Since] = {}

    def look(self, now: Mapping[str, str]) -> None:
        """now: code -> what a person should know. A text that changes while its code stays is no change of state."""
        now_s = time.monotonic()
        began = [code for code in now if code not in self._holding]
        ended = [code for code in self._holding if code not in now]
        for code in began[:MAX_LINES_A_LOOK]:
            self._tell(f"{self._kind} begins", condition=code, text=now[code])
        for code in ended[:MAX_LINES_A_LOOK]:
            lasted_s = round(now_s - self._holding[code].monotonic_s, 1)
            self._log.info(f"{self._kind} ends", condition=code, lasted_s=lasted_s)
        untold = max(0, len(began) - MAX_LINES_A_LOOK) + max(0, len(ended) - MAX_LINES_A_LOOK)
        if untold:
            self._log.info(f"more of {self._kind} began or ended at once", number=untold)
        for code in ended:
            del self._holding[code]
        for code in began:
            self._holding[code] = _Since(now[code], now_s)
