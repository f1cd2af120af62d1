"""Waits until a step of the simulation has been passed on to its last consumer.

Work flows shop → bridge → edge → central → systems outside → central → edge, so the stages are asked in that order,
and once more after a round in which any had work: quiet is when a whole round finds nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

FIRST_WAIT_S, LAST_WAIT_S = 0.004, 0.02


class Stage(Protocol):
    """One process, or the devices of one shop."""

    name: str

    def busy(self, until_ms: int) -> str:
        """What it still has to do for business time `until_ms`, "" when nothing."""
        ...


class StuckError(Exception):
    """A stage did not become quiet in time; the message names it and what it holds."""


@dataclass(frozen=True, slots=True)
class StageGroup:
    """Stages that work side by side. label: for the latencies of a step, "" for none."""

    label: str
    stages: Sequence[Stage]


class Quiet:
    """limit_s: real time after which a busy stage counts as stuck. on_wait: called between looks (kills, checks, progress)."""

    def __init__(
        self, groups: Sequence[StageGroup], on_wait: Callable[[], None], limit_s: float = 90.0
    ) -> None:
        self._groups, self._on_wait, self._limit_s = groups, on_wait, limit_s

    def wait(self, until_ms: int) -> dict[str, float]:
        """Seconds from now until each group was first seen quiet. Raises StuckError."""
        began_s = time.monotonic()
        seen_quiet_s: dict[str, float] = {}
        while True:
            busy = False
            for group in self._groups:
                busy |= self._wait_for(group, until_ms, began_s)
                if group.label:
                    seen_quiet_s.setdefault(group.label, time.monotonic() - began_s)
            if not busy:
                return seen_quiet_s

    def _wait_for(self, group: StageGroup, until_ms: int, began_s: float) -> bool:
        """Whether any stage of the group had work."""
        had_work = False
        for stage in group.stages:
            wait_s = FIRST_WAIT_S
            while what := stage.busy(until_ms):
                had_work = True
                if time.monotonic() - began_s > self._limit_s:
                    raise StuckError(f"{stage.name} is not quiet after {self._limit_s:.0f} s: {what}")
                self._on_wait()
                time.sleep(wait_s)
                wait_s = min(wait_s * 1.5, LAST_WAIT_S)
        self._on_wait()
        return had_work
