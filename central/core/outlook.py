"""Categories in demand: forecasts of the coming week against the same weekdays before, with what chance alone would do.

Expected is the sum of the forecasts' means over SKUs and days. Its spread: the days of one SKU move together (a forecast that
is too high on Monday is so on Tuesday), SKUs and shops share a part of their variance (weather, holidays, the model's own bias:
`shared_spread` measures it) and are independent otherwise:

    variance = (1 - shared) * sum(s_i^2) + shared * sum(s_i)^2      s_i = sum over days of (q90 - q10) / (2 z)

Usual is what the same weekdays sold, a mean over the weeks that were heard, WEEKS at most, and so uncertain itself: a count's
variance, of each weekday its mean over the number of its days. Below MIN_DAYS heard there is no verdict.
"""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from central.core.shared_spread import PRIOR

DAYS, WEEKS = 7, 4
MIN_DAYS = 14
"""Of history heard, two weeks: with less, one odd day is a weekday's whole past."""
Z_80 = 1.2816
"""Of a normal distribution: 80 % lie within +- z, and q90 lies z above the mean."""
DRIVERS = 5
MIN_UNITS = 20.0
"""Below it, expected and usual, a category has no verdict: a handful is chance."""


@dataclass(frozen=True, slots=True)
class SkuOutlook:
    """spread_units: the standard deviation of the sum over the days. usual_variance: of usual_units, None: a mean over WEEKS weeks.

    days_compared: of DAYS, those whose weekday was heard before; all sums are of these. is_young: too little was heard to compare.
    """

    store: str
    sku: str
    category: str
    expected_units: float
    usual_units: float
    spread_units: float
    usual_variance: float | None = None
    days_compared: int = DAYS
    is_young: bool = False


def spread_of(quantiles: Sequence[Sequence[float]], low: int, high: int) -> float:
    """quantiles: a row a day. low, high: the places of q10 and q90 in it."""
    return sum(max(0.0, day[high] - day[low]) for day in quantiles) / (2 * Z_80)


@dataclass(slots=True)
class CategorySum:
    """What one shop, or many together, expect of a category. shared: of the variance, what SKUs and shops have in common."""

    expected_units: float = 0.0
    usual_units: float = 0.0
    spread_sum: float = 0.0
    spread_squares: float = 0.0
    usual_variance: float = 0.0
    skus: int = 0
    days_compared: int = DAYS
    is_young: bool = False
    shared: float = PRIOR
    stores: set[str] = field(default_factory=set)
    up: list[SkuOutlook] = field(default_factory=list)
    down: list[SkuOutlook] = field(default_factory=list)
    """Those that carry a rise, and a fall, most; DRIVERS at most."""

    def add(self, one: SkuOutlook) -> None:
        self.expected_units += one.expected_units
        self.usual_units += one.usual_units
        self.spread_sum += one.spread_units
        self.spread_squares += one.spread_units**2
        self.usual_variance += one.usual_units / WEEKS if one.usual_variance is None else one.usual_variance
        self.days_compared = min(self.days_compared, one.days_compared)
        self.is_young = self.is_young or one.is_young
        self.skus += 1
        self.stores.add(one.store)
        self._carry([one], [one])

    def merge(self, other: "CategorySum") -> None:
        self.expected_units += other.expected_units
        self.usual_units += other.usual_units
        self.spread_sum += other.spread_sum
        self.spread_squares += other.spread_squares
        self.usual_variance += other.usual_variance
        self.days_compared = min(self.days_compared, other.days_compared)
        self.is_young = self.is_young or other.is_young
        self.skus += other.skus
        self.stores |= other.stores
        self._carry(other.up, other.down)

    def _carry(self, up: Iterable[SkuOutlook], down: Iterable[SkuOutlook]) -> None:
        self.up = heapq.nlargest(DRIVERS, [*self.up, *up], key=_rise)
        self.down = heapq.nsmallest(DRIVERS, [*self.down, *down], key=_rise)

    @property
    def spread_units(self) -> float:
        return math.sqrt((1 - self.shared) * self.spread_squares + self.shared * self.spread_sum**2)

    @property
    def interval(self) -> tuple[float, float]:
        """80 %: low, high."""
        reach = Z_80 * self.spread_units
        return max(0.0, self.expected_units - reach), self.expected_units + reach

    @property
    def verdict(self) -> str:
        """hot, cool or usual; unknown where too little was heard to say."""
        if self.is_young:
            return "unknown"
        if max(self.expected_units, self.usual_units) < MIN_UNITS:
            return "usual"
        reach = Z_80 * math.sqrt(self.spread_units**2 + self.usual_variance)
        rise = self.expected_units - self.usual_units
        return "hot" if rise > reach else "cool" if rise < -reach else "usual"

    @property
    def drivers(self) -> list[SkuOutlook]:
        """Those that carry what the verdict says; of a usual category those that rise."""
        found = self.down if self.verdict == "cool" else self.up
        return [one for one in found if (_rise(one) < 0) == (self.verdict == "cool") and _rise(one) != 0]


def sums_of(outlooks: Iterable[SkuOutlook]) -> dict[str, CategorySum]:
    found: dict[str, CategorySum] = {}
    for one in outlooks:
        found.setdefault(one.category, CategorySum()).add(one)
    return found


def _rise(one: SkuOutlook) -> float:
    return one.expected_units - one.usual_units
