"""The receiving half of a session: frames in any order in, whole messages in order out, bounded by credit."""

from enum import Enum, auto

from firmware_bridge.core.errors import PeerError
from firmware_bridge.core.frame import SEQ_COUNT
from firmware_bridge.core.send_window import MAX_MESSAGE_BYTES, DataFlag


class Arrival(Enum):
    ACCEPTED = auto()
    DUPLICATE = auto()
    OUT_OF_WINDOW = auto()


class ReceiveWindow:
    """max_undone: messages handed out and not yet reported as `done`; the credit closes there."""

    def __init__(self, window: int, max_undone: int) -> None:
        self._window = window
        self._max_undone = max_undone
        self._next = 0
        self._held: dict[int, tuple[DataFlag, bytes]] = {}
        self._parts: list[bytes] = []
        self._part_bytes = 0
        self._undone = 0
        self._announced_edge = min(window, max_undone)

    @property
    def next_seq(self) -> int:
        return self._next % SEQ_COUNT

    @property
    def undone(self) -> int:
        return self._undone

    @property
    def has_gap(self) -> bool:
        """A later frame is here, an earlier one is not."""
        return bool(self._held)

    @property
    def credit_is_news(self) -> bool:
        """The peer has little credit left and would get much more: worth an acknowledgement of its own."""
        enough = max(1, self._window // 2)
        left = self._announced_edge - self._next
        return left < enough and self._next + self._credit() - self._announced_edge >= min(
            enough, self._max_undone
        )

    def receive(self, seq: int, flags: DataFlag, content: bytes) -> Arrival:
        """Takes one frame; `take_messages` then gives what it completed."""
        ahead = (seq - self._next) % SEQ_COUNT
        if ahead >= SEQ_COUNT // 2:
            return Arrival.DUPLICATE
        place = self._next + ahead
        if place >= self._announced_edge:
            return Arrival.OUT_OF_WINDOW
        if place in self._held:
            return Arrival.DUPLICATE
        self._held[place] = (flags, content)
        return Arrival.ACCEPTED

    def take_messages(self) -> list[bytes]:
        """Whole messages, in order. Raises PeerError when parts do not join or grow past the limit."""
        messages: list[bytes] = []
        while self._next in self._held:
            flags, content = self._held.pop(self._next)
            self._next += 1
            if bool(flags & DataFlag.FIRST) == bool(self._parts):
                raise PeerError("the parts of a message do not join")
            self._parts.append(content)
            self._part_bytes += len(content)
            if self._part_bytes > MAX_MESSAGE_BYTES:
                raise PeerError(f"a message grew past {MAX_MESSAGE_BYTES} bytes")
            if flags & DataFlag.LAST:
                messages.append(b"".join(self._parts))
                self._parts, self._part_bytes = [], 0
        self._undone += len(messages)
        return messages

    def done(self, count: int) -> None:
        """`count` messages that were handed out are dealt with."""
        self._undone = max(0, self._undone - count)

    def announce(self) -> tuple[int, int]:
        """(next sequence number expected, frames that may come from there on), as an acknowledgement says it."""
        edge = max(self._announced_edge, self._next + self._credit())
        self._announced_edge = edge
        return self.next_seq, edge - self._next

    def _credit(self) -> int:
        return max(0, min(self._window, self._max_undone - self._undone))
