"""The head of every message up: what it is and the device's envelope, readable even when the body is not."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from contract.devices import ClockQuality, DeviceEvent
from firmware_bridge.core.errors import MessageTooLongError, PeerError

_HEAD = struct.Struct("<BQQQqBB")
"""kind, seq, kept_from_seq (0: keeps nothing), t_device_ms, t_event_ms (-1: no clock), clock quality, boot id's length."""
_QUALITIES = (ClockQuality.UNKNOWN, ClockQuality.ESTIMATED, ClockQuality.SYNCED)
MAX_BOOT_ID_BYTES = 48


class MessageKind(IntEnum):
    """First byte of a message inside DATA."""

    JSON_EVENT = 0x01
    WEIGHT = 0x10
    FAULT = 0x11
    HEARTBEAT = 0x12
    BIRTH = 0x13
    CALIBRATION = 0x14
    COMMAND = 0x81


@dataclass(frozen=True, slots=True)
class Envelope:
    """As contract.devices.DeviceEvent has it, without the device: the bridge's settings name that."""

    boot_id: str
    seq: int
    kept_from_seq: int | None
    t_device_ms: int
    t_event_ms: int | None
    clock_quality: ClockQuality


def envelope_from_event(event: DeviceEvent) -> Envelope:
    return Envelope(
        event.boot_id,
        event.seq,
        event.kept_from_seq,
        event.t_device_ms,
        event.t_event_ms,
        event.clock_quality,
    )


def envelope_to_bytes(kind: MessageKind, envelope: Envelope, hello_boot_id: str) -> bytes:
    """hello_boot_id: the boot id in HELLO; an event of that boot need not repeat it."""
    boot = b"" if envelope.boot_id == hello_boot_id else envelope.boot_id.encode()
    if len(boot) > MAX_BOOT_ID_BYTES:
        raise MessageTooLongError("boot id", len(boot), MAX_BOOT_ID_BYTES)
    head = _HEAD.pack(
        kind,
        envelope.seq,
        envelope.kept_from_seq or 0,
        envelope.t_device_ms,
        -1 if envelope.t_event_ms is None else envelope.t_event_ms,
        _QUALITIES.index(envelope.clock_quality),
        len(boot),
    )
    return head + boot


def envelope_from_bytes(message: bytes, hello_boot_id: str) -> tuple[int, Envelope, bytes]:
    """(kind, envelope, body). Raises PeerError when the message is shorter than its head, or the head says nonsense."""
    if len(message) < _HEAD.size:
        raise PeerError(f"message of {len(message)} bytes is shorter than the {_HEAD.size} bytes of its head")
    kind, seq, kept, t_device_ms, t_event_ms, quality, boot_bytes = _HEAD.unpack_from(message)
    body_at = _HEAD.size + boot_bytes
    if len(message) < body_at:
        raise PeerError("message ends within its boot id")
    if quality >= len(_QUALITIES):
        raise PeerError(f"clock quality {quality} is unknown; known are 0 to {len(_QUALITIES) - 1}")
    try:
        boot_id = message[_HEAD.size : body_at].decode("ascii") or hello_boot_id
    except UnicodeDecodeError:
        raise PeerError("boot id is not ASCII") from None
    envelope = Envelope(
        boot_id, seq, kept or None, t_device_ms, None if t_event_ms < 0 else t_event_ms, _QUALITIES[quality]
    )
    return kind, envelope, message[body_at:]
