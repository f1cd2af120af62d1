"""What time it is in the shop: the system's clock, or one that a simulator owns and all processes follow.

Business time (receipts, windows, decisions) asks a `Clock`. Timeouts, retries and network waits use
`time.monotonic()`: a resend of half a second is half a second at every speed of the simulation.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Protocol

from runtime.errors import OperatorError, reason_of

_LAYOUT = struct.Struct("<8sQqqd")
"""magic, change count (odd while writing), business ms at the anchor, monotonic ns at the anchor, scale (0: stands still)."""
_MAGIC = b"slclock1"


class Clock(Protocol):
    def now_ms(self) -> int:
        """Business time, UTC, milliseconds since 1970."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class SharedClock:
    """Follows the clock file of a simulation on this machine. CLOCK_MONOTONIC is one for all processes."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), _LAYOUT.size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise OperatorError(
                f"clock_file {path}: {reason_of(error)}; start the simulator first, or leave clock_file empty"
            ) from error
        if self._map[:8] != _MAGIC:
            raise OperatorError(
                f"clock_file {path}: not a clock file of a simulation; leave clock_file empty for the system's clock"
            )

    def now_ms(self) -> int:
        while True:
            _, change, anchor_ms, anchor_ns, scale = _LAYOUT.unpack_from(self._map)
            if change % 2 == 0 and _LAYOUT.unpack_from(self._map)[1] == change:
                break
        if scale == 0:
            return int(anchor_ms)
        return int(anchor_ms + (time.monotonic_ns() - anchor_ns) * scale / 1e6)


class ClockOwner:
    """The simulator's side: makes the file, sets the time, lets it run or stand."""

    def __init__(self, path: Path, start_ms: int) -> None:
        path.write_bytes(_LAYOUT.pack(_MAGIC, 0, start_ms, time.monotonic_ns(), 0.0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)
        self.path = path
        self._reader = SharedClock(path)

    def now_ms(self) -> int:
        return self._reader.now_ms()

    def stand_at(self, now_ms: int) -> None:
        self._write(now_ms, 0.0)

    def run_from(self, now_ms: int, scale: float) -> None:
        """scale: business milliseconds per real millisecond."""
        self._write(now_ms, scale)

    def _write(self, now_ms: int, scale: float) -> None:
        change = _LAYOUT.unpack_from(self._map)[1]
        struct.pack_into("<Q", self._map, 8, change + 1)
        struct.pack_into("<qqd", self._map, 16, now_ms, time.monotonic_ns(), scale)
        struct.pack_into("<Q", self._map, 8, change + 2)


def clock_from_setting(clock_file: str) -> Clock:
    """The system's clock for "", else the simulation's. Raises OperatorError when the file is none."""
    return SharedClock(Path(os.path.expanduser(clock_file))) if clock_file else SystemClock()  # noqa: PTH111
