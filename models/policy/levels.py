"""Two levels and their exact cost: where the state is one number, ordering up to S at s or below is the best there is.

That is so where unmet demand waits (Scarf 1960), and where it is lost and an order serves the demand of its own period. With m the
renewal function of a period's demand and G(y) a period's cost with y units to meet it, an order up to S costs until the next one
K + sum of m(j) G(S - j), j < S - s, and lasts for the sum of m(j) periods (Zheng & Federgruen 1991, equation 3).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.policy.demand_law import convolved
from models.policy.instance import BACKORDER, LOST, Instance

OrdersOf = Callable[[I64], I64]
"""Positions, shape (n, 1); units to order in each, shape (n,)."""

_MOST_STEPS = 1500
"""Levels S that are tried at once; beyond so many first in steps, then around the best."""
_FAR_UNITS = 200_000
"""More units than that between the levels are not walked through."""


@dataclass(frozen=True, slots=True)
class Levels:
    """At order_at units or fewer, order up to up_to units (of the position, where demand waits). cost: a period. None: never order."""

    order_at: int | None
    up_to: int
    cost: float


def has_levels(instance: Instance) -> bool:
    """Whether two levels say the best policy."""
    if instance.life_periods is not None:
        return False
    return instance.unmet == BACKORDER or instance.lead_periods == 0


def best_levels(instance: Instance) -> Levels | None:
    """The best pair; None where more than _FAR_UNITS would lie between."""
    one = _OneNumber(instance)
    dearest = Levels(None, 0, instance.shortage * instance.mean) if instance.unmet == LOST else None
    if instance.unmet == LOST and instance.lost_cost <= 0:
        return dearest
    lot = (2 * instance.fixed_order * instance.mean / instance.holding) ** 0.5
    if lot > _FAR_UNITS / 4:
        return dearest
    best = one.best_below(one.least, one.least + int(lot))
    # A larger S would leave its first period dearer than the mean (Zheng & Federgruen 1991, lemma 2).
    most = one.dearer_above(best.cost)
    step = max(-(-(most - one.least) // _MOST_STEPS), 1)
    tops = range(one.least, most + 1, step)
    best = min((one.best_of(top) for top in tops), key=lambda found: found.cost)
    if step > 1:
        near = range(max(best.up_to - 2 * step, one.least), min(best.up_to + 2 * step, most) + 1)
        best = min((one.best_of(top) for top in near), key=lambda found: found.cost)
    best = Levels(best.order_at, best.up_to, best.cost + instance.base_cost)
    return best if dearest is None or best.cost < dearest.cost else dearest


def levels_cost(instance: Instance, order_at: int | None, up_to: int) -> float:
    """Of this pair. order_at None: of never ordering, which only a shop that loses its customers can."""
    if order_at is None:
        return instance.shortage * instance.mean
    one = _OneNumber(instance)
    return float(one.costs(up_to, up_to - order_at)[-1]) + instance.base_cost


def levels_of(orders_of: OrdersOf) -> tuple[int | None, int]:
    """Order-at and up-to of a policy where demand waits, whose levels are the same in every position. None, 0: it never orders."""
    low = -1
    while not (first := int(orders_of(np.array([[low]]))[0])):
        if low < -_FAR_UNITS:
            return None, 0
        low *= 2
    up_to = low + first
    at, above = low, up_to
    while above - at > 1:
        middle = (at + above) // 2
        ordered = int(orders_of(np.array([[middle]]))[0]) > 0
        at, above = (middle, above) if ordered else (at, middle)
    return at, up_to


class _OneNumber:
    """Costs without the purchase of what is wanted."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._waits = instance.unmet == BACKORDER
        self._reach = convolved(instance.law, instance.lead_periods + 1)
        self._short = instance.shortage if self._waits else instance.lost_cost
        units = np.arange(len(self._reach))
        self._mean = float(units @ self._reach)
        below = np.concatenate([[0.0], np.cumsum(self._reach)])
        # Mean units left over with y = 0, 1 … to meet demand: the sum of the distribution function up to y - 1.
        self._left = np.cumsum(np.minimum(below, 1.0))
        self._renewals = np.zeros(0)
        ratio = self._short / (self._short + instance.holding)
        self.least = max(int(np.searchsorted(np.cumsum(self._reach), ratio - 1e-12)), 0 if self._waits else 1)
        """Where a period costs least."""

    def period(self, units: I64) -> F64:
        """G: mean cost of a period with so many units to meet the demand of lead time and period; below 0 is waited for."""
        inside = np.clip(units, 0, len(self._left) - 1)
        left = np.where(units < 0, 0.0, self._left[inside] + np.maximum(units - inside, 0))
        return np.asarray(self._instance.holding * left + self._short * (left - units + self._mean))

    def costs(self, top: int, most: int) -> F64:
        """A period's cost of ordering up to `top` at top - 1, top - 2 … top - most: shape (most,)."""
        renewals = self._renewal(most)
        spent = np.cumsum(renewals * self.period(top - np.arange(most)))
        return np.asarray((self._instance.fixed_order + spent) / np.cumsum(renewals))

    def best_of(self, top: int) -> Levels:
        most = top if not self._waits else top - self._lowest(top)
        costs = self.costs(top, max(most, 1))
        gap = int(costs.argmin()) + 1
        return Levels(top - gap, top, float(costs[gap - 1]))

    def best_below(self, *tops: int) -> Levels:
        return min((self.best_of(top) for top in tops), key=lambda found: found.cost)

    def dearer_above(self, cost: float) -> int:
        """The largest level whose period costs no more."""
        top = self.least
        step = max(int(cost / self._instance.holding), 1)
        while step:
            if float(self.period(np.array([top + step]))[0]) <= cost:
                top += step
            else:
                step //= 2
        return top

    def _lowest(self, top: int) -> int:
        """A level at or below which waiting costs more a period than any pair with this top."""
        one = float(self.costs(top, 1)[0])
        low, step = self.least, 1
        while float(self.period(np.array([low]))[0]) <= one and top - low < _FAR_UNITS:
            low, step = low - step, 2 * step
        return low

    def _renewal(self, most: int) -> F64:
        """m(0..most-1): expected number of periods in which exactly j units have been sold since the order."""
        known = len(self._renewals)
        if known < most:
            law = self._instance.law
            size = max(most, 2 * known)
            stays = 1 / (1 - law[0])
            whole = np.zeros(size)
            whole[:known] = self._renewals
            if known == 0:
                whole[0] = stays
            back = law[1:][::-1]
            for units in range(max(known, 1), size):
                reach = min(units, len(back))
                whole[units] = stays * float(back[len(back) - reach :] @ whole[units - reach : units])
            self._renewals = whole
        return self._renewals[:most]
