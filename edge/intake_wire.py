"""MQTT as far as a receiver needs it, without a socket: bytes in, messages out; the packets a receiver sends.

Versions 3.1.1 and 5. QoS 0 and 1 come in (nothing here subscribes at 2); topic aliases are not announced, so none come.
Sources: OASIS MQTT 3.1.1 and MQTT 5.0, chapters 2 and 3.
"""

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 0x20, 0x30, 0x40, 0x90, 0xD0, 0xE0
PING: Final = b"\xc0\x00"
GOODBYE: Final = b"\xe0\x00"
MAX_PACKET_BYTES = 1_048_576
"""A packet this long is none of a shop's: the stream is out of step, or somebody floods us."""
MAX_TOPICS = 20_000
_RECEIVE_MAXIMUM, _SESSION_EXPIRY, _MAXIMUM_PACKET = 0x21, 0x11, 0x27

Received: TypeAlias = tuple[str, bytes, int]
"""(topic, payload, message id); id 0: QoS 0, nobody waits for an answer."""


class ProtocolError(Exception):
    """What came is not MQTT, or not for us; the connection must end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A packet that is no message: `kind` is its first byte without flags."""

    kind: int
    body: bytes


class Splitter:
    """One connection's incoming bytes, cut into messages and answers. protocol: 5, or 4 for 3.1.1."""

    def __init__(self, protocol: int) -> None:
        self._five = protocol == 5
        self._rest = b""
        self._topics: dict[bytes, str] = {}
        self.answers: list[Answer] = []

    def feed(self, data: bytes) -> list[Received]:
        """The messages that are complete now, in order; whatever else came is added to `answers`.

        Raises ProtocolError.
        """
        if self._rest:
            data = self._rest + data
        found: list[Received] = []
        topics, five = self._topics, self._five
        place, size = 0, len(data)
        while place + 2 <= size:
            first, length, start = data[place], data[place + 1], place + 2
            if length & 0x80:
                # The remaining length has up to four bytes of seven bits each, the low ones first.
                length &= 0x7F
                shift = 7
                while True:
                    if start == size:
                        self._rest = data[place:]
                        return found
                    byte = data[start]
                    start += 1
                    length |= (byte & 0x7F) << shift
                    if not byte & 0x80:
                        break
                    shift += 7
                    if shift > 21:
                        raise ProtocolError("a remaining length of more than four bytes")
                if length > MAX_PACKET_BYTES:
                    raise ProtocolError(f"a packet of {length} bytes; the limit is {MAX_PACKET_BYTES}")
            end = start + length
            if end > size:
                break
            place = end
            if first & 0xF0 != PUBLISH:
                self.answers.append(Answer(first & 0xF0, data[start:end]))
                continue
            at = start + 2 + (data[start] << 8 | data[start + 1]) if length >= 2 else end + 1
            mid = 0
            topic_end = at
            if first & 0x06:
                mid = data[at] << 8 | data[at + 1] if at + 2 <= end else 0
                at += 2
                if not mid:
                    raise ProtocolError("a QoS 1 message without an id")
            if five:
                if at < end and not data[at]:
                    at += 1
                else:
                    at = _after_properties(data, at, end)
            if at > end:
                raise ProtocolError("a message that is shorter than its topic")
            raw = data[start + 2 : topic_end]
            topic = topics.get(raw)
            if topic is None:
                topic = self._topic_from(raw)
            found.append((topic, data[at:end], mid))
        self._rest = data[place:] if place else data
        return found

    def _topic_from(self, raw: bytes) -> str:
        try:
            topic = raw.decode()
        except UnicodeDecodeError:
            raise ProtocolError("a topic that is not UTF-8") from None
        if len(self._topics) >= MAX_TOPICS:
            self._topics.clear()
        self._topics[raw] = topic
        return topic


def connect_packet(
    client_id: str, protocol: int, *, keepalive_s: int, receive_maximum: int, session_expiry_s: int,
    username: str = "", password: str = "",
) -> bytes:  # fmt: skip
    """CONNECT to a session that the broker keeps: what comes while we are away waits there."""
    flags = (0x80 if username else 0) | (0x40 if username and password else 0)
    head = _text("MQTT") + bytes((protocol, flags)) + struct.pack(">H", keepalive_s)
    if protocol == 5:
        properties = struct.pack(
            ">BHBIBI", _RECEIVE_MAXIMUM, receive_maximum, _SESSION_EXPIRY, session_expiry_s,
            _MAXIMUM_PACKET, MAX_PACKET_BYTES,
        )  # fmt: skip
        head += bytes((len(properties),)) + properties
    head += _text(client_id)
    if username:
        head += _text(username)
        if password:
            head += _text(password)
    return b"\x10" + remaining_length(len(head)) + head


def subscribe_packet(topic: str, protocol: int, mid: int = 1) -> bytes:
    body = struct.pack(">H", mid) + (b"\x00" if protocol == 5 else b"") + _text(topic) + b"\x01"
    return b"\x82" + remaining_length(len(body)) + body


def puback_packets(mids: list[int]) -> bytes:
    """PUBACK of each message id, in their order: MQTT asks for the order of arrival (MQTT-4.6.0-2)."""
    return b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids])


def refusal_of(answer: Answer) -> str:
    """Why a CONNACK or SUBACK refuses, "" when it does not."""
    if answer.kind == CONNACK:
        code = answer.body[1] if len(answer.body) > 1 else 0xFF
        return "" if code == 0 else f"CONNACK {code}: {_REASONS.get(code, 'see the MQTT standard')}"
    code = answer.body[-1] if answer.body else 0xFF
    return "" if code < 0x80 else f"SUBACK {code}: {_REASONS.get(code, 'see the MQTT standard')}"


def remaining_length(number: int) -> bytes:
    found = bytearray()
    while True:
        number, low = divmod(number, 128)
        found.append(low | (0x80 if number else 0))
        if not number:
            return bytes(found)


def _after_properties(data: bytes, at: int, end: int) -> int:
    """Where the payload begins: what properties say of it (a content type, an expiry) changes nothing here."""
    length = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return at + length
        shift += 7
    raise ProtocolError("properties that do not end")


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


_REASONS = {
    1: "the broker does not speak this version; see broker_protocol",
    2: "the broker refuses the client id",
    3: "the broker is not available",
    4: "user or password is wrong; see broker_username and broker_password_file",
    5: "not allowed; see broker_username and the broker's ACL",
    0x80: "unspecified",
    0x84: "the broker does not speak this version; see broker_protocol",
    0x86: "user or password is wrong; see broker_username and broker_password_file",
    0x87: "not allowed; see broker_username and the broker's ACL",
    0x88: "the broker is not available",
    0x8F: "the broker refuses the topic",
    0x9F: "too many connections a second",
}
