"""Local MQTT topics: `shelfloop/1/{device}/{stream}`, commands under `cmd/`, answers on `ack`."""

import re
from dataclasses import dataclass

from contract.errors import MalformedMessageError
from contract.ids import ID_PATTERN, DeviceId

ROOT = "shelfloop/1"
ALL_DEVICE_STREAMS = f"{ROOT}/+/+"
"""What a gateway subscribes to: every stream of every device; commands lie one level deeper."""
STATE = "state"
ACK = "ack"
STORED = "stored"

_ID = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class StreamTopic:
    device: DeviceId
    stream: str


def stream_topic(device: str, stream: str) -> str:
    return f"{ROOT}/{device}/{stream}"


def command_topic(device: str, name: str) -> str:
    return f"{ROOT}/{device}/cmd/{name}"


def all_commands_topic(device: str) -> str:
    return f"{ROOT}/{device}/cmd/+"


def stream_topic_from_text(topic: str) -> StreamTopic:
    """Raises MalformedMessageError when `topic` is not `shelfloop/1/{device}/{stream}` with a valid device id."""
    parts = topic.split("/")
    if len(parts) != 4 or f"{parts[0]}/{parts[1]}" != ROOT:
        raise MalformedMessageError(f"topic {topic[:80]!r}", f"expected {ROOT}/{{device}}/{{stream}}")
    if not _ID.match(parts[2]):
        raise MalformedMessageError(f"topic {topic[:80]!r}", f"device id must match {ID_PATTERN}")
    return StreamTopic(DeviceId(parts[2]), parts[3])


def command_from_text(topic: str) -> tuple[DeviceId, str]:
    """(device, command name). Raises MalformedMessageError when `topic` is no command topic."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[3] != "cmd":
        raise MalformedMessageError(f"topic {topic[:80]!r}", f"expected {ROOT}/{{device}}/cmd/{{name}}")
    return DeviceId(parts[2]), parts[4]
