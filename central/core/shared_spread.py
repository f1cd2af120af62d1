"""How much of what forecasts miss SKUs and shops of a region miss together, from weeks that are over.

A sum of many SKUs is surer than one of them only as far as they miss by themselves; weather, holidays and the model's own bias they
share. With s_i the spread that a forecast told of SKU i, the variance of what a week's sum misses is

    e² ~ (1 - shared) * sum(s_i^2) + shared * sum(s_i)^2

so that y = (e² - sum(s_i^2)) / sum(s_i)^2 is `shared` times x = 1 - sum(s_i^2) / sum(s_i)^2 on average: a line through zero, fitted to all
categories' weeks, with PRIOR as if PRIOR_WEEKS weeks had said so. Too narrow forecasts make it larger, and intervals wider.
"""

from collections.abc import Iterable
from dataclasses import dataclass

PRIOR, PRIOR_WEEKS = 0.1, 4.0
"""Taken where nothing is known, and its weight: a region with a dozen categories has as much after one more week."""
MAX_MISS = 9.0
"""Of e² against its largest variance: one week in which all went wrong does not stand for all."""


@dataclass(slots=True)
class PastWeek:
    """Sums over the SKUs of a category in one week: sold less expected, told spreads, and their squares."""

    missed_units: float = 0.0
    spread_sum: float = 0.0
    spread_squares: float = 0.0

    def add(self, missed_units: float, spread_units: float) -> None:
        self.missed_units += missed_units
        self.spread_sum += spread_units
        self.spread_squares += spread_units**2

    def merge(self, other: "PastWeek") -> None:
        self.missed_units += other.missed_units
        self.spread_sum += other.spread_sum
        self.spread_squares += other.spread_squares


def shared_of(weeks: Iterable[PastWeek]) -> float:
    """The share of variance in common, in [0, 1]. A week of one SKU says nothing of it."""
    said, weight = PRIOR * PRIOR_WEEKS, PRIOR_WEEKS
    for week in weeks:
        together = week.spread_sum**2
        if together <= 0:
            continue
        alone = week.spread_squares / together
        x = 1 - alone
        y = min(week.missed_units**2 / together, MAX_MISS) - alone
        said += x * y
        weight += x * x
    return min(max(said / weight, 0.0), 1.0)
