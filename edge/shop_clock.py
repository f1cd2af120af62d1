"""The shop's time on a machine whose clock may jump: a Raspberry Pi has none that runs while it is off.

Between two looks, time goes on as the monotonic clock does. What the wall clock differs from that by is

    up to 2 s ahead     taken over at once
    up to 2 s behind    time stands still until the wall clock has caught up: it never runs back
    more                a step: somebody or something set the clock. The new time holds at once, and `take_step` says by how
                        much, so that what was going on (an empty facing, an open window) keeps its length.
"""

import threading
import time
from collections.abc import Callable

from runtime.clock import Clock

SLEW_MS = 2000


class ShopClock:
    """wall: the clock that may jump. monotonic_ms: one that runs on while the machine runs, suspended or not."""

    def __init__(self, wall: Clock, monotonic_ms: Callable[[], int] | None = None) -> None:
        self._wall, self._monotonic_ms = wall, monotonic_ms or _boot_ms
        self._lock = threading.Lock()
        self._last_ms, self._seen_ms = wall.now_ms(), self._monotonic_ms()
        self._step_ms = 0

    def now_ms(self) -> int:
        with self._lock:
            wall_ms, seen_ms = self._wall.now_ms(), self._monotonic_ms()
            difference_ms = wall_ms - (self._last_ms + seen_ms - self._seen_ms)
            if abs(difference_ms) > SLEW_MS:
                self._step_ms += difference_ms
                self._last_ms, self._seen_ms = wall_ms, seen_ms
            elif wall_ms >= self._last_ms:
                self._last_ms, self._seen_ms = wall_ms, seen_ms
            return self._last_ms

    def take_step(self) -> int:
        """By how much the clock was set since the last call: milliseconds, 0 for not at all."""
        with self._lock:
            step_ms, self._step_ms = self._step_ms, 0
            return step_ms


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
