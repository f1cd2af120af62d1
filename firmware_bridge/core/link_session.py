"""One session of a link: both windows, the acknowledgements, and the watch over a peer that falls silent."""

import struct

from firmware_bridge.core.errors import PeerError
from firmware_bridge.core.frame import Frame, FrameType, frame_to_bytes
from firmware_bridge.core.hello import ResetReason
from firmware_bridge.core.link_events import (
    LinkCounters,
    LinkEvent,
    LinkLimits,
    MessageAcked,
    MessageReceived,
)
from firmware_bridge.core.receive_window import Arrival, ReceiveWindow
from firmware_bridge.core.send_window import DATA_HEAD, DataFlag, SendWindow

SESSION_HEAD = struct.Struct("<H")
"""The session number, in front of each payload that belongs to one."""
_ACK = struct.Struct("<HBB")
"""session, credit, flags."""
_ACK_GAP = 1
"""Flag of an ACK: a frame was lost or spoilt before one that came; the sender need not wait for its timeout."""


class Session:
    """out: where frames to write are appended. peer_window: frames the peer takes before its first ACK."""

    def __init__(
        self,
        number: int,
        limits: LinkLimits,
        peer_window: int,
        counters: LinkCounters,
        out: list[bytes],
        now_ms: int,
    ) -> None:
        self.number = number
        self._limits = limits
        self._counters = counters
        self._out = out
        self._outgoing = SendWindow(number, limits.window, peer_window, limits.max_queue)
        self._incoming = ReceiveWindow(limits.window, limits.max_undone)
        self._heard_ms = now_ms
        self._probed_ms = now_ms
        self._silent_probes = 0

    @property
    def can_send(self) -> bool:
        return self._outgoing.can_push

    @property
    def unacked_messages(self) -> int:
        return self._outgoing.unacked_messages

    @property
    def undone_messages(self) -> int:
        return self._incoming.undone

    @property
    def next_timeout_ms(self) -> int:
        deadline_ms = self._outgoing.deadline_ms
        return self._probe_ms if deadline_ms is None else min(self._probe_ms, deadline_ms)

    def send(self, message: bytes, now_ms: int) -> int:
        number = self._outgoing.push(message)
        self.pump(now_ms)
        return number

    def pump(self, now_ms: int) -> None:
        """Sends what the window and the peer's credit allow."""
        frames = self._outgoing.frames_to_send(now_ms)
        self._out += frames
        self._counters.data_sent += len(frames)

    def done(self, count: int) -> None:
        self._incoming.done(count)
        if self._incoming.credit_is_news:
            self.acknowledge(spoilt=False)

    def heard(self, now_ms: int) -> None:
        """A frame of this session came: the peer lives."""
        self._heard_ms = now_ms
        self._silent_probes = 0

    def on_data(self, frame: Frame) -> list[LinkEvent]:
        """Raises PeerError."""
        flags = DataFlag(frame.payload[SESSION_HEAD.size] & 3)
        arrival = self._incoming.receive(frame.seq, flags, frame.payload[DATA_HEAD.size :])
        if arrival is Arrival.DUPLICATE:
            self._counters.data_duplicate += 1
        elif arrival is Arrival.OUT_OF_WINDOW:
            self._counters.data_out_of_window += 1
        else:
            self._counters.data_accepted += 1
            return [MessageReceived(body) for body in self._incoming.take_messages()]
        return []

    def on_ack(self, frame: Frame, now_ms: int) -> list[LinkEvent]:
        """Raises PeerError."""
        if len(frame.payload) < _ACK.size:
            raise PeerError("ACK is too short")
        _, credit, flags = _ACK.unpack_from(frame.payload)
        numbers = self._outgoing.on_ack(frame.seq, credit, now_ms)
        if flags & _ACK_GAP:
            self._send_again(self._outgoing.on_gap(now_ms))
        return [MessageAcked(number) for number in numbers]

    def acknowledge(self, *, spoilt: bool) -> None:
        """spoilt: a frame came that could not be read; it may have been one of ours."""
        next_seq, credit = self._incoming.announce()
        flags = _ACK_GAP if spoilt or self._incoming.has_gap else 0
        self._put(FrameType.ACK, next_seq, _ACK.pack(self.number, credit, flags))

    def on_time(self, now_ms: int) -> ResetReason | None:
        """Resends and probes that are due; the reason when the session is over."""
        deadline_ms = self._outgoing.deadline_ms
        if deadline_ms is not None and now_ms >= deadline_ms:
            if self._outgoing.worst_tries >= self._limits.max_tries:
                return ResetReason.UNANSWERED
            self._send_again(self._outgoing.on_timeout(now_ms))
        if now_ms >= self._probe_ms:
            if self._silent_probes >= self._limits.max_silent_probes:
                return ResetReason.SILENT
            self._silent_probes += 1
            self._probed_ms = now_ms
            self._put(FrameType.PING, 0, SESSION_HEAD.pack(self.number))
        return None

    @property
    def _probe_ms(self) -> int:
        """When to PING: soon while credit is missing or a PING is unanswered, else after a long silence."""
        urgent = self._silent_probes > 0 or self._outgoing.blocked
        wait_ms = self._limits.probe_ms if urgent else self._limits.idle_ms
        return max(self._heard_ms, self._probed_ms) + wait_ms

    def _send_again(self, frames: list[bytes]) -> None:
        self._out += frames
        self._counters.data_sent += len(frames)
        self._counters.data_resent += len(frames)

    def _put(self, frame_type: FrameType, seq: int, payload: bytes) -> None:
        self._out.append(frame_to_bytes(Frame(frame_type, seq, payload)))
