"""The bridge's end of the wire against two devices: ours, and one written from docs/wire-serial.md with nothing of ours.

Also: the document's own example runs, and its tables name what the code knows.
"""

import json
import re
import struct
import zlib
from pathlib import Path

import pytest
from cobs import cobs

from contract.devices import Scan
from firmware_bridge.core.device_end import CommandReceived, DeviceEnd
from firmware_bridge.core.dialects import Command, event_from_message, message_from_command
from firmware_bridge.core.envelope import MessageKind
from firmware_bridge.core.frame import FrameType
from firmware_bridge.core.hello import Hello, ResetReason
from firmware_bridge.core.link import Link, Role
from firmware_bridge.core.link_events import HelloReceived, MessageAcked, MessageReceived, SessionUp
from firmware_bridge.settings import BridgeSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "wire-serial.md"
RAWS = ["first", "second", "x" * 150, "fourth"]


class StrangersDevice:
    """Go-back-N, window 1, drops what comes early: the least that the document allows. kind till."""

    def __init__(self) -> None:
        self.session = 0
        self.commands: list[tuple[str, dict]] = []
        self.out = b""
        self._tail = b""
        self._seq = self._expected = 0
        self._open: bytes | None = None
        self._todo = list(enumerate(RAWS, start=1))

    def open(self) -> None:
        texts = ["till", "uid-1", "boot-1", "fw", "hw", "power-on"]
        self._frame(
            0x01, 0, struct.pack("<BHB", 1, 77, 1) + b"".join(bytes([len(t)]) + t.encode() for t in texts)
        )

    def receive(self, data: bytes) -> None:
        *pieces, self._tail = (self._tail + data).split(b"\0")
        for piece in pieces:
            if piece:
                plain = cobs.decode(piece)
                assert struct.unpack("<I", plain[-4:])[0] == zlib.crc32(plain[:-4])
                self._take(plain[1], plain[2], plain[3:-4])

    def on_time(self) -> None:
        """Says again what is open, or asks for a session."""
        if self.session == 0:
            self.open()
        elif self._open is not None:
            self.out += self._open

    def finished(self) -> bool:
        return not self._todo and self._open is None

    def _take(self, kind: int, seq: int, payload: bytes) -> None:
        if kind == 0x02:
            protocol, number, self.session, _window = struct.unpack("<BHHB", payload)
            assert (protocol, number) == (1, 77)
            self._next()
        elif kind == 0x10:
            if seq == self._expected:
                self._expected = (self._expected + 1) % 256
                assert payload[2] == 3
                assert payload[3] == 0x81
                command = json.loads(payload[4:])
                self.commands.append((command["name"], command["body"]))
            self._frame(0x11, self._expected, struct.pack("<HBB", self.session, 1, 0))
        elif kind == 0x11:
            if self._open is not None and seq == (self._seq + 1) % 256:
                self._seq, self._open = seq, None
                self._next()
        elif kind == 0x12:
            self._frame(0x11, self._expected, struct.pack("<HBB", self.session, 1, 0))

    def _next(self) -> None:
        if not self._todo:
            return
        number, raw = self._todo.pop(0)
        head = struct.pack("<BQQQqBB", 1, number, 1, 5, -1, 0, 0)
        message = head + b"\x04scan" + json.dumps({"raw": raw}).encode()
        before = len(self.out)
        self._frame(0x10, self._seq, struct.pack("<HB", self.session, 3) + message)
        self._open = self.out[before:]

    def _frame(self, kind: int, seq: int, payload: bytes) -> None:
        plain = bytes([1, kind, seq]) + payload
        self.out += b"\0" + cobs.encode(plain + struct.pack("<I", zlib.crc32(plain))) + b"\0"


class OurDevice:
    def __init__(self) -> None:
        self.commands: list[tuple[str, dict]] = []
        self._end = DeviceEnd(Hello(kind="till", uid="uid-1", boot_id="boot-1"))
        self._now_ms = 0
        self._acked = 0

    @property
    def out(self) -> bytes:
        return b""

    def open(self) -> None:
        self._end.open(0)

    def receive(self, data: bytes) -> None:
        for event in self._end.receive_data(data, self._now_ms):
            if isinstance(event, SessionUp):
                for number, raw in enumerate(RAWS, start=1):
                    scan = Scan(
                        device="x", boot_id="boot-1", seq=number, kept_from_seq=1, t_device_ms=5, raw=raw
                    )
                    self._end.send_event(scan, self._now_ms)
            elif isinstance(event, CommandReceived):
                self.commands.append((event.command.name, json.loads(event.command.body)))
            elif isinstance(event, MessageAcked):
                self._acked += 1

    def on_time(self) -> None:
        self._now_ms += 3000
        self._end.on_time(self._now_ms)

    def finished(self) -> bool:
        return self._acked == len(RAWS)

    def take_out(self) -> bytes:
        return self._end.data_to_send()


def taken(device) -> bytes:
    if isinstance(device, OurDevice):
        return device.take_out()
    out, device.out = device.out, b""
    return out


@pytest.mark.parametrize("make", [OurDevice, StrangersDevice])
@pytest.mark.parametrize("lose_every", [0, 3])
def test_the_host_gets_every_event_and_the_device_every_command(make, lose_every):
    host, device = Link(Role.HOST), make()
    host.open(0)
    device.open()
    bodies: list[bytes] = []
    hello: Hello | None = None
    now_ms, writes = 0, 0
    for _ in range(300):
        now_ms += 500
        up = taken(device)
        writes += bool(up)
        for event in host.receive_data(b"" if lose_every and writes % lose_every == 0 else up, now_ms):
            if isinstance(event, HelloReceived):
                hello = event.hello
                host.admit(9, now_ms)
                for number in range(3):
                    host.send(message_from_command(Command("price", b'{"n": %d}' % number)), now_ms)
            elif isinstance(event, MessageReceived):
                bodies.append(event.body)
                host.done()
        host.on_time(now_ms)
        device.receive(host.data_to_send())
        device.on_time()
        if device.finished() and host.unacked_messages == 0 and len(device.commands) == 3:
            break
    assert hello is not None
    assert (hello.kind, hello.uid, hello.boot_id) == ("till", "uid-1", "boot-1")
    events = [event_from_message("till-9", hello, body) for body in bodies]
    assert [(event.device, event.seq, event.kept_from_seq, event.raw) for event in events] == [
        ("till-9", number, 1, raw) for number, raw in enumerate(RAWS, start=1)
    ]
    assert device.commands == [("price", {"n": number}) for number in range(3)]


def test_the_documents_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    host = Link(Role.HOST)
    host.open(0)
    (asked,) = host.receive_data(names["wire_out"], 1)
    host.admit(5, 1)
    (message,) = [
        event
        for event in host.receive_data(names["on_bytes"](host.data_to_send(), 2), 3)
        if isinstance(event, MessageReceived)
    ]
    assert event_from_message("till-1", asked.hello, message.body).raw == "09521234567899"
    host.send(message_from_command(Command("stored", b'{"boot_id": "b1", "through_seq": 1}')), 4)
    names["on_bytes"](host.data_to_send(), 5)
    assert capsys.readouterr().out.startswith("stored ")


def test_the_document_names_every_frame_type_reason_and_message_kind():
    text = DOCUMENT.read_text()
    for kind in FrameType:
        assert f"| 0x{kind:02x} | {kind.name} |" in text
    for kind in MessageKind:
        assert f"0x{kind:02x}" in text
    for reason in ResetReason:
        word = {"PROTOCOL": "protocol broken", "NO_SESSION": "no session"}.get(
            reason.name, reason.name.lower()
        )
        assert f"{reason.value} {word}" in text


def test_the_documents_settings_are_good(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "bridge.toml").write_text(text)
    assert BridgeSettings.load(tmp_path / "bridge.toml").devices["till-0001"] == "till-2"
