"""A learned policy refined by simulation, for instances that exact trials cannot hold: every trial meets the same demands.

Large demand is searched first in cases of several units, where exact trials may be had again; what they find, times the case, is where
the simulated search starts.
"""

from dataclasses import replace

import numpy as np

from models.arrays import F64, I64
from models.policy.correction import Correction, corrected_orders, said_of
from models.policy.correction_search import Found, searched
from models.policy.instance import Instance
from models.policy.learned import LearnedPolicy
from models.policy.refined import Say, refined
from models.policy.simulation import History, pace_of

RUNS = 128
PERIODS = 260
SETTLE_PERIODS = 40
MAX_TRIALS = 60
"""A minute or so on one core."""
_LEAST_TRIALS = 8
_HALVINGS = 1
_DEVIATIONS = 2.0
"""By how many standard errors of the difference a trial must cost less."""
_CASE_MEAN = 7.0
"""Cases a period: what the coarser instance is asked for."""
_CASE_WORK = 1_000_000_000
_SEED = 20_001
_SAY_EVERY = 2


def drawn_refined(instance: Instance, policy: LearnedPolicy, say: Say) -> tuple[Correction, int]:
    """The best correction found, and how many were tried."""
    trials = DrawnTrials(instance, policy, say)
    best = Found(Correction(), trials.costs(Correction()), trials.most_units)
    case = int(instance.mean / _CASE_MEAN)
    if case > 1:
        say(f"a search in cases of {case} units")
        coarse = refined(in_cases(instance, case), policy, _CASE_WORK, say)
        if coarse is not None:
            found = trials.found(of_units(coarse.correction, case))
            best = found if found is not None and trials.less(found, best) else best
    best = searched(instance, trials, best, halvings=_HALVINGS)
    return best.correction, trials.count


def in_cases(instance: Instance, case: int) -> Instance:
    """The same with `case` units as one: what falls between two numbers of cases is divided between them, so that means stay."""
    units = np.arange(len(instance.law))
    below, rest = units // case, units % case / case
    law = np.zeros(int(below[-1]) + 2)
    np.add.at(law, below, instance.law * (1 - rest))
    np.add.at(law, below + 1, instance.law * rest)
    return replace(
        instance, law=law, holding=instance.holding * case, shortage=instance.shortage * case,
        unit_cost=instance.unit_cost * case, waste=instance.waste * case,
    )  # fmt: skip


def of_units(correction: Correction, case: int) -> Correction:
    """A correction in cases, in units. A whole order is rounded: half a case more is as good."""

    def times(cases: float | None) -> float | None:
        return None if cases is None else cases * case

    return replace(
        correction, target_units=correction.target_units * case, room_units=times(correction.room_units),
        most_units=times(correction.most_units), up_to_units=times(correction.up_to_units),
    )  # fmt: skip


class DrawnTrials:
    """Costs of corrections over the same histories, all from where the network alone led."""

    def __init__(self, instance: Instance, policy: LearnedPolicy, say: Say) -> None:
        self._instance = instance
        self._policy = policy
        self._say = say
        self._tried: set[Correction] = set()
        self._most = max(int(MAX_TRIALS * pace_of(instance)), _LEAST_TRIALS)
        self.count = 0
        self.most_units = 0
        self.room_units = 0.0
        random = np.random.default_rng(_SEED)
        periods = SETTLE_PERIODS + 2 * instance.lead_periods
        draws = random.choice(len(instance.law), size=(2 * periods + PERIODS, RUNS), p=instance.law)
        first = History(instance, RUNS)
        for demand in draws[:periods]:
            first.live(self._orders(first.states, Correction()), demand)
        self._first, self._settle, self._draws = first, periods, draws[periods:]

    def found(self, correction: Correction) -> Found[F64] | None:
        if correction in self._tried or self.count >= self._most:
            return None
        costs = self.costs(correction)
        return Found(correction, costs, self.most_units)

    def less(self, one: Found[F64], other: Found[F64]) -> bool:
        less = other.cost - one.cost
        return bool(less.mean() > _DEVIATIONS * less.std(ddof=1) / RUNS**0.5)

    def costs(self, correction: Correction) -> F64:
        """Mean cost a period of each run, shape (RUNS,)."""
        self._tried.add(correction)
        self.count += 1
        if self.count % _SAY_EVERY == 0:
            self._say(f"{self.count} policies simulated")
        self.most_units = 0
        history = self._first.copy()
        total = np.zeros(RUNS)
        for period, demand in enumerate(self._draws):
            orders = self._orders(history.states, correction)
            self.most_units = max(self.most_units, int(orders.max()))
            lived = history.live(orders, demand)
            if period >= self._settle:
                total += lived.cost
        return total / PERIODS

    def _orders(self, states: I64, correction: Correction) -> I64:
        said = said_of(self._policy, self._instance, states)
        self.room_units = self.room_units or float(said[0, 2])
        return corrected_orders(said, correction)
