"""Frames: `0x00 | COBS(version, type, seq, payload, CRC-32) | 0x00`, at most 256 bytes on the wire.

COBS keeps zero bytes for the ends of frames alone, so after any noise the next zero is in step again: a disturbance
costs the frame it hits, never more than the one behind it. CRC-32 is the IEEE one (zlib), little-endian.
"""

import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from firmware_bridge.core.errors import MessageTooLongError
from firmware_bridge.core.stuffing import StuffingError, stuff, unstuff

WIRE_VERSION = 1
MAX_FRAME_BYTES = 256
MAX_PAYLOAD_BYTES = 240
"""Leaves room for head, CRC, COBS' one byte in 254 and both zeros, and a spare for a longer head one day."""
SEQ_COUNT = 256

_HEAD = struct.Struct("<BBB")
_CRC = struct.Struct("<I")
_MIN_PLAIN_BYTES = _HEAD.size + _CRC.size
_MAX_PLAIN_BYTES = _MIN_PLAIN_BYTES + MAX_PAYLOAD_BYTES
_MAX_ENCODED_BYTES = _MAX_PLAIN_BYTES + 1 + (_MAX_PLAIN_BYTES - 1) // 254


class FrameType(IntEnum):
    HELLO = 0x01
    HELLO_ACK = 0x02
    RESET = 0x03
    DATA = 0x10
    ACK = 0x11
    PING = 0x12
    LOG = 0x20


_TYPES = {int(kind): kind for kind in FrameType}


@dataclass(frozen=True, slots=True)
class Frame:
    """seq: the link's sequence number modulo 256; its meaning depends on the type."""

    type: FrameType
    seq: int
    payload: bytes = b""


class BadFrameReason(StrEnum):
    TOO_LONG = "too-long"
    TOO_SHORT = "too-short"
    ENCODING = "encoding"
    CRC = "crc"
    VERSION = "version"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes between two zeros that are no frame. encoded_bytes: how many were seen when that was clear."""

    reason: BadFrameReason
    encoded_bytes: int


_TOO_LONG = BadFrame(BadFrameReason.TOO_LONG, _MAX_ENCODED_BYTES + 1)


def frame_to_bytes(frame: Frame) -> bytes:
    """The frame on the wire. Raises MessageTooLongError past MAX_PAYLOAD_BYTES."""
    if len(frame.payload) > MAX_PAYLOAD_BYTES:
        raise MessageTooLongError(
            f"payload of a {frame.type.name} frame", len(frame.payload), MAX_PAYLOAD_BYTES
        )
    plain = _HEAD.pack(WIRE_VERSION, frame.type, frame.seq) + frame.payload
    return b"\0" + stuff(plain + _CRC.pack(zlib.crc32(plain))) + b"\0"


def frame_from_encoded(encoded: bytes) -> Frame | BadFrame:
    """What stands between two zeros."""
    if len(encoded) > _MAX_ENCODED_BYTES:
        return _TOO_LONG
    try:
        plain = unstuff(encoded)
    except StuffingError:
        return BadFrame(BadFrameReason.ENCODING, len(encoded))
    if len(plain) < _MIN_PLAIN_BYTES:
        return BadFrame(BadFrameReason.TOO_SHORT, len(encoded))
    if zlib.crc32(plain[:-4]) != _CRC.unpack_from(plain, len(plain) - _CRC.size)[0]:
        return BadFrame(BadFrameReason.CRC, len(encoded))
    version, type_code, seq = _HEAD.unpack_from(plain)
    if version != WIRE_VERSION:
        return BadFrame(BadFrameReason.VERSION, len(encoded))
    frame_type = _TYPES.get(type_code)
    if frame_type is None:
        return BadFrame(BadFrameReason.TYPE, len(encoded))
    return Frame(frame_type, seq, plain[_HEAD.size : -_CRC.size])


class FrameDecoder:
    """Frames from a stream of bytes that comes in any pieces. Never raises, never holds more than one frame's bytes."""

    def __init__(self) -> None:
        self.rejected: Counter[BadFrameReason] = Counter()
        self._tail = b""
        self._skipping = False
        """Inside a run that is already reported as too long: silent until the next zero."""

    def receive_data(self, data: bytes) -> list[Frame | BadFrame]:
        """The frames that `data` completes, in order. Any cut of a stream gives the same frames."""
        *complete, tail = (self._tail + data).split(b"\0")
        found: list[Frame | BadFrame] = []
        for encoded in complete:
            if self._skipping:
                self._skipping = False
            elif encoded:
                found.append(frame_from_encoded(encoded))
        if len(tail) > _MAX_ENCODED_BYTES:
            if not self._skipping:
                found.append(_TOO_LONG)
            self._skipping = True
            tail = b""
        self._tail = b"" if self._skipping else tail
        for item in found:
            if isinstance(item, BadFrame):
                self.rejected[item.reason] += 1
        return found

    def reset(self) -> None:
        """Forgets a half frame: the wire was closed and opened again. Counters stay."""
        self._tail = b""
        self._skipping = False
