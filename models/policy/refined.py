"""A learned policy refined for one instance: a few numbers of its form (models.policy.correction) set by exact evaluation.

Where two levels say the best policy, they are worked out (models.policy.levels). Elsewhere a pattern search tries neighbours from the
network's own answer on; every trial is an exact long-run cost.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.policy.correction import Correction, corrected_orders, said_of
from models.policy.correction_search import Found, searched
from models.policy.instance import Instance
from models.policy.learned import LearnedPolicy
from models.policy.levels import best_levels, has_levels, levels_cost, levels_of
from models.policy.met import BUILDING, Codes, MetCost, OrdersOf, met_cost
from models.policy.projection import outlook_of

Say = Callable[[str], None]

MAX_CELLS = 2_000_000
"""Of one trial."""
MAX_WORK = 3_000_000_000
"""Cells of all trials: half a minute on one core, most instances a second. Counted, not timed, so that the same instance gets the same policy."""
_STATE_WORK = 4000
"""Cells in the time that the network needs to say something of a state."""
MAX_TRIALS = 1000
_MOST_TOO_LARGE = 0.25
"""Of the policies tried."""
TOLERANCE = 2e-4
_LEAST_GAIN = 2e-5
_SAY_EVERY = 10


@dataclass(frozen=True, slots=True)
class Refined:
    """correction: the best found. cost, network_cost: with it, and of the network alone. trials: costs that were worked out."""

    correction: Correction
    cost: MetCost
    network_cost: MetCost
    trials: int


def refined(
    instance: Instance, policy: LearnedPolicy, max_work: int = MAX_WORK, say: Say = lambda _: None
) -> Refined | None:
    """None where the network alone, or many of the policies tried, meet more states than a trial may hold: what could be compared would
    be the poor ones that order next to nothing. say: is told how far the search is.
    """
    if has_levels(instance):
        return _of_levels(instance, policy)
    trials = ExactTrials(instance, policy, max_work, say)
    alone = trials.cost(Correction())
    if alone is None:
        return None
    best = searched(instance, trials, Found(Correction(), alone, trials.most_units))
    if trials.too_large > (0 if best.most_units == 0 else _MOST_TOO_LARGE * trials.count):
        return None
    return Refined(best.correction, best.cost, alone, trials.count)


def exact_cost(instance: Instance, orders_of: OrdersOf, tolerance: float = TOLERANCE) -> MetCost | None:
    """Of any policy; None where it cannot be had. Where demand waits, of one whose levels are the same in every state."""
    if instance.by_position:
        cost = levels_cost(instance, *levels_of(orders_of))
        return MetCost(cost, cost, 0)
    return met_cost(instance, orders_of, tolerance)


def _of_levels(instance: Instance, policy: LearnedPolicy) -> Refined | None:
    best = best_levels(instance)
    alone = exact_cost(instance, lambda states: policy.orders(instance, states))
    if best is None or alone is None:
        return None
    nothing = np.zeros((1, 1), dtype=np.int64)
    of_nothing = float(outlook_of(instance, nothing).level_units[0])
    correction = Correction(up_to_units=0.0, room_units=0.0)
    if best.order_at is not None:
        room = best.up_to - best.order_at - 0.5
        correction = Correction(up_to_units=best.up_to + of_nothing, room_units=room)
    if alone.cost <= best.cost:
        return Refined(Correction(), alone, alone, 1)
    return Refined(correction, MetCost(best.cost, best.cost, 0), alone, 1)


class ExactTrials:
    """Exact costs of corrections, until the work is used up. What the network says of a state is asked once."""

    def __init__(self, instance: Instance, policy: LearnedPolicy, max_work: int, say: Say) -> None:
        self._instance = instance
        self._policy = policy
        self._left = max_work
        self._say = say
        self._coded = Codes(instance)
        self._codes = np.zeros(0, dtype=np.int64)
        self._rows = np.zeros((0, 5))
        self._tried: set[Correction] = set()
        self.count = 0
        self.too_large = 0
        self.most_units = 0
        self.room_units = 0.0

    def found(self, correction: Correction) -> Found[MetCost] | None:
        if correction in self._tried or self._left <= 0 or self.count >= MAX_TRIALS:
            return None
        cost = self.cost(correction)
        return None if cost is None else Found(correction, cost, self.most_units)

    def less(self, one: Found[MetCost], other: Found[MetCost]) -> bool:
        return one.cost.cost < other.cost.cost - _LEAST_GAIN * abs(other.cost.cost)

    def cost(self, correction: Correction) -> MetCost | None:
        self._tried.add(correction)
        self.count += 1
        if self.count % _SAY_EVERY == 0:
            self._say(f"{self.count} policies tried")
        self.most_units = 0

        def orders_of(states: I64) -> I64:
            orders = corrected_orders(self._seen(states), correction)
            self.most_units = max(self.most_units, int(orders.max()))
            return orders

        found = met_cost(self._instance, orders_of, TOLERANCE, MAX_CELLS)
        self._left -= BUILDING * MAX_CELLS if found is None else found.work
        self.too_large += found is None
        return found

    def _seen(self, states: I64) -> F64:
        codes = self._coded.of(states)
        place = np.searchsorted(self._codes, codes)
        known = np.append(self._codes, -1)[place] == codes
        if not known.all():
            fresh, first = np.unique(codes[~known], return_index=True)
            self._left -= _STATE_WORK * len(fresh)
            said = said_of(self._policy, self._instance, states[~known][first])
            self.room_units = self.room_units or float(said[0, 2])
            merged = np.concatenate([self._codes, fresh])
            order = np.argsort(merged)
            self._codes, self._rows = merged[order], np.concatenate([self._rows, said])[order]
            place = np.searchsorted(self._codes, codes)
        return np.asarray(self._rows[place])
