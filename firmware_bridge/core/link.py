"""A reliable link over a lossy serial wire: one machine, used by the bridge (host) and by the device.

State      input            next state
CLOSED     wire opened      GREETING    device sends HELLO, host sends RESET ("say HELLO")
GREETING   session agreed   UP          host answered HELLO with HELLO_ACK; device got the HELLO_ACK
UP         session ended    GREETING    RESET, a new HELLO, no answer to resends or PINGs, a broken rule
any        wire closed      CLOSED

Times are real milliseconds of any monotonic clock. Nothing here waits: call `on_time` at `next_timeout_ms`, and
write `data_to_send` after every call.
"""

import struct
from enum import Enum, auto

from firmware_bridge.core.errors import ImpossibleMoveError, LinkDownError, PeerError
from firmware_bridge.core.frame import (
    MAX_PAYLOAD_BYTES,
    BadFrame,
    Frame,
    FrameDecoder,
    FrameType,
    frame_to_bytes,
)
from firmware_bridge.core.hello import (
    Greeting,
    Hello,
    HelloAck,
    Reset,
    ResetReason,
    greeting_from_bytes,
    greeting_to_bytes,
    hello_ack_from_bytes,
    hello_ack_to_bytes,
    reset_from_bytes,
    reset_to_bytes,
)
from firmware_bridge.core.link_events import (
    HelloReceived,
    LinkCounters,
    LinkEvent,
    LinkLimits,
    LogReceived,
    MessageAcked,
    MessageReceived,
    SessionDown,
    SessionUp,
)
from firmware_bridge.core.receive_window import Arrival, ReceiveWindow
from firmware_bridge.core.send_window import DATA_HEAD, DataFlag, SendWindow


class Role(Enum):
    HOST = auto()
    DEVICE = auto()


class LinkState(Enum):
    CLOSED = auto()
    GREETING = auto()
    UP = auto()


class _Input(Enum):
    WIRE_OPENED = auto()
    WIRE_CLOSED = auto()
    SESSION_AGREED = auto()
    SESSION_ENDED = auto()


_MOVES = {
    (LinkState.CLOSED, _Input.WIRE_OPENED): LinkState.GREETING,
    (LinkState.CLOSED, _Input.WIRE_CLOSED): LinkState.CLOSED,
    (LinkState.GREETING, _Input.WIRE_CLOSED): LinkState.CLOSED,
    (LinkState.UP, _Input.WIRE_CLOSED): LinkState.CLOSED,
    (LinkState.GREETING, _Input.SESSION_AGREED): LinkState.UP,
    (LinkState.UP, _Input.SESSION_ENDED): LinkState.GREETING,
}

_ACK = struct.Struct("<HBB")
"""session, credit, flags."""
_SESSION = struct.Struct("<H")
_ACK_GAP = 1
"""Flag of an ACK: a frame was lost or spoilt before one that came; the sender need not wait for its timeout."""
_FIRST_GREET_WAIT_MS = 400
_MAX_GREET_WAIT_MS = 2000
_RESET_EVERY_MS = 200
"""At most one RESET in this time in answer to frames of an unknown session: a storm must not cause a storm."""


class _Session:
    def __init__(self, number: int, limits: LinkLimits, peer_window: int, now_ms: int) -> None:
        self.number = number
        self.outgoing = SendWindow(number, limits.window, peer_window, limits.max_queue)
        self.incoming = ReceiveWindow(limits.window, limits.max_undone)
        self.heard_ms = now_ms
        self.probed_ms = now_ms
        self.silent_probes = 0


class Link:
    """One end of the wire.

    hello: who we are; a device has one, a host none. first_greeting: any number that differs between two starts of
    the device's program (random in a shell), so that a late answer to an earlier start is not taken for ours.
    """

    def __init__(
        self,
        role: Role,
        hello: Hello | None = None,
        limits: LinkLimits | None = None,
        first_greeting: int = 0,
    ) -> None:
        if (role is Role.DEVICE) != (hello is not None):
            raise ValueError("a device's link has a hello, a host's has none")
        self.role = role
        self.limits = limits or LinkLimits()
        self.counters = LinkCounters()
        self.decoder = FrameDecoder()
        self.state = LinkState.CLOSED
        self._hello = hello
        self._greeting_number = first_greeting % 65536
        self._greet_ms = 0
        self._greet_wait_ms = _FIRST_GREET_WAIT_MS
        self._asked: Greeting | None = None
        """Host: the greeting that waits for `admit`, or that the session in use came from."""
        self._session: _Session | None = None
        self._reset_ms: int | None = None
        self._ack_due = False
        self._nak_due = False
        self._out: list[bytes] = []

    # --- what the owner sees -------------------------------------------------------------------------------

    @property
    def session(self) -> int | None:
        session = self._session  # once: another thread may look while the owner's ends it
        return session.number if session else None

    @property
    def can_send(self) -> bool:
        session = self._session
        return session is not None and session.outgoing.can_push

    @property
    def unacked_messages(self) -> int:
        """Given to `send` and not yet acknowledged by the peer's link."""
        session = self._session
        return session.outgoing.unacked_messages if session else 0

    @property
    def undone_messages(self) -> int:
        """Handed out by `receive_data` and not yet `done`."""
        session = self._session
        return session.incoming.undone if session else 0

    @property
    def next_timeout_ms(self) -> int | None:
        """When `on_time` has work, None while the wire is closed."""
        if self._session is None:
            return None if self.state is LinkState.CLOSED else self._greet_ms
        probe_ms = self._probe_ms(self._session)
        deadline_ms = self._session.outgoing.deadline_ms
        return probe_ms if deadline_ms is None else min(probe_ms, deadline_ms)

    # --- what the owner does -------------------------------------------------------------------------------

    def open(self, now_ms: int) -> None:
        """The wire is open. Bytes of an earlier life of it are forgotten."""
        self._move(_Input.WIRE_OPENED)
        self.decoder.reset()
        self._out.clear()
        self._new_greeting(now_ms)

    def close(self) -> list[LinkEvent]:
        """The wire is gone. Closing twice is one closing."""
        events = self._drop_session(ResetReason.CLOSING)
        self._move(_Input.WIRE_CLOSED)
        self._out.clear()
        return events

    def send(self, message: bytes, now_ms: int) -> int:
        """Queues `message` for the session, gives its number. Raises LinkDownError, LinkBusyError, MessageTooLongError."""
        if self._session is None:
            raise LinkDownError("no session: wait for SessionUp")
        number = self._session.outgoing.push(message)
        self._pump(self._session, now_ms)
        return number

    def send_log(self, text: bytes) -> None:
        """Device: prints a line at the host, as far as the wire allows."""
        self._put(FrameType.LOG, 0, text[:MAX_PAYLOAD_BYTES])

    def done(self, count: int = 1) -> None:
        """`count` received messages are dealt with: gives the peer credit again."""
        if self._session is None:
            return
        self._session.incoming.done(count)
        if self._session.incoming.credit_is_news:
            self._put_ack(self._session)

    def admit(self, session: int, now_ms: int) -> list[LinkEvent]:
        """Host: accepts the device that greeted last. session: 1..65535, other than the last ones of this wire.

        Gives SessionUp, or nothing when no HELLO waits for an answer.
        """
        if self._asked is None or self.state is not LinkState.GREETING:
            return []  # what asked has gone, or asked for something else since
        self._start_session(session, self._asked.window, now_ms)
        self._put_hello_ack(self._asked.number, session)
        return [SessionUp(session)]

    def refuse(self, now_ms: int) -> None:
        """Host: the device that greeted last gets no session; it asks again later."""
        self._asked = None
        self._put(FrameType.RESET, 0, reset_to_bytes(Reset(0, ResetReason.REFUSED)))
        self._greet_ms = now_ms + self.limits.refused_wait_ms + _MAX_GREET_WAIT_MS

    def end_session(self, reason: ResetReason, now_ms: int) -> list[LinkEvent]:
        """Drops the session and says so to the peer; greeting starts anew."""
        if self._session is None:
            return []
        self._put(FrameType.RESET, 0, reset_to_bytes(Reset(self._session.number, reason)))
        events = self._drop_session(reason)
        self._move(_Input.SESSION_ENDED)
        self._new_greeting(now_ms)
        return events

    def receive_data(self, data: bytes, now_ms: int) -> list[LinkEvent]:
        """What the bytes bring about. Never raises, whatever they are."""
        events: list[LinkEvent] = []
        for item in self.decoder.receive_data(data):
            if isinstance(item, BadFrame):
                self._nak_due = True
                continue
            try:
                self._on_frame(item, now_ms, events)
            except PeerError:
                self.counters.peer_errors += 1
                events += self.end_session(ResetReason.PROTOCOL, now_ms)
        session = self._session
        if session is not None:
            if self._ack_due or self._nak_due:
                self._put_ack(session)
            self._pump(session, now_ms)
        self._ack_due = self._nak_due = False
        return events

    def on_time(self, now_ms: int) -> list[LinkEvent]:
        """Resends, probes and greetings that are due. Early or late calls are harmless."""
        session = self._session
        if session is None:
            if self.state is LinkState.GREETING and now_ms >= self._greet_ms:
                self._greet(now_ms)
            return []
        deadline_ms = session.outgoing.deadline_ms
        if deadline_ms is not None and now_ms >= deadline_ms:
            if session.outgoing.worst_tries >= self.limits.max_tries:
                return self.end_session(ResetReason.UNANSWERED, now_ms)
            self._put_data_again(session.outgoing.on_timeout(now_ms))
        if now_ms >= self._probe_ms(session):
            if session.silent_probes >= self.limits.max_silent_probes:
                return self.end_session(ResetReason.SILENT, now_ms)
            session.silent_probes += 1
            session.probed_ms = now_ms
            self._put(FrameType.PING, 0, _SESSION.pack(session.number))
        return []

    def frames_to_send(self) -> list[bytes]:
        """The frames to write now, each whole; the next call gives only newer ones."""
        frames, self._out = self._out, []
        return frames

    def data_to_send(self) -> bytes:
        """`frames_to_send` in one piece."""
        return b"".join(self.frames_to_send())

    # --- frames in -----------------------------------------------------------------------------------------

    def _on_frame(self, frame: Frame, now_ms: int, events: list[LinkEvent]) -> None:
        if frame.type is FrameType.DATA:
            self._on_data(frame, now_ms, events)
        elif frame.type is FrameType.ACK:
            self._on_ack(frame, now_ms, events)
        elif frame.type is FrameType.PING:
            if self._session_of(frame, _SESSION.size, now_ms) is not None:
                self._ack_due = True
        elif frame.type is FrameType.HELLO:
            self._on_hello(frame, now_ms, events)
        elif frame.type is FrameType.HELLO_ACK:
            self._on_hello_ack(frame, now_ms, events)
        elif frame.type is FrameType.RESET:
            self._on_reset(reset_from_bytes(frame.payload), now_ms, events)
        else:
            events.append(LogReceived(frame.payload))

    def _on_data(self, frame: Frame, now_ms: int, events: list[LinkEvent]) -> None:
        session = self._session_of(frame, DATA_HEAD.size, now_ms)
        if session is None:
            self.counters.data_stale += 1
            return
        flags = DataFlag(frame.payload[2] & 3)
        arrival = session.incoming.receive(frame.seq, flags, frame.payload[DATA_HEAD.size :])
        self._ack_due = True
        if arrival is Arrival.DUPLICATE:
            self.counters.data_duplicate += 1
        elif arrival is Arrival.OUT_OF_WINDOW:
            self.counters.data_out_of_window += 1
        else:
            self.counters.data_accepted += 1
            events += [MessageReceived(body) for body in session.incoming.take_messages()]

    def _on_ack(self, frame: Frame, now_ms: int, events: list[LinkEvent]) -> None:
        session = self._session_of(frame, _ACK.size, now_ms)
        if session is None:
            return
        _, credit, flags = _ACK.unpack_from(frame.payload)
        events += [MessageAcked(number) for number in session.outgoing.on_ack(frame.seq, credit, now_ms)]
        if flags & _ACK_GAP:
            self._put_data_again(session.outgoing.on_gap(now_ms))

    def _on_hello(self, frame: Frame, now_ms: int, events: list[LinkEvent]) -> None:
        if self.role is not Role.HOST or self.state is LinkState.CLOSED:
            return
        greeting = greeting_from_bytes(frame.payload)
        if self._session is not None:
            same = self._asked is not None and self._asked.number == greeting.number
            if same and self._asked is not None and self._asked.hello.boot_id == greeting.hello.boot_id:
                self._put_hello_ack(greeting.number, self._session.number)  # our answer was lost
                return
            events += self._drop_session(ResetReason.NO_SESSION)
            self._move(_Input.SESSION_ENDED)
        self._asked = greeting
        self._schedule_greeting(now_ms)
        events[:] = [
            event for event in events if not isinstance(event, HelloReceived)
        ]  # only the last one counts
        events.append(HelloReceived(greeting.hello))

    def _on_hello_ack(self, frame: Frame, now_ms: int, events: list[LinkEvent]) -> None:
        ack = hello_ack_from_bytes(frame.payload)
        if (
            self.role is Role.DEVICE
            and self.state is LinkState.GREETING
            and ack.number == self._greeting_number
        ):
            self._start_session(ack.session, ack.window, now_ms)
            events.append(SessionUp(ack.session))

    def _on_reset(self, reset: Reset, now_ms: int, events: list[LinkEvent]) -> None:
        if self._session is not None:
            if reset.session not in (0, self._session.number):
                return
            events += self._drop_session(reset.reason)
            self._move(_Input.SESSION_ENDED)
            self._new_greeting(
                now_ms, greet=self.role is Role.DEVICE and reset.reason is not ResetReason.REFUSED
            )
        elif (
            self.role is Role.DEVICE
            and self.state is LinkState.GREETING
            and reset.reason is not ResetReason.REFUSED
        ):
            self._greet(now_ms)
        if reset.reason is ResetReason.REFUSED:
            self._greet_ms = now_ms + self.limits.refused_wait_ms

    def _session_of(self, frame: Frame, min_bytes: int, now_ms: int) -> _Session | None:
        """The session that the frame belongs to; None, and perhaps a RESET to its sender, when that is not ours."""
        if len(frame.payload) < min_bytes:
            raise PeerError(f"{frame.type.name} is too short")
        (number,) = _SESSION.unpack_from(frame.payload)
        if self._session is not None and self._session.number == number:
            self._session.heard_ms = now_ms
            self._session.silent_probes = 0
            return self._session
        quiet = self._reset_ms is None or now_ms - self._reset_ms >= _RESET_EVERY_MS
        if self.role is Role.HOST and self.state is not LinkState.CLOSED and quiet:
            self._reset_ms = now_ms
            self._put(FrameType.RESET, 0, reset_to_bytes(Reset(number, ResetReason.NO_SESSION)))
        return None

    # --- sessions ------------------------------------------------------------------------------------------

    def _start_session(self, number: int, peer_window: int, now_ms: int) -> None:
        self._move(_Input.SESSION_AGREED)
        self._session = _Session(number, self.limits, peer_window, now_ms)
        self.counters.sessions += 1

    def _drop_session(self, reason: ResetReason) -> list[LinkEvent]:
        session, self._session = self._session, None
        self._ack_due = self._nak_due = False
        self._asked = None
        return [] if session is None else [SessionDown(reason, session.outgoing.unacked_messages)]

    def _new_greeting(self, now_ms: int, *, greet: bool = True) -> None:
        self._asked = None
        self._greeting_number = (self._greeting_number + 1) % 65536
        self._greet_wait_ms = _FIRST_GREET_WAIT_MS
        self._greet_ms = now_ms
        if greet:
            self._greet(now_ms)

    def _greet(self, now_ms: int) -> None:
        """Device: HELLO. Host: asks for one."""
        if self._hello is None:
            self._put(FrameType.RESET, 0, reset_to_bytes(Reset(0, ResetReason.NO_SESSION)))
        else:
            greeting = Greeting(self._hello, self._greeting_number, self._first_credit)
            self._put(FrameType.HELLO, 0, greeting_to_bytes(greeting))
        self._schedule_greeting(now_ms)

    def _schedule_greeting(self, now_ms: int) -> None:
        self._greet_ms = now_ms + self._greet_wait_ms
        self._greet_wait_ms = min(self._greet_wait_ms * 2, _MAX_GREET_WAIT_MS)

    def _move(self, given: _Input) -> None:
        following = _MOVES.get((self.state, given))
        if following is None:
            raise ImpossibleMoveError(f"{given.name} in state {self.state.name}")
        self.state = following

    def _probe_ms(self, session: _Session) -> int:
        urgent = session.silent_probes > 0 or session.outgoing.blocked
        wait_ms = self.limits.probe_ms if urgent else self.limits.idle_ms
        return max(session.heard_ms, session.probed_ms) + wait_ms

    # --- frames out ----------------------------------------------------------------------------------------

    @property
    def _first_credit(self) -> int:
        return min(self.limits.window, self.limits.max_undone)

    def _pump(self, session: _Session, now_ms: int) -> None:
        frames = session.outgoing.frames_to_send(now_ms)
        self._out += frames
        self.counters.data_sent += len(frames)

    def _put_data_again(self, frames: list[bytes]) -> None:
        self._out += frames
        self.counters.data_sent += len(frames)
        self.counters.data_resent += len(frames)

    def _put_ack(self, session: _Session) -> None:
        next_seq, credit = session.incoming.announce()
        flags = _ACK_GAP if self._nak_due or session.incoming.has_gap else 0
        self._put(FrameType.ACK, next_seq, _ACK.pack(session.number, credit, flags))

    def _put_hello_ack(self, number: int, session: int) -> None:
        self._put(FrameType.HELLO_ACK, 0, hello_ack_to_bytes(HelloAck(number, session, self._first_credit)))

    def _put(self, frame_type: FrameType, seq: int, payload: bytes) -> None:
        self._out.append(frame_to_bytes(Frame(frame_type, seq, payload)))
