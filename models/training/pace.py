"""How far a long step is, told every few seconds and not more often."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_EVERY_S = 5.0


@dataclass(slots=True)
class Pace:
    """say gets "what: done of total unit", never within the first seconds: short steps pass without a word."""

    say: Callable[[str], None]
    what: str
    total: int
    unit: str
    clock: Callable[[], float] = time.monotonic
    _told_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._told_at = self.clock()

    def at(self, done: int) -> None:
        """`done` of the total are done."""
        now = self.clock()
        if now - self._told_at >= _EVERY_S and done < self.total:
            self._told_at = now
            self.say(f"{self.what}: {done} of {self.total} {self.unit}")
