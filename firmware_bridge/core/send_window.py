"""The sending half of a session: messages cut into frames, at most a window of them unacknowledged."""

import struct
from collections import deque
from dataclasses import dataclass
from enum import IntFlag

from firmware_bridge.core.errors import LinkBusyError, MessageTooLongError, PeerError
from firmware_bridge.core.frame import MAX_PAYLOAD_BYTES, SEQ_COUNT, Frame, FrameType, frame_to_bytes
from firmware_bridge.core.round_trip import RoundTrip

DATA_HEAD = struct.Struct("<HB")
"""session, flags."""
MAX_CHUNK_BYTES = MAX_PAYLOAD_BYTES - DATA_HEAD.size
MAX_MESSAGE_BYTES = 65_536


class DataFlag(IntFlag):
    FIRST = 1
    LAST = 2


@dataclass(slots=True)
class _InFlight:
    encoded: bytes
    sent_ms: int
    tries: int
    ends_message: int | None


class SendWindow:
    """first_credit: frames the peer takes before its first acknowledgement."""

    def __init__(self, session: int, window: int, first_credit: int, max_queue: int) -> None:
        self._session = session
        self._window = window
        self._max_queue = max_queue
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._waiting_messages = 0
        self._in_flight: deque[_InFlight] = deque()
        self._base = 0
        self._right_edge = first_credit
        self._round_trip = RoundTrip()
        self._next_number = 1

    @property
    def unacked_messages(self) -> int:
        return self._waiting_messages + sum(1 for frame in self._in_flight if frame.ends_message is not None)

    @property
    def can_push(self) -> bool:
        return self._waiting_messages < self._max_queue

    @property
    def blocked(self) -> bool:
        """Frames wait, none is under way, and the peer gave no credit: only a PING can learn of new credit."""
        return bool(self._waiting) and not self._in_flight and self._base >= self._right_edge

    @property
    def worst_tries(self) -> int:
        return self._in_flight[0].tries if self._in_flight else 0

    @property
    def deadline_ms(self) -> int | None:
        """When the oldest unacknowledged frame is sent again."""
        return self._in_flight[0].sent_ms + self._round_trip.timeout_ms if self._in_flight else None

    def push(self, message: bytes) -> int:
        """Queues a message, gives its number. Raises MessageTooLongError or LinkBusyError."""
        if len(message) > MAX_MESSAGE_BYTES:
            raise MessageTooLongError("message", len(message), MAX_MESSAGE_BYTES)
        if not self.can_push:
            raise LinkBusyError(self._max_queue)
        number = self._next_number
        self._next_number += 1
        ends = range(0, max(len(message), 1), MAX_CHUNK_BYTES)
        for start in ends:
            last = start == ends[-1]
            flags = (DataFlag.FIRST if start == 0 else DataFlag(0)) | (DataFlag.LAST if last else DataFlag(0))
            chunk = DATA_HEAD.pack(self._session, flags) + message[start : start + MAX_CHUNK_BYTES]
            self._waiting.append((chunk, number if last else None))
        self._waiting_messages += 1
        return number

    def frames_to_send(self, now_ms: int) -> list[bytes]:
        """New frames that the window and the peer's credit allow."""
        frames: list[bytes] = []
        while self._waiting and len(self._in_flight) < self._window:
            seq = self._base + len(self._in_flight)
            if seq >= self._right_edge:
                break
            payload, number = self._waiting.popleft()
            self._waiting_messages -= number is not None
            encoded = frame_to_bytes(Frame(FrameType.DATA, seq % SEQ_COUNT, payload))
            self._in_flight.append(_InFlight(encoded, now_ms, 1, number))
            frames.append(encoded)
        return frames

    def on_ack(self, next_seq: int, credit: int, now_ms: int) -> list[int]:
        """Numbers of the messages that are now acknowledged. Raises PeerError for an acknowledgement of unsent frames."""
        count = (next_seq - self._base) % SEQ_COUNT
        if count > len(self._in_flight):
            if count >= SEQ_COUNT // 2:
                return []  # an old acknowledgement, overtaken by a newer one
            raise PeerError("it acknowledged frames that were never sent")
        numbers: list[int] = []
        for _ in range(count):
            frame = self._in_flight.popleft()
            if frame.tries == 1:
                self._round_trip.observe(now_ms - frame.sent_ms)
            else:
                self._round_trip.progressed()
            if frame.ends_message is not None:
                numbers.append(frame.ends_message)
        self._base += count
        self._right_edge = max(self._right_edge, self._base + credit)
        return numbers

    def on_gap(self, now_ms: int) -> list[bytes]:
        """The peer misses the oldest frame: sends it again at once, but only once; then the timeout rules."""
        if not self._in_flight or self._in_flight[0].tries > 1:
            return []
        return [self._again(self._in_flight[0], now_ms)]

    def on_timeout(self, now_ms: int) -> list[bytes]:
        """Everything unacknowledged, again, when the oldest frame's time is up."""
        deadline_ms = self.deadline_ms
        if deadline_ms is None or now_ms < deadline_ms:
            return []
        self._round_trip.back_off()
        return [self._again(frame, now_ms) for frame in self._in_flight]

    def _again(self, frame: _InFlight, now_ms: int) -> bytes:
        frame.sent_ms = now_ms
        frame.tries += 1
        return frame.encoded
