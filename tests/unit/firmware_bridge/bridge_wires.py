"""Wires between two links: whole, byte by byte, late, lossy by seed. Time is a number that the wire moves on."""

import random
from collections import deque

from firmware_bridge.core.hello import Hello
from firmware_bridge.core.link import Link, Role
from firmware_bridge.core.link_events import (
    HelloReceived,
    LinkEvent,
    LinkLimits,
    MessageReceived,
    SessionDown,
    SessionUp,
)

HELLO = Hello(
    kind="till", uid="uid-0001", boot_id="boot-1", firmware="1.0", hardware="rev-b", reset_reason="power-on"
)


class Wire:
    """One direction. cut: bytes in one piece at most, None for as they were written."""

    def __init__(self, rng: random.Random, cut: int | None, delay_ms: int, loss: float, noise: float) -> None:
        self._rng, self._cut, self._delay_ms, self._loss, self._noise = rng, cut, delay_ms, loss, noise
        self._pieces: deque[tuple[int, bytes]] = deque()

    def write(self, frame: bytes, now_ms: int) -> None:
        if self._rng.random() < self._loss:
            return
        if self._rng.random() < self._noise:
            place = self._rng.randrange(len(frame))
            frame = frame[:place] + bytes((self._rng.randrange(256),)) + frame[place + 1 :]
        step = self._cut or len(frame)
        for start in range(0, len(frame), step):
            self._pieces.append((now_ms + self._delay_ms, frame[start : start + step]))

    def read(self, now_ms: int) -> list[bytes]:
        pieces = []
        while self._pieces and self._pieces[0][0] <= now_ms:
            pieces.append(self._pieces.popleft()[1])
        return pieces


class Pair:
    """A host and a device joined by two wires; `run` moves time until nothing is left to do."""

    def __init__(
        self,
        *,
        seed: int = 1,
        cut: int | None = None,
        delay_ms: int = 1,
        loss: float = 0.0,
        noise: float = 0.0,
        limits: LinkLimits | None = None,
        host_limits: LinkLimits | None = None,
        auto_done: bool = True,
    ) -> None:
        rng = random.Random(seed)
        self.device = Link(Role.DEVICE, HELLO, limits, first_greeting=seed)
        self.host = Link(Role.HOST, limits=host_limits or limits)
        self.up, self.down = (Wire(rng, cut, delay_ms, loss, noise) for _ in range(2))
        self.now_ms = 1000
        self.auto_done = auto_done
        self.next_session = 1
        self.host_events: list[LinkEvent] = []
        self.device_events: list[LinkEvent] = []

    def open(self) -> "Pair":
        self.host.open(self.now_ms)
        self.device.open(self.now_ms)
        return self

    def step(self) -> None:
        """Writes what is due, moves one millisecond on, reads what arrived."""
        self._write()
        self.now_ms += 1
        for piece in self.up.read(self.now_ms):
            self._host(self.host.receive_data(piece, self.now_ms))
        for piece in self.down.read(self.now_ms):
            self._device(self.device.receive_data(piece, self.now_ms))
        self._host(self.host.on_time(self.now_ms))
        self._device(self.device.on_time(self.now_ms))

    def run(self, ms: int) -> None:
        for _ in range(ms):
            self.step()

    def run_until(self, condition, limit_ms: int = 200_000) -> None:
        start_ms = self.now_ms
        while not condition():
            assert self.now_ms - start_ms < limit_ms, f"not within {limit_ms} ms"
            self.step()

    def run_until_up(self) -> None:
        self.run_until(lambda: self.host.session is not None and self.host.session == self.device.session)

    def messages_at_host(self) -> list[bytes]:
        return [event.body for event in self.host_events if isinstance(event, MessageReceived)]

    def messages_at_device(self) -> list[bytes]:
        return [event.body for event in self.device_events if isinstance(event, MessageReceived)]

    def downs(self) -> list[SessionDown]:
        return [event for event in self.host_events + self.device_events if isinstance(event, SessionDown)]

    def ups_at_device(self) -> int:
        return sum(isinstance(event, SessionUp) for event in self.device_events)

    def _write(self) -> None:
        for frame in self.device.frames_to_send():
            self.up.write(frame, self.now_ms)
        for frame in self.host.frames_to_send():
            self.down.write(frame, self.now_ms)

    def _host(self, events: list[LinkEvent]) -> None:
        for event in events:
            self.host_events.append(event)
            if isinstance(event, HelloReceived):
                self.host_events += self.host.admit(self.next_session, self.now_ms)
                self.next_session += 1
            elif isinstance(event, MessageReceived) and self.auto_done:
                self.host.done()

    def _device(self, events: list[LinkEvent]) -> None:
        for event in events:
            self.device_events.append(event)
            if isinstance(event, MessageReceived):
                self.device.done()
