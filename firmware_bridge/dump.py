"""Prints a raw capture of one direction of a serial line: every frame, good and bad, and what its messages say."""

from collections.abc import Iterator

from contract.errors import ContractError
from firmware_bridge.core.dialects import UnreadableMessageError, command_from_message, event_from_message
from firmware_bridge.core.envelope import MessageKind
from firmware_bridge.core.errors import PeerError
from firmware_bridge.core.frame import BadFrame, Frame, FrameDecoder, FrameType
from firmware_bridge.core.hello import Hello, greeting_from_bytes, hello_ack_from_bytes, reset_from_bytes
from firmware_bridge.core.send_window import DATA_HEAD, DataFlag
from runtime.logs import printable

_UNKNOWN = Hello(kind="unknown", uid="unknown", boot_id="unknown")
_CHUNK_BYTES = 4096


class Dump:
    """Reads on from piece to piece, so that a capture of any size takes little memory."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._hello = _UNKNOWN
        self._number = 0
        self._parts = b""

    def lines(self, capture: bytes) -> Iterator[str]:
        for start in range(0, len(capture), _CHUNK_BYTES):
            for item in self._decoder.receive_data(capture[start : start + _CHUNK_BYTES]):
                self._number += 1
                yield f"{self._number:6} {self._text(item)}"

    def summary(self) -> str:
        bad = sum(self._decoder.rejected.values())
        reasons = ", ".join(
            f"{reason.value} {count}" for reason, count in sorted(self._decoder.rejected.items())
        )
        return f"{self._number} frames, {bad} bad{f' ({reasons})' if bad else ''}"

    def _text(self, item: Frame | BadFrame) -> str:
        if isinstance(item, BadFrame):
            return f"BAD       {item.reason.value}, {item.encoded_bytes} bytes"
        try:
            return f"{item.type.name:9} {self._payload_text(item)}"
        except PeerError as error:
            return f"{item.type.name:9} {error.reason}: {item.payload[:40].hex(' ')}"

    def _payload_text(self, frame: Frame) -> str:
        match frame.type:
            case FrameType.HELLO:
                greeting = greeting_from_bytes(frame.payload)
                self._hello = greeting.hello
                return f"number={greeting.number} window={greeting.window} {greeting.hello}"
            case FrameType.HELLO_ACK:
                return str(hello_ack_from_bytes(frame.payload))
            case FrameType.RESET:
                reset = reset_from_bytes(frame.payload)
                return f"session={reset.session} reason={reset.reason.name.lower()}"
            case FrameType.DATA:
                return self._data_text(frame)
            case FrameType.LOG:
                return printable(frame.payload)
            case _:
                numbers = " ".join(str(byte) for byte in frame.payload[2:])
                session = int.from_bytes(frame.payload[:2], "little")
                return f"session={session} seq={frame.seq} {numbers}".rstrip()

    def _data_text(self, frame: Frame) -> str:
        if len(frame.payload) < DATA_HEAD.size:
            raise PeerError("too short")
        session, flag_bits = DATA_HEAD.unpack_from(frame.payload)
        flags = DataFlag(flag_bits & 3)
        chunk = frame.payload[DATA_HEAD.size :]
        self._parts = chunk if flags & DataFlag.FIRST else self._parts + chunk
        head = f"session={session} seq={frame.seq}"
        if not flags & DataFlag.LAST:
            return f"{head} part of {len(chunk)} bytes"
        message, self._parts = self._parts, b""
        return f"{head} {_message_text(self._hello, message)}"


def _message_text(hello: Hello, message: bytes) -> str:
    try:
        if message[:1] == bytes((MessageKind.COMMAND,)):
            command = command_from_message(message)
            return f"command {printable(command.name)} {printable(command.body, 2000)}"
        event = event_from_message(_device_name(hello), hello, message)
    except UnreadableMessageError as error:
        return f"unreadable: {printable(error.reason, 300)} {error.envelope or message[:40].hex(' ')}"
    except ContractError as error:
        return f"unreadable: {printable(str(error), 300)}"
    return f"{event.stream} {printable(event.to_json(), 4000)}"


def _device_name(hello: Hello) -> str:
    """The settings would name the device; a capture only knows its uid."""
    name = "".join(char if char.isalnum() and char.isascii() else "-" for char in hello.uid.lower()).strip(
        "-"
    )
    return name or "unknown"
