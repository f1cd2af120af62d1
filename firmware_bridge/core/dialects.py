"""What a message means: device events up (binary from shelves, JSON from the rest), commands down. Both directions of each.

A message up is `envelope | body` (core.envelope). A message down is `0x81 | JSON {"name": …, "body": {…}}`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from contract.devices import EVENT_BY_STREAM, Birth, Calibration, DeviceEvent, Fault, Heartbeat, Weight
from contract.errors import MalformedMessageError
from contract.message import reason_from_validation
from firmware_bridge.core.envelope import (
    Envelope,
    MessageKind,
    envelope_from_bytes,
    envelope_from_event,
    envelope_to_bytes,
)
from firmware_bridge.core.errors import MessageTooLongError, PeerError, SerialWireError
from firmware_bridge.core.hello import Hello
from firmware_bridge.core.send_window import MAX_MESSAGE_BYTES
from firmware_bridge.core.shelf_dialect import (
    Fields,
    calibration_fields,
    calibration_to_bytes,
    fault_fields,
    fault_to_bytes,
    heartbeat_fields,
    heartbeat_to_bytes,
    weight_fields,
    weight_to_bytes,
)

SHELF = "shelf"
"""The kind in HELLO whose events travel in the binary dialect where they can."""
MAX_COMMAND_BYTES = 16_384
_ENVELOPE_FIELDS = frozenset(DeviceEvent.model_fields)


class UnreadableMessageError(SerialWireError):
    """The device must act: its message cannot become an event. envelope: None where not even that was readable."""

    def __init__(self, reason: str, envelope: Envelope | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.envelope = envelope


@dataclass(frozen=True, slots=True)
class Command:
    """From the gateway to a device: body is a JSON object."""

    name: str
    body: bytes


def message_from_event(event: DeviceEvent, hello: Hello) -> bytes:
    """Device end: the bytes for `Link.send`. Raises MessageTooLongError; ValueError for a cell without a number."""
    kind, body = _binary_body(event) if hello.kind == SHELF else (MessageKind.JSON_EVENT, b"")
    if kind is MessageKind.JSON_EVENT:
        stream = event.stream.encode("ascii")
        body = bytes((len(stream),)) + stream + event.model_dump_json(exclude=set(_ENVELOPE_FIELDS)).encode()
    message = envelope_to_bytes(kind, envelope_from_event(event), hello.boot_id) + body
    if len(message) > MAX_MESSAGE_BYTES:
        raise MessageTooLongError(f"{event.stream} event", len(message), MAX_MESSAGE_BYTES)
    return message


def event_from_message(device: str, hello: Hello, message: bytes) -> DeviceEvent:
    """Bridge end: the checked event. device: the id that the settings give to hello.uid.

    Raises UnreadableMessageError that says what is wrong and, if readable, which (boot_id, seq) it was.
    """
    envelope: Envelope | None = None
    try:
        kind, envelope, body = envelope_from_bytes(message, hello.boot_id)
        if kind == MessageKind.JSON_EVENT:
            return _event_from_json_body(device, envelope, body)
        cls, fields = _binary_fields(kind, hello, body)
        return cls.model_validate({"device": device, **_fields_of(envelope), **fields})
    except PeerError as error:
        raise UnreadableMessageError(error.reason, envelope) from None
    except MalformedMessageError as error:
        raise UnreadableMessageError(error.why, envelope) from None
    except ValidationError as error:
        raise UnreadableMessageError(reason_from_validation(error), envelope) from None


def message_from_command(command: Command) -> bytes:
    """Raises MalformedMessageError when the body is no JSON object or longer than MAX_COMMAND_BYTES."""
    what = f"command {command.name[:40]!r}"
    if len(command.body) > MAX_COMMAND_BYTES:
        raise MalformedMessageError(what, f"{len(command.body)} bytes, the limit is {MAX_COMMAND_BYTES}")
    try:
        body = json.loads(command.body)
    except (ValueError, RecursionError):
        raise MalformedMessageError(what, "the payload is not JSON; send an object") from None
    if not isinstance(body, dict):
        raise MalformedMessageError(what, f"the payload is a JSON {type(body).__name__}; send an object")
    text = json.dumps({"name": command.name, "body": body}, separators=(",", ":"), ensure_ascii=False)
    return bytes((MessageKind.COMMAND,)) + text.encode()


def command_from_message(message: bytes) -> Command:
    """Device end. Raises PeerError."""
    if message[:1] != bytes((MessageKind.COMMAND,)):
        raise PeerError("a message down is not a command")
    try:
        parsed = json.loads(message[1:])
        name, body = parsed["name"], parsed["body"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PeerError("a command is not JSON with a name and a body") from None
    if not isinstance(name, str) or not isinstance(body, dict):
        raise PeerError("a command's name is no text or its body no object")
    return Command(name, json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())


def _event_from_json_body(device: str, envelope: Envelope, body: bytes) -> DeviceEvent:
    stream_bytes = body[0] if body else 0
    stream = body[1 : 1 + stream_bytes].decode("ascii", "replace")
    text = body[1 + stream_bytes :]
    cls = EVENT_BY_STREAM.get(stream)
    if cls is None:
        raise PeerError(f"unknown stream {stream[:40]!r}; known are {', '.join(sorted(EVENT_BY_STREAM))}")
    if text[:1] != b"{":
        raise PeerError(f"the body of a {stream} event is no JSON object")
    head = json.dumps({"device": device, **_fields_of(envelope)}, separators=(",", ":")).encode()
    joint = b"," if text[1:].lstrip()[:1] != b"}" else b""
    event = cls.from_json(head[:-1] + joint + text[1:])
    if event.device != device or (event.boot_id, event.seq) != (envelope.boot_id, envelope.seq):
        raise PeerError("the body repeats fields of the envelope with other values; leave them out")
    return event


def _fields_of(envelope: Envelope) -> Fields:
    return {
        "boot_id": envelope.boot_id,
        "seq": envelope.seq,
        "kept_from_seq": envelope.kept_from_seq,
        "t_device_ms": envelope.t_device_ms,
        "t_event_ms": envelope.t_event_ms,
        "clock_quality": envelope.clock_quality,
    }


def _binary_body(event: DeviceEvent) -> tuple[MessageKind, bytes]:
    match event:
        case Weight():
            return MessageKind.WEIGHT, weight_to_bytes(event)
        case Fault():
            return MessageKind.FAULT, fault_to_bytes(event)
        case Heartbeat():
            return MessageKind.HEARTBEAT, heartbeat_to_bytes(event)
        case Calibration():
            return MessageKind.CALIBRATION, calibration_to_bytes(event)
        case Birth():
            return MessageKind.BIRTH, b""
        case _:
            return MessageKind.JSON_EVENT, b""


_BINARY: dict[int, tuple[type[DeviceEvent], Callable[[bytes], Fields]]] = {
    MessageKind.WEIGHT: (Weight, weight_fields),
    MessageKind.FAULT: (Fault, fault_fields),
    MessageKind.HEARTBEAT: (Heartbeat, heartbeat_fields),
    MessageKind.CALIBRATION: (Calibration, calibration_fields),
}


def _binary_fields(kind: int, hello: Hello, body: bytes) -> tuple[type[DeviceEvent], Fields]:
    if kind == MessageKind.BIRTH:
        return Birth, _birth_fields(hello)
    cls_and_parser = _BINARY.get(kind)
    if cls_and_parser is None:
        raise PeerError(f"message kind 0x{kind:02x} is unknown")
    cls, fields_from_bytes = cls_and_parser
    return cls, fields_from_bytes(body)


def _birth_fields(hello: Hello) -> Fields:
    """A shelf's birth says nothing that HELLO did not say."""
    return {
        "kind": hello.kind,
        "firmware": hello.firmware,
        "hardware": hello.hardware,
        "protocol": hello.protocol,
        "uid": hello.uid,
        "reset_reason": hello.reset_reason,
    }
