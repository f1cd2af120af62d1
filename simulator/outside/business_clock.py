"""What time it is in the demo's shops, read from the clock file that the simulation owns.

Layout, little endian: 8 bytes magic `slclock1`, u64 change count (odd while it is being written), i64 business
milliseconds at the anchor, i64 CLOCK_MONOTONIC nanoseconds at the anchor, f64 scale (0: the clock stands).
"""

import mmap
import struct
import time
from pathlib import Path

_LAYOUT = struct.Struct("<8sQqqd")
_MAGIC = b"slclock1"


class BusinessClock:
    """Raises ValueError when `path` is no clock file, OSError when it cannot be read. No path: the system's clock."""

    def __init__(self, path: Path | None) -> None:
        self._map: mmap.mmap | None = None
        if path is None:
            return
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size, access=mmap.ACCESS_READ)
        if self._map[:8] != _MAGIC:
            raise ValueError(f"{path} is no clock file of a simulation")

    def now_ms(self) -> int:
        if self._map is None:
            return time.time_ns() // 1_000_000
        while True:
            _, change, anchor_ms, anchor_ns, scale = _LAYOUT.unpack_from(self._map)
            if change % 2 == 0 and _LAYOUT.unpack_from(self._map)[1] == change:
                return int(anchor_ms + (time.monotonic_ns() - anchor_ns) * scale / 1e6)
