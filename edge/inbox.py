"""What has come from the broker and is not taken up yet: bounded, between the intake's thread and the loop's."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

Arrival: TypeAlias = tuple[str, bytes, int, int]
"""(topic, payload, message id, connection). Id 0: nobody waits for an acknowledgement."""


class Inbox:
    """Bounded by messages, and what one read more brings. Two threads: one puts and never waits, it asks `is_full` first;
    one takes.
    """

    def __init__(self, max_messages: int, on_room: Callable[[], None] = lambda: None) -> None:
        self._max_messages = max_messages
        self._messages: deque[Arrival] = deque()
        self._news = threading.Condition()
        self._on_room = on_room
        self._was_full = False
        self.is_urgent = False
        """A message lies here that should not wait for company."""

    def __len__(self) -> int:
        return len(self._messages)

    def qsize(self) -> int:
        return len(self._messages)

    def is_full(self) -> bool:
        """From then on whoever puts is called by `on_room` when there is room again."""
        with self._news:
            self._was_full = len(self._messages) >= self._max_messages
            return self._was_full

    def put(self, messages: Iterable[Arrival], *, urgent: bool) -> None:
        with self._news:
            self._messages.extend(messages)
            self.is_urgent |= urgent
            self._news.notify()

    def wait(self, wait_s: float) -> bool:
        """Until a message is there, at most `wait_s`; whether one is."""
        if self._messages or wait_s <= 0:
            return bool(self._messages)
        with self._news:
            return self._news.wait_for(lambda: bool(self._messages), wait_s)

    def take(self, max_messages: int) -> list[Arrival]:
        """The oldest messages."""
        with self._news:
            messages = self._messages
            taken = [messages.popleft() for _ in range(min(max_messages, len(messages)))]
            if not messages:
                self.is_urgent = False
            has_room_again = self._was_full and len(messages) < self._max_messages
            if has_room_again:
                self._was_full = False
        if has_room_again:
            self._on_room()
        return taken
