"""How sure a difference of two models is that were scored on the same days."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_T_975 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10,
          2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04)  # fmt: skip
"""Student's t, 97.5 %, of 1, 2, … degrees of freedom; beyond thirty the normal's 1.96 is near enough."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate less current, in percent of the current one; low, high: the central 95 % over other days."""

    percent: float
    low: float
    high: float

    @property
    def is_better(self) -> bool:
        return self.high < 0

    @property
    def is_worse(self) -> bool:
        return self.low > 0


def difference(days: Sequence[tuple[float, float]]) -> Difference | None:
    """days: (current's loss, candidate's) of each day, both of the same SKUs. None of fewer than two days, or without loss.

    A ratio of sums, paired by day: what makes a day hard for both does not count. Its variance is that of the days'
    residuals (Cochran 1977, Sampling Techniques, section 6.4), Student's t for few days.
    """
    current = sum(pair[0] for pair in days)
    if len(days) < 2 or current <= 0:
        return None
    ratio = sum(mine - theirs for theirs, mine in days) / current
    squares = sum((mine - theirs - ratio * theirs) ** 2 for theirs, mine in days)
    free = len(days) - 1
    error = math.sqrt(len(days) / free * squares) / current
    reach = error * (_T_975[free - 1] if free <= len(_T_975) else 1.96)
    return Difference(100 * ratio, 100 * (ratio - reach), 100 * (ratio + reach))
