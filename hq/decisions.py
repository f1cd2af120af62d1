"""Approvals and rejections with a moment to take them back before they go to the centre.

What is taken back never left. What is waiting when the process is killed is not sent: the orders go on waiting
for a person, which is the safe side; an orderly end sends it at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from hq.errors import HqError
from runtime.logs import Log

log = Log("hq.decisions")

MAX_PENDING = 50


@dataclass(slots=True)
class PendingDecision:
    """Some acts that go out together. done: (how many were accepted, the errors) when it is over."""

    what: str
    acts: list[Callable[[], Awaitable[object]]]
    keys: frozenset[str] = frozenset()
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    taken_back: bool = False
    sent: bool = False

    def take_back(self) -> bool:
        """Whether it was still time."""
        if self.sent:
            return False
        self.taken_back = True
        self.hurry.set()
        return True


class Decisions:
    """Holds each decision for `undo_s`, then sends it."""

    def __init__(self, undo_s: float) -> None:
        self._undo_s = undo_s
        self._pending: dict[asyncio.Task[None], PendingDecision] = {}

    @property
    def pending(self) -> int:
        return len(self._pending)

    def holds(self, key: str) -> bool:
        """Whether a decision on `key` is under way."""
        return any(key in decision.keys and not decision.taken_back for decision in self._pending.values())

    def start(
        self,
        what: str,
        acts: Mapping[str, Callable[[], Awaitable[object]]],
        when_done: Callable[[int, list[HqError]], None],
    ) -> PendingDecision:
        """acts: by what they decide on. when_done: gets how many the centre accepted, and what it refused; not called when taken back.

        Raises HqError when MAX_PENDING decisions wait already.
        """
        if len(self._pending) >= MAX_PENDING:
            raise HqError(
                what, f"{MAX_PENDING} decisions are on their way.", "Wait a few seconds and try again."
            )
        decision = PendingDecision(what, list(acts.values()), frozenset(acts))
        task = asyncio.create_task(self._send(decision, when_done))
        self._pending[task] = decision
        task.add_done_callback(lambda done: self._pending.pop(done, None))
        return decision

    async def _send(self, decision: PendingDecision, when_done: Callable[[int, list[HqError]], None]) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(decision.hurry.wait(), self._undo_s)
        if decision.taken_back:
            log.info("decision taken back", what=decision.what)
            return
        decision.sent = True
        accepted, refused = 0, []
        for act in decision.acts:
            try:
                await act()
                accepted += 1
            except HqError as error:
                refused.append(error)
        log.info("decision sent", what=decision.what, accepted=accepted, refused=len(refused))
        when_done(accepted, refused)

    async def flush(self) -> None:
        """Sends all that waits, now. For an orderly end."""
        waiting = list(self._pending)
        for decision in self._pending.values():
            decision.hurry.set()
        if waiting:
            await asyncio.wait(waiting, timeout=10)
