"""What a device keeps until the gateway says `stored`: numbered events, a place to send from, a bound."""

from collections import deque
from typing import Any

from contract.devices import ClockQuality, DeviceEvent

RESEND_FIRST_MS, RESEND_MAX_MS = 2_000, 10_000
"""Real time without progress after which everything that is kept is sent again; doubles up to the maximum."""


class Journal:
    """Events of one boot, from the oldest kept one on. Event times are the shop's, waits are real milliseconds.

    has_clock: events carry UTC; without one the gateway goes by arrival and the readings' age. max_kept: beyond it the
    oldest is given up and counted (a shelf's weights are state and may go; tills never get there in a demo). A device's boot
    begins at `boot_ms`, where t_device_ms is 0.
    """

    def __init__(
        self, device: str, boot_id: str, boot_ms: int, *, has_clock: bool, max_kept: int = 100_000
    ) -> None:
        self.device = device
        self.boot_id = boot_id
        self.events_made = 0
        self.resends = 0
        self.dropped = 0
        self._boot_ms = boot_ms
        self._has_clock = has_clock
        self._max_kept = max_kept
        self._kept: deque[DeviceEvent] = deque()
        self._next_seq = 1
        self._handed_seq = 0
        """The highest seq that was ever given to the wire."""
        self._waiting_since_ms: int | None = None
        self._wait_ms = RESEND_FIRST_MS

    @property
    def kept(self) -> int:
        return len(self._kept)

    @property
    def kept_from_seq(self) -> int | None:
        return self._kept[0].seq if self._kept else None

    def add(self, cls: type[DeviceEvent], at_ms: int, **fields: Any) -> None:
        self.events_made += 1
        event = cls(
            device=self.device,
            boot_id=self.boot_id,
            seq=self.events_made,
            t_device_ms=max(0, at_ms - self._boot_ms),
            t_event_ms=at_ms if self._has_clock else None,
            clock_quality=ClockQuality.SYNCED if self._has_clock else ClockQuality.UNKNOWN,
            **fields,
        )
        self._kept.append(event)
        if len(self._kept) > self._max_kept:
            self.dropped += 1
            self._kept.popleft()

    def has_next(self) -> bool:
        return self._next_seq <= self.events_made and bool(self._kept)

    def take(self, now_ms: int) -> DeviceEvent:
        """The next event for the wire, saying from where on the device can resend. Ask `has_next` first."""
        first = self._kept[0].seq
        seq = max(self._next_seq, first)
        self._next_seq = seq + 1
        if seq <= self._handed_seq:
            self.resends += 1
        self._handed_seq = max(self._handed_seq, seq)
        if self._waiting_since_ms is None:
            self._waiting_since_ms = now_ms
        return self._kept[seq - first].model_copy(update={"kept_from_seq": first})

    def rewind(self) -> None:
        """From the oldest kept event on again: the wire is new, or nothing came back for too long."""
        if self._kept:
            self._next_seq = self._kept[0].seq
        self._waiting_since_ms = None

    def stored(self, boot_id: str, through_seq: int, now_ms: int) -> None:
        """Frees what the gateway has on its disk. An answer to an earlier boot says nothing of this one."""
        if boot_id != self.boot_id:
            return
        freed = False
        while self._kept and self._kept[0].seq <= through_seq:
            self._kept.popleft()
            freed = True
        if freed:
            self._wait_ms = RESEND_FIRST_MS
            waits = bool(self._kept) and self._kept[0].seq < self._next_seq
            self._waiting_since_ms = now_ms if waits else None

    @property
    def resend_at_ms(self) -> int | None:
        return None if self._waiting_since_ms is None else self._waiting_since_ms + self._wait_ms

    def on_time(self, now_ms: int) -> None:
        """Starts again from the oldest event when its time is up."""
        if self.resend_at_ms is not None and now_ms >= self.resend_at_ms:
            self._wait_ms = min(2 * self._wait_ms, RESEND_MAX_MS)
            self.rewind()
