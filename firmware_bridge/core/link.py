"""A reliable link over a lossy serial wire: one machine, used by the bridge (host) and by the device.

State      input            next state
CLOSED     wire opened      GREETING    device sends HELLO, host sends RESET ("say HELLO")
GREETING   session agreed   UP          host answered HELLO with HELLO_ACK; device got the HELLO_ACK
UP         session ended    GREETING    RESET, a new HELLO, no answer to resends or PINGs, a broken rule
any        wire closed      CLOSED

Times are real milliseconds of any monotonic clock. Nothing here waits: call `on_time` at `next_timeout_ms`, and
write `data_to_send` after every call.
"""

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
    SessionDown,
    SessionUp,
)
from firmware_bridge.core.link_session import SESSION_HEAD, Session
from firmware_bridge.core.send_window import DATA_HEAD


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

_FIRST_GREET_WAIT_MS = 400
_MAX_GREET_WAIT_MS = 2000
_RESET_EVERY_MS = 200
"""At most one RESET in this time in answer to frames of an unknown session: a storm must not cause a storm."""
_GREETING_COUNT = 65_536


class Link:
    """One end of the wire.

    hello: who we are; a device has one, a host none. first_greeting: any number that differs between two starts of
    the device's program (random in a shell), so that a late answer to an earlier start is not taken for ours.
    One thread calls; another may look at the properties.
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
        self._greeting_number = first_greeting % _GREETING_COUNT
        self._greet_ms = 0
        self._greet_wait_ms = _FIRST_GREET_WAIT_MS
        self._asked: Greeting | None = None
        """Host: the greeting that waits for `admit`, or that the session in use came from."""
        self._session: Session | None = None
        self._reset_ms: int | None = None
        self._out: list[bytes] = []

    # --- what the owner sees -------------------------------------------------------------------------------

    @property
    def session(self) -> int | None:
        session = self._session  # once: another thread may look while the owner's ends it
        return session.number if session else None

    @property
    def can_send(self) -> bool:
        session = self._session
        return session is not None and session.can_send

    @property
    def unacked_messages(self) -> int:
        """Given to `send` and not yet acknowledged by the peer's link."""
        session = self._session
        return session.unacked_messages if session else 0

    @property
    def undone_messages(self) -> int:
        """Handed out by `receive_data` and not yet `done`."""
        session = self._session
        return session.undone_messages if session else 0

    @property
    def next_timeout_ms(self) -> int | None:
        """When `on_time` has work, None while the wire is closed."""
        if self._session is not None:
            return self._session.next_timeout_ms
        return None if self.state is LinkState.CLOSED else self._greet_ms

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
        return self._session.send(message, now_ms)

    def send_log(self, text: bytes) -> None:
        """Device: prints a line at the host, as far as the wire allows."""
        self._put(FrameType.LOG, text[:MAX_PAYLOAD_BYTES])

    def done(self, count: int = 1) -> None:
        """`count` received messages are dealt with: gives the peer credit again."""
        if self._session is not None:
            self._session.done(count)

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
        self._put_reset(0, ResetReason.REFUSED)
        self._greet_ms = now_ms + self.limits.refused_wait_ms + _MAX_GREET_WAIT_MS

    def end_session(self, reason: ResetReason, now_ms: int) -> list[LinkEvent]:
        """Drops the session and says so to the peer; greeting starts anew."""
        if self._session is None:
            return []
        self._put_reset(self._session.number, reason)
        return self._back_to_greeting(reason, now_ms)

    def receive_data(self, data: bytes, now_ms: int) -> list[LinkEvent]:
        """What the bytes bring about. Never raises, whatever they are."""
        events: list[LinkEvent] = []
        spoilt = owes_ack = False
        for item in self.decoder.receive_data(data):
            if isinstance(item, BadFrame):
                spoilt = True
                continue
            owes_ack = owes_ack or item.type in (FrameType.DATA, FrameType.PING)
            try:
                self._on_frame(item, now_ms, events)
            except PeerError:
                self.counters.peer_errors += 1
                events += self.end_session(ResetReason.PROTOCOL, now_ms)
        if self._session is not None:
            if owes_ack or spoilt:
                self._session.acknowledge(spoilt=spoilt)
            self._session.pump(now_ms)
        return events

    def on_time(self, now_ms: int) -> list[LinkEvent]:
        """Resends, probes and greetings that are due. Early or late calls are harmless."""
        if self._session is not None:
            reason = self._session.on_time(now_ms)
            return [] if reason is None else self.end_session(reason, now_ms)
        if self.state is LinkState.GREETING and now_ms >= self._greet_ms:
            self._greet(now_ms)
        return []

    def frames_to_send(self) -> list[bytes]:
        """The frames to write now, each whole; the next call gives only newer ones."""
        frames = self._out.copy()
        self._out.clear()
        return frames

    def data_to_send(self) -> bytes:
        """`frames_to_send` in one piece."""
        return b"".join(self.frames_to_send())

    # --- frames in -----------------------------------------------------------------------------------------

    def _on_frame(self, frame: Frame, now_ms: int, events: list[LinkEvent]) -> None:
        match frame.type:
            case FrameType.DATA:
                session = self._session_of(frame, DATA_HEAD.size, now_ms)
                if session is None:
                    self.counters.data_stale += 1
                else:
                    events += session.on_data(frame)
            case FrameType.ACK:
                session = self._session_of(frame, SESSION_HEAD.size, now_ms)
                if session is not None:
                    events += session.on_ack(frame, now_ms)
            case FrameType.PING:
                self._session_of(frame, SESSION_HEAD.size, now_ms)
            case FrameType.HELLO:
                self._on_hello(frame, now_ms, events)
            case FrameType.HELLO_ACK:
                self._on_hello_ack(frame, now_ms, events)
            case FrameType.RESET:
                self._on_reset(reset_from_bytes(frame.payload), now_ms, events)
            case FrameType.LOG:
                events.append(LogReceived(frame.payload))

    def _session_of(self, frame: Frame, min_bytes: int, now_ms: int) -> Session | None:
        """The session that the frame belongs to; None, and perhaps a RESET to its sender, when that is not ours."""
        if len(frame.payload) < min_bytes:
            raise PeerError(f"{frame.type.name} is too short")
        (number,) = SESSION_HEAD.unpack_from(frame.payload)
        if self._session is not None and self._session.number == number:
            self._session.heard(now_ms)
            return self._session
        quiet = self._reset_ms is None or now_ms - self._reset_ms >= _RESET_EVERY_MS
        if self.role is Role.HOST and self.state is not LinkState.CLOSED and quiet:
            self._reset_ms = now_ms
            self._put_reset(number, ResetReason.NO_SESSION)
        return None

    def _on_hello(self, frame: Frame, now_ms: int, events: list[LinkEvent]) -> None:
        if self.role is not Role.HOST or self.state is LinkState.CLOSED:
            return
        greeting = greeting_from_bytes(frame.payload)
        if self._session is not None:
            if self._asked is not None and _same_try(self._asked, greeting):
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
        """A host waits for the HELLO that follows; a device greets at once, or after a while when it was refused."""
        refused = reset.reason is ResetReason.REFUSED
        may_greet = self.role is Role.DEVICE and not refused
        if self._session is not None:
            if reset.session not in (0, self._session.number):
                return
            events += self._back_to_greeting(reset.reason, now_ms, greet=may_greet)
        elif may_greet and self.state is LinkState.GREETING:
            self._greet(now_ms)
        if refused:
            self._greet_ms = now_ms + self.limits.refused_wait_ms

    # --- sessions and greetings ----------------------------------------------------------------------------

    def _start_session(self, number: int, peer_window: int, now_ms: int) -> None:
        self._move(_Input.SESSION_AGREED)
        self._session = Session(number, self.limits, peer_window, self.counters, self._out, now_ms)
        self.counters.sessions += 1

    def _drop_session(self, reason: ResetReason) -> list[LinkEvent]:
        session, self._session = self._session, None
        self._asked = None
        return [] if session is None else [SessionDown(reason, session.unacked_messages)]

    def _back_to_greeting(self, reason: ResetReason, now_ms: int, *, greet: bool = True) -> list[LinkEvent]:
        events = self._drop_session(reason)
        self._move(_Input.SESSION_ENDED)
        self._new_greeting(now_ms, greet=greet)
        return events

    def _new_greeting(self, now_ms: int, *, greet: bool = True) -> None:
        self._asked = None
        self._greeting_number = (self._greeting_number + 1) % _GREETING_COUNT
        self._greet_wait_ms = _FIRST_GREET_WAIT_MS
        self._greet_ms = now_ms
        if greet:
            self._greet(now_ms)

    def _greet(self, now_ms: int) -> None:
        """Device: HELLO. Host: asks for one."""
        if self._hello is None:
            self._put_reset(0, ResetReason.NO_SESSION)
        else:
            greeting = Greeting(self._hello, self._greeting_number, self._first_credit)
            self._put(FrameType.HELLO, greeting_to_bytes(greeting))
        self._schedule_greeting(now_ms)

    def _schedule_greeting(self, now_ms: int) -> None:
        self._greet_ms = now_ms + self._greet_wait_ms
        self._greet_wait_ms = min(self._greet_wait_ms * 2, _MAX_GREET_WAIT_MS)

    def _move(self, given: _Input) -> None:
        following = _MOVES.get((self.state, given))
        if following is None:
            raise ImpossibleMoveError(f"{given.name} in state {self.state.name}")
        self.state = following

    # --- frames out ----------------------------------------------------------------------------------------

    @property
    def _first_credit(self) -> int:
        return min(self.limits.window, self.limits.max_undone)

    def _put_hello_ack(self, number: int, session: int) -> None:
        self._put(FrameType.HELLO_ACK, hello_ack_to_bytes(HelloAck(number, session, self._first_credit)))

    def _put_reset(self, session: int, reason: ResetReason) -> None:
        self._put(FrameType.RESET, reset_to_bytes(Reset(session, reason)))

    def _put(self, frame_type: FrameType, payload: bytes) -> None:
        self._out.append(frame_to_bytes(Frame(frame_type, 0, payload)))


def _same_try(one: Greeting, other: Greeting) -> bool:
    return (one.number, one.hello.boot_id) == (other.number, other.hello.boot_id)
