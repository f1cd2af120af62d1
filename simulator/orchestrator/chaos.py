"""Which process dies when: a seeded plan over the progress of the run, never over the wall clock."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MIN_KILLS = 20
KINDS = ("bridge", "broker", "edge", "central", "consumer")
FIRST_SHARE, LAST_SHARE = 0.02, 0.92
"""Of the run's receipts: the end is left to recovery, so that the books are closed by living processes."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Of process `name`, in the step in which receipt number `after_receipts` is rung.

    at_pending_share: when at most this share of the step's messages is unacknowledged; 1: while they are being sent.
    """

    name: str
    after_receipts: int
    at_pending_share: float


def plan_kills(
    seed: int, receipts: int, names_by_kind: Mapping[str, Sequence[str]], kills: int = MIN_KILLS
) -> list[Kill]:
    """`kills` kills in order: every kind equally often, spread over the run, the same for the same seed.

    receipts: how many the whole run will ring. names_by_kind: the processes of each kind.
    """
    rng = random.Random(seed)  # noqa: S311 - a plan to be repeated, no secret
    kinds = [kind for kind in KINDS if names_by_kind.get(kind)]
    order: list[str] = []
    while len(order) < kills:
        order.extend(rng.sample(kinds, len(kinds)))
    width = (LAST_SHARE - FIRST_SHARE) / kills
    return [
        Kill(
            name=rng.choice(names_by_kind[kind]),
            after_receipts=int(receipts * (FIRST_SHARE + width * (place + rng.random()))),
            at_pending_share=rng.choice((1.0, 0.75, 0.5, 0.25, 0.0)),
        )
        for place, kind in enumerate(order[:kills])
    ]


class Reaper:
    """Carries out a plan. `kill(name)` must end the process at once; whoever supervises brings it back."""

    def __init__(self, plan: Sequence[Kill], kill: Callable[[str], int]) -> None:
        self._plan = list(plan)
        self._kill = kill
        self._due: Kill | None = None
        self._most_pending = 0
        self.kills: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self.kills.values())

    @property
    def left(self) -> int:
        return len(self._plan) + (self._due is not None)

    def begin_step(self, receipts: int) -> None:
        """receipts: rung so far. At most one kill a step, so that each is followed by a recovery."""
        self._most_pending = 0
        if self._due is None and self._plan and self._plan[0].after_receipts <= receipts:
            self._due = self._plan.pop(0)

    def while_sending(self) -> None:
        if self._due is not None and self._due.at_pending_share >= 1.0:
            self._strike()

    def on_pending(self, pending: int) -> None:
        """pending: messages of the step that are unacknowledged now, in the shop that is looked at."""
        self._most_pending = max(self._most_pending, pending)
        if self._due is not None and pending <= self._due.at_pending_share * self._most_pending:
            self._strike()

    def _strike(self) -> None:
        assert self._due is not None
        # A process that is down already (its restart is under way) is struck at the next look.
        if self._kill(self._due.name):
            self.kills[self._due.name] = self.kills.get(self._due.name, 0) + 1
            self._due = None
