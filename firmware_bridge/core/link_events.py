"""What a link tells its owner, and what bounds it."""

from dataclasses import dataclass

from firmware_bridge.core.frame import SEQ_COUNT
from firmware_bridge.core.hello import Hello, ResetReason


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """window: frames unacknowledged at once. max_undone: messages handed out and not yet reported `done`.

    max_queue: messages that wait to be sent. max_tries: sends of one frame before the session ends.
    idle_ms: silence after which a PING asks; probe_ms: between PINGs that are unanswered or ask for credit.
    max_silent_probes: unanswered PINGs before the session ends. refused_wait_ms: before a refused device asks again.
    """

    window: int = 8
    max_undone: int = 32
    max_queue: int = 64
    max_tries: int = 10
    idle_ms: int = 5000
    probe_ms: int = 1000
    max_silent_probes: int = 5
    refused_wait_ms: int = 5000

    def __post_init__(self) -> None:
        if not 1 <= self.window <= SEQ_COUNT // 4:
            raise ValueError(
                f"window is {self.window}; it must be 1..{SEQ_COUNT // 4}, so that old and new differ"
            )
        if not 1 <= self.max_undone <= 10_000:
            raise ValueError(f"max_undone is {self.max_undone}; it must be 1..10000")


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """Host: a device asks for a session; answer with `admit` or `refuse`."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class SessionUp:
    session: int


@dataclass(frozen=True, slots=True)
class SessionDown:
    """unacked_messages: messages given to `send` in this session whose arrival is not known. They are dropped."""

    reason: ResetReason
    unacked_messages: int


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """Owes a `done` when it is dealt with: until then it holds back credit."""

    body: bytes


@dataclass(frozen=True, slots=True)
class MessageAcked:
    """The peer's link has the message that `send` gave this number. Says nothing of what the peer did with it."""

    number: int


@dataclass(frozen=True, slots=True)
class LogReceived:
    """Text that the device printed. Not reliable, not in order with messages."""

    text: bytes


LinkEvent = HelloReceived | SessionUp | SessionDown | MessageReceived | MessageAcked | LogReceived


@dataclass(slots=True)
class LinkCounters:
    """Grow for the life of the link object. data_*: DATA frames alone; every send of one counts as sent."""

    data_sent: int = 0
    data_resent: int = 0
    data_accepted: int = 0
    data_duplicate: int = 0
    data_out_of_window: int = 0
    data_stale: int = 0
    peer_errors: int = 0
    sessions: int = 0
