"""What the gateway tells the centre of itself beside its records (contract.gateway_state): it waits for no disk."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from contract.devices import ClockQuality
from edge.loop import EdgeLoop
from edge.settings import EdgeSettings
from edge.store import EdgeStore
from runtime.logs import printable
from runtime.time_sync import is_synchronised

TELL_EVERY_S = 30.0
OFTEN_S = 2.0
"""At most so often while the disk hangs or refuses: how long it has done so is the news."""
HANGS_MS = 2_000
REFUSED_PAUSE_S = 3600.0
_CLOCK = {True: ClockQuality.SYNCED, False: ClockQuality.ESTIMATED, None: ClockQuality.UNKNOWN}

State = dict[str, object]


@dataclass(slots=True)
class SelfState:
    """`next` for each batch, in the uplink's thread: the state when it is due, None when it was told lately."""

    settings: EdgeSettings
    store: EdgeStore
    loop: EdgeLoop
    inbox_size: Callable[[], int]
    started_s: float
    host: str = field(default_factory=socket.gethostname)
    _told_s: float = -TELL_EVERY_S
    _told_well: bool = True

    def next(self, oldest_waiting_ms: Callable[[], int], damaged_rows: int) -> State | None:
        now_s, slowest_ms = time.monotonic(), self.loop.pace.slowest_ms()
        problem = self.loop.disk_problem or self.loop.bundle_problem
        is_well = not problem and slowest_ms < HANGS_MS
        wait_s = TELL_EVERY_S if is_well and self._told_well else OFTEN_S
        if now_s - self._told_s < wait_s:
            return None
        self._told_s, self._told_well = now_s, is_well
        return {
            "host": printable(self.host, 64),
            "uptime_s": int(now_s - self.started_s),
            "outbox_rows": self.store.streams.waiting(),
            "outbox_bytes": max(0, self.store.outbox_bytes),
            "outbox_max_bytes": self.settings.outbox_max_bytes,
            "oldest_waiting_ms": oldest_waiting_ms(),
            "slowest_commit_ms": slowest_ms,
            "disk_problem": printable(problem, 200),
            "inbox_messages": self.inbox_size(),
            "quarantine_messages": self.store.quarantine_rows(),
            "damaged_rows": damaged_rows,
            "clock_quality": _CLOCK[None if self.settings.clock_file else is_synchronised()].value,
        }

    def not_told(self) -> None:
        """The batch that carried it did not arrive."""
        self._told_s = -TELL_EVERY_S

    def refused(self) -> None:
        """By a centre that is older than this gateway, most likely: it knows no state yet."""
        self._told_s, self._told_well = time.monotonic() + REFUSED_PAUSE_S, True
