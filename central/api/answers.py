"""Brings what the writer's threads made to the event loop: many answers at one wake-up, as they come of one commit."""

import asyncio
from collections import deque
from typing import Any


class Answers:
    """Of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ready: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_woken = False

    def put(self, future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
        """From any thread."""
        self._ready.append((future, result, error))
        if not self._is_woken and not self.loop.is_closed():
            self._is_woken = True
            self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # First: what is put from here on wakes the loop again, or is found below.
        self._is_woken = False
        while self._ready:
            future, result, error = self._ready.popleft()
            if future.done():
                continue  # the sender went away
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class Answer:
    """One that is waited for: the writer settles it, the event loop awaits `future`."""

    __slots__ = ("_answers", "future")

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.future: asyncio.Future[Any] = answers.loop.create_future()

    def set_result(self, result: Any) -> None:
        self._answers.put(self.future, result, None)

    def set_exception(self, error: BaseException) -> None:
        self._answers.put(self.future, None, error)
