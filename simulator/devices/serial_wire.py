"""A device behind a pty: the link's device end, a journal, and a line that spoils a byte now and then."""

import contextlib
import os
import tty
from pathlib import Path
from random import Random

from contract.devices import Stored
from contract.errors import MalformedMessageError
from firmware_bridge.core.device_end import CommandReceived, DeviceEnd, DeviceEndEvent
from firmware_bridge.core.frame import FrameType
from firmware_bridge.core.hello import Hello
from firmware_bridge.core.link_events import MessageAcked, SessionDown, SessionUp
from simulator.devices.journal import Journal
from simulator.devices.mqtt_wire import CommandHandler
from simulator.shop_protocol import Transmissions

SPOILT_SHARE = 1 / 2000
"""Of DATA frames: one byte is flipped on the line, the CRC refuses it and the link sends again."""
TYPE_AT = 3
"""Of a frame on the line: behind the zero, the first code of COBS and the version; none of these bytes is ever zero inside."""
MAX_UNWRITTEN_BYTES = 16_384
READ_BYTES = 4096


class SerialWire:
    """Owns both sides of a pty. We hold the other side open as well: a bridge that dies is silence on the line, as with
    a real UART, and the next bridge finds the terminal still raw.
    """

    def __init__(
        self,
        link: Path,
        hello: Hello,
        journal: Journal,
        rng: Random,
        *,
        first_greeting: int,
    ) -> None:
        self.device = journal.device
        self.journal = journal
        self._link_path = link
        self._rng = rng
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._unwritten = bytearray()
        self._end = DeviceEnd(hello, first_greeting)
        self._on_command: CommandHandler | None = None
        self.frames_written = 0
        self.frames_corrupted = 0
        self.overruns = 0

    @property
    def fd(self) -> int:
        return self._master

    @property
    def path(self) -> str:
        return str(self._link_path)

    @property
    def wants_write(self) -> bool:
        return bool(self._unwritten)

    @property
    def pending(self) -> int:
        """Kept events (each waits for `stored`), and what else the link has under way."""
        return max(self.journal.kept, self._end.unacked_messages)

    @property
    def transmissions(self) -> Transmissions:
        return Transmissions(
            events=self.journal.events_made,
            resends=self.journal.resends,
            dropped=self.journal.dropped,
            frames_written=self.frames_written,
            frames_sent=self._end.counters.data_sent,
            frames_resent=self._end.counters.data_resent,
            frames_corrupted=self.frames_corrupted,
            sessions=self._end.counters.sessions,
        )

    def open(self, now_ms: int, on_command: CommandHandler | None = None) -> None:
        self._on_command = on_command
        self._link_path.parent.mkdir(parents=True, exist_ok=True)
        self._link_path.unlink(missing_ok=True)
        self._link_path.symlink_to(os.ttyname(self._slave))
        self._end.open(now_ms)
        self._flush()

    def close(self) -> None:
        self._end.close()
        self._link_path.unlink(missing_ok=True)
        for fd in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)

    def on_readable(self, now_ms: int) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except (BlockingIOError, OSError):
            return  # nothing after all, or the line hung up (EIO): silence either way
        self._handle(self._end.receive_data(data, now_ms), now_ms)
        self.pump(now_ms)

    def on_writable(self) -> None:
        self._flush()

    def on_time(self, now_ms: int) -> None:
        due_ms = self._end.next_timeout_ms
        if due_ms is not None and now_ms >= due_ms:
            self._handle(self._end.on_time(now_ms), now_ms)
        if self._end.is_up:
            self.journal.on_time(now_ms)
        self.pump(now_ms)

    @property
    def next_timeout_ms(self) -> int | None:
        times = [self._end.next_timeout_ms, self.journal.resend_at_ms if self._end.is_up else None]
        known = [time for time in times if time is not None]
        return min(known) if known else None

    def pump(self, now_ms: int) -> None:
        """Gives the link what it can take, writes what it has to say."""
        while self.journal.has_next() and self._end.can_send:
            self._end.send_event(self.journal.take(now_ms), now_ms)
        self._flush()

    def _handle(self, events: list[DeviceEndEvent], now_ms: int) -> None:
        for event in events:
            match event:
                case SessionUp() | SessionDown():
                    self.journal.rewind()
                case CommandReceived(command):
                    self._obey(command.name, command.body, now_ms)
                case MessageAcked():
                    pass  # the bridge has it; only `stored` frees the journal

    def _obey(self, name: str, body: bytes, now_ms: int) -> None:
        if name == "stored":
            with contextlib.suppress(MalformedMessageError):
                stored = Stored.from_json(body)
                self.journal.stored(stored.boot_id, stored.through_seq, now_ms)
        elif self._on_command is not None:
            self._on_command(name, body)

    def _flush(self) -> None:
        for frame in self._end.frames_to_send():
            self.frames_written += 1
            if len(self._unwritten) > MAX_UNWRITTEN_BYTES:
                self.overruns += 1  # nobody reads: a UART's bits would be gone as well
            elif frame[TYPE_AT] == FrameType.DATA and self._rng.random() < SPOILT_SHARE:
                self.frames_corrupted += 1
                self._unwritten += self._spoilt(frame)
            else:
                self._unwritten += frame
        while self._unwritten:
            try:
                written = os.write(self._master, self._unwritten)
            except (BlockingIOError, OSError):
                return
            del self._unwritten[:written]

    def _spoilt(self, frame: bytes) -> bytes:
        """One byte between the two zeros changed to another that is not zero: exactly this frame is lost."""
        place = self._rng.randrange(1, len(frame) - 1)
        changed = (frame[place] % 255) + 1
        return frame[:place] + bytes((changed,)) + frame[place + 1 :]
