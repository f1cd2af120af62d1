"""One device of the settings, whatever port it is plugged into: who serves it, its commands, its counters."""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contract.topics import STORED
from runtime.counters import Counters

MAX_COMMANDS = 64
"""Waiting for one device. The gateway repeats what is not answered, so the oldest may go, and is counted."""
COUNTER_NAMES = (
    "frames_accepted", "frames_duplicate", "frames_crc_rejected", "frames_out_of_window", "frames_stale", "frames_sent",
    "resent", "sessions", "peer_errors", "messages_received", "messages_rejected", "commands_delivered", "commands_dropped",
)  # fmt: skip
"""frames_*: DATA frames from the device, but for frames_crc_rejected, which takes all spoilt frames (of any type),
and frames_sent and resent, which count DATA frames to the device."""


class PortLike(Protocol):
    """What a lane needs of the port that serves its device."""

    def wake(self) -> None: ...

    def evict(self) -> None:
        """The device turned up at another port: this one's session with it is over."""
        ...


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """ack: lets the broker forget it; harmless when called twice. replaces: equal keys, the newer one is enough."""

    name: str
    message: bytes
    replaces: str | None
    ack: Callable[[], None]


def replaced_by(name: str, body: bytes) -> str | None:
    """A key for commands of which only the newest counts: `stored` of one boot."""
    if name != STORED:
        return None
    boot_id = json.loads(body).get("boot_id")
    return f"{STORED}/{boot_id}"


class DeviceLane:
    """Shared by the command router and the ports; every method may be called from any thread."""

    def __init__(self, device: str, state_dir: Path) -> None:
        self.device = device
        self._lock = threading.Lock()
        self._counters = Counters(state_dir / f"counters-{device}.bin", COUNTER_NAMES)
        self._owner: PortLike | None = None
        self._online = False
        self._waiting: deque[PendingCommand] = deque()
        self._under_way: dict[int, PendingCommand] = {}

    @property
    def online(self) -> bool:
        return self._online

    @property
    def outstanding_commands(self) -> int:
        """Not yet acknowledged by the device's link; 0 while it is away, since nothing moves then."""
        with self._lock:
            return len(self._waiting) + len(self._under_way) if self._online else 0

    @property
    def waiting_commands(self) -> int:
        with self._lock:
            return len(self._waiting) + len(self._under_way)

    def count(self, amounts: dict[str, int]) -> None:
        with self._lock:
            for name, amount in amounts.items():
                if amount:
                    self._counters.add(name, amount)

    def counters(self) -> dict[str, int]:
        with self._lock:
            return self._counters.values()

    def claim(self, port: PortLike) -> None:
        """`port` serves the device from now on; a port that did so before is told."""
        with self._lock:
            before, self._owner = self._owner, port
        if before is not None and before is not port:
            before.evict()

    def up(self, port: PortLike) -> None:
        with self._lock:
            self._online = self._owner is port

    def down(self, port: PortLike) -> bool:
        """The session of `port` ended; gives whether it was the one in charge. Commands under way wait again."""
        with self._lock:
            if self._owner is not port:
                return False
            self._owner, self._online = None, False
            again = [self._under_way[number] for number in sorted(self._under_way)]
            self._under_way.clear()
            for command in reversed(again):
                if not any(
                    command.replaces and command.replaces == later.replaces for later in self._waiting
                ):
                    self._waiting.appendleft(command)
            self._shed()
            settled = list(self._waiting)
        for command in settled:
            command.ack()
        return True

    def offer(self, command: PendingCommand) -> None:
        """From the broker. While the device is away the broker need not hold it: its window is for those who are here."""
        with self._lock:
            obsolete = [
                old
                for old in self._waiting
                if command.replaces is not None and old.replaces == command.replaces
            ]
            for old in obsolete:
                self._waiting.remove(old)
            self._waiting.append(command)
            obsolete += self._shed()
            owner, online = self._owner, self._online
        for old in obsolete:
            old.ack()
        if not online:
            command.ack()
        if owner is not None:
            owner.wake()

    def hand_over(self, port: PortLike, send: Callable[[bytes], int]) -> bool:
        """Gives the next command to the link of `port` by `send`, which gives its number; False when there is none."""
        with self._lock:
            if self._owner is not port or not self._online or not self._waiting:
                return False
            command = self._waiting[0]
            self._under_way[send(command.message)] = command
            self._waiting.popleft()
            return True

    def acked(self, number: int) -> None:
        """The device's link has the message `number`."""
        with self._lock:
            command = self._under_way.pop(number, None)
            if command is not None:
                self._counters.add("commands_delivered")
        if command is not None:
            command.ack()

    def _shed(self) -> list[PendingCommand]:
        shed = []
        while len(self._waiting) > MAX_COMMANDS:
            shed.append(self._waiting.popleft())
            self._counters.add("commands_dropped")
        return shed
