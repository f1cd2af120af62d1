"""A broker's client in memory, for tests. tests/contracts holds it to what the real one does."""

import queue
from collections.abc import Callable


class NarrowBroker:
    """Holds `room` unconfirmed messages, then refuses. `messages`: (topic, payload, retain), all that it took."""

    def __init__(self, room: int, on_published: Callable[[int], None] = lambda mid: None) -> None:
        self.room = room
        self.messages: list[tuple[str, bytes, bool]] = []
        self._on_published, self._waiting = on_published, []

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        if len(self._waiting) >= self.room:
            raise queue.Full
        self.messages.append((topic, payload, retain))
        self._waiting.append(len(self.messages))
        return len(self.messages)

    def confirm(self) -> None:
        """As when the broker answers."""
        waiting, self._waiting = self._waiting, []
        for mid in waiting:
            self._on_published(mid)
