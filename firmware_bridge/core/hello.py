"""The greeting: who the device is (HELLO), which session it gets (HELLO_ACK), and the end of one (RESET)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.core.errors import MessageTooLongError, PeerError

PROTOCOL = 1
"""What the link and the messages mean. Frames carry WIRE_VERSION, which is about their form alone."""
MAX_TEXT_BYTES = 36
"""Of each text in HELLO: six of them and their lengths fit one frame."""

_HELLO_HEAD = struct.Struct("<BHB")
_HELLO_ACK = struct.Struct("<BHHB")
_RESET = struct.Struct("<HB")
_TEXTS = ("kind", "uid", "boot_id", "firmware", "hardware", "reset_reason")


@dataclass(frozen=True, slots=True)
class Hello:
    """Who a device is. uid: of its microcontroller, the identity that a bridge's settings map to a device id.

    kind: shelf, till, esl-base or dock. boot_id: new at each start. reset_reason: why it started.
    """

    kind: str
    uid: str
    boot_id: str
    firmware: str = ""
    hardware: str = ""
    reset_reason: str = ""
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class Greeting:
    """A HELLO frame. number tells one try for a session from the next; window: frames the device takes at once."""

    hello: Hello
    number: int
    window: int


@dataclass(frozen=True, slots=True)
class HelloAck:
    number: int
    session: int
    window: int
    protocol: int = PROTOCOL


class ResetReason(IntEnum):
    """Why an end drops the session, or asks for one."""

    NO_SESSION = 1
    UNANSWERED = 2
    PROTOCOL = 3
    REFUSED = 4
    CLOSING = 5
    SILENT = 6


@dataclass(frozen=True, slots=True)
class Reset:
    """session: the one that ends, 0 for any."""

    session: int
    reason: ResetReason


def greeting_to_bytes(greeting: Greeting) -> bytes:
    """Raises MessageTooLongError that names the text which is too long."""
    parts = [_HELLO_HEAD.pack(greeting.hello.protocol, greeting.number, greeting.window)]
    for name in _TEXTS:
        text: bytes = getattr(greeting.hello, name).encode()
        if len(text) > MAX_TEXT_BYTES:
            raise MessageTooLongError(f"HELLO's {name}", len(text), MAX_TEXT_BYTES)
        parts.append(bytes((len(text),)) + text)
    return b"".join(parts)


def greeting_from_bytes(payload: bytes) -> Greeting:
    """Raises PeerError. Bytes behind the last text are of a later protocol, and passed over."""
    if len(payload) < _HELLO_HEAD.size:
        raise PeerError("HELLO is shorter than its head")
    protocol, number, window = _HELLO_HEAD.unpack_from(payload)
    place = _HELLO_HEAD.size
    texts: dict[str, str] = {}
    for name in _TEXTS:
        length = payload[place] if place < len(payload) else len(payload)
        text = payload[place + 1 : place + 1 + length]
        if len(text) != length:
            raise PeerError(f"HELLO ends within {name}")
        try:
            texts[name] = text.decode()
        except UnicodeDecodeError:
            raise PeerError(f"HELLO's {name} is not UTF-8") from None
        place += 1 + length
    if window == 0:
        raise PeerError("HELLO's window is 0; it must take at least one frame")
    return Greeting(Hello(protocol=protocol, **texts), number, window)


def hello_ack_to_bytes(ack: HelloAck) -> bytes:
    return _HELLO_ACK.pack(ack.protocol, ack.number, ack.session, ack.window)


def hello_ack_from_bytes(payload: bytes) -> HelloAck:
    """Raises PeerError."""
    if len(payload) < _HELLO_ACK.size:
        raise PeerError("HELLO_ACK is too short")
    protocol, number, session, window = _HELLO_ACK.unpack_from(payload)
    if window == 0 or session == 0:
        raise PeerError("HELLO_ACK without a window or a session")
    return HelloAck(number, session, window, protocol)


def reset_to_bytes(reset: Reset) -> bytes:
    return _RESET.pack(reset.session, reset.reason)


def reset_from_bytes(payload: bytes) -> Reset:
    """Raises PeerError. A reason of a later protocol reads as PROTOCOL."""
    if len(payload) < _RESET.size:
        raise PeerError("RESET is too short")
    session, code = _RESET.unpack_from(payload)
    known = code in ResetReason._value2member_map_
    return Reset(session, ResetReason(code) if known else ResetReason.PROTOCOL)
