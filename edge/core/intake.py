"""From a message of the broker to an event that counts once: decode, admit, or put aside with a reason."""

import hashlib
import json
import re

from contract.devices import (
    COUNTED_STREAMS,
    DeviceEvent,
    DeviceState,
    Rejected,
    Weight,
    event_from_json,
)
from contract.errors import MalformedMessageError
from contract.ids import ID_PATTERN
from contract.lean_weight import LeanWeight, lean_weight_from_json
from contract.records import GapRecord, QuarantineRecord
from contract.topics import ACK, STATE, StreamTopic, stream_topic_from_text
from edge.core.devices import Admission
from edge.core.effects import PublishStored, PutAside
from edge.core.state import EdgeState

MAX_PAYLOAD_BYTES = 256_000
SAMPLE_CHARS = 300
MAX_SEEN_BAD = 2000
MAX_KNOWN_TOPICS = 20_000
TOO_MANY_DEVICES = "too many devices"
"""The reason of what is put aside without being dealt with: its device keeps it and sends it again."""
_ID = re.compile(ID_PATTERN)


class Intake:
    def __init__(self, state: EdgeState) -> None:
        self._state = state
        self._seen_bad: dict[str, None] = {}
        self._places: dict[str, StreamTopic] = {}

    def event_from(self, topic: str, payload: bytes, now_ms: int) -> DeviceEvent | LeanWeight | None:
        """The event to act on; None when there is nothing to do: known, put aside, or a retained state."""
        state = self._state
        state.tally.add("messages_total")
        place = self._places.get(topic)
        if place is None:
            try:
                place = self._place_from(topic)
            except MalformedMessageError as error:
                self.put_aside("unknown", "", str(error), payload, now_ms)
                return None
        if len(payload) > MAX_PAYLOAD_BYTES:
            reason = f"payload of {len(payload)} bytes; the limit is {MAX_PAYLOAD_BYTES}"
            self.put_aside(place.device, place.stream, reason, payload, now_ms)
            return None
        if place.stream == Weight.stream:
            weight = lean_weight_from_json(place.device, payload)
            if weight is not None:
                return weight if self._admit(weight, place.stream, payload, now_ms) else None
        if place.stream == STATE:
            self._take_state(place, payload, now_ms)
            return None
        if place.stream == ACK:
            return None
        try:
            event = event_from_json(place.device, place.stream, payload)
        except MalformedMessageError as error:
            self._refuse(place, str(error), payload, now_ms)
            return None
        return event if self._admit(event, place.stream, payload, now_ms) else None

    def reject(self, event: Rejected, now_ms: int) -> None:
        """A bridge put something aside for us; where its identity is known, its device may forget it."""
        self.put_aside(event.source, "rejected", event.reason, event.sample.encode(), now_ms)
        if event.of_boot_id is not None and event.of_seq is not None and _ID.match(event.source):
            self._deal_with(event.source, event.of_boot_id, event.of_seq, 1, now_ms)

    def put_aside(self, source: str, stream: str, reason: str, payload: bytes, now_ms: int) -> None:
        """Keeps bad input with its reason. The same bytes from the same source are kept and told once."""
        state = self._state
        digest = hashlib.sha256(b"\n".join((source.encode(), stream.encode(), payload))).hexdigest()
        state.tally.add("quarantined_total")
        if digest in self._seen_bad:
            return
        self._seen_bad[digest] = None
        if len(self._seen_bad) > MAX_SEEN_BAD:
            del self._seen_bad[next(iter(self._seen_bad))]
        state.effects.append(PutAside(source[:200], stream[:200], reason, payload, now_ms))
        state.emit(
            QuarantineRecord(
                seq=1,
                at_ms=now_ms,
                source=_printable(source, 200),
                stream=_printable(stream, 200),
                reason=_printable(reason, 300),
                sample=_printable(payload[:SAMPLE_CHARS].decode("utf-8", "backslashreplace"), SAMPLE_CHARS),
            )
        )

    def _place_from(self, topic: str) -> StreamTopic:
        """Raises MalformedMessageError. A shop's few topics come again and again; a flood of names is not kept."""
        place = stream_topic_from_text(topic)
        if len(self._places) >= MAX_KNOWN_TOPICS:
            self._places.clear()
        self._places[topic] = place
        return place

    def _admit(self, event: DeviceEvent | LeanWeight, stream: str, payload: bytes, now_ms: int) -> bool:
        state = self._state
        admission = state.devices.admit(event.device, event.boot_id, event.seq, event.kept_from_seq, now_ms)
        if state.devices.missed:
            self._declare_missed(now_ms)
        if admission is Admission.REFUSED:
            self.put_aside(event.device, stream, TOO_MANY_DEVICES, payload, now_ms)
            return False
        if admission is Admission.DEFERRED:
            state.tally.add("deferred_total")
            return False
        if event.kept_from_seq is not None or stream in COUNTED_STREAMS:
            self._publish_stored(event.device, event.boot_id)
        if admission is Admission.DUPLICATE:
            state.tally.add("duplicates_total")
            return False
        state.tally.add("accepted_total")
        return True

    def _declare_missed(self, now_ms: int) -> None:
        """A loss that only the device's numbers show: a log that lost its end, a copy put back, a journal that ran over."""
        state = self._state
        for missed in state.devices.missed:
            state.tally.add("events_missed_total", missed.count)
            state.emit(
                GapRecord(
                    seq=1, at_ms=now_ms, what=f"{missed.count} events of device {missed.device}",
                    reason=f"before event {missed.first_kept} of boot {missed.boot_id}: the device keeps them no longer, and"
                    " the gateway does not have them",
                )
            )  # fmt: skip
        state.devices.missed.clear()

    def _refuse(self, place: StreamTopic, reason: str, payload: bytes, now_ms: int) -> None:
        """Malformed: kept in quarantine, and dealt with where its envelope is readable, or it would come for ever."""
        envelope = _envelope_of(payload)
        self.put_aside(place.device, place.stream, reason, payload, now_ms)
        if envelope is not None:
            self._deal_with(place.device, *envelope, now_ms)

    def _deal_with(self, device: str, boot_id: str, seq: int, kept_from: int, now_ms: int) -> None:
        state = self._state
        admission = state.devices.admit(device, boot_id, seq, kept_from, now_ms)
        if admission is Admission.NEW:
            state.tally.add("rejected_total")
            row = state.devices.rows.by_key[device]
            row.accepted, row.rejected = row.accepted - 1, row.rejected + 1
        if admission in (Admission.NEW, Admission.DUPLICATE):
            self._publish_stored(device, boot_id)

    def _publish_stored(self, device: str, boot_id: str) -> None:
        through = self._state.devices.through_seq(device, boot_id)
        if through is not None:
            self._state.effects.append(PublishStored(device, boot_id, through))

    def _take_state(self, place: StreamTopic, payload: bytes, now_ms: int) -> None:
        if not payload:
            return  # a retained state that was cleared
        try:
            stated = DeviceState.from_json(payload, f"state of device {place.device}")
        except MalformedMessageError as error:
            self.put_aside(place.device, place.stream, str(error), payload, now_ms)
            return
        known = self._state.devices.rows.get(place.device)
        if stated.state == "offline":
            if known is not None and known.online is not False:
                known.online = False
                self._state.devices.rows.touch(place.device)
            return
        row = self._state.devices.hear(place.device, now_ms)
        if row is not None:
            row.online = True


def _envelope_of(payload: bytes) -> tuple[str, int, int] | None:
    """(boot_id, seq, kept_from_seq) of a payload that is wrong elsewhere, None when they cannot be read.

    An unreadable kept_from_seq counts as 1: nothing is given up on the word of a broken message.
    """
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    boot_id, seq, kept = value.get("boot_id"), value.get("seq"), value.get("kept_from_seq")
    if not isinstance(boot_id, str) or not _ID.match(boot_id) or type(seq) is not int:
        return None
    if not 1 <= seq < 2**53:
        return None
    return boot_id, seq, kept if type(kept) is int and 1 <= kept <= seq else 1


def _printable(text: str, max_chars: int) -> str:
    """Without control characters and at most `max_chars` long."""
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:max_chars])
    return clean[:max_chars]
