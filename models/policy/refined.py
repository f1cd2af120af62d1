"""A learned policy refined for one instance: a few numbers of its form set by exact evaluation, from the network's own on.

The order still restores the projected level to a target, in whole units. What is set for the instance: a constant on the network's
target, how the target moves with the units on their last day and with the spread of the level, how much must be missing before an
order pays, and the largest order. A pattern search tries neighbours, halving its steps; every trial is an exact long-run cost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import F64, I64
from models.policy.features import problem_of
from models.policy.instance import LOST, Instance
from models.policy.learned import LearnedPolicy
from models.policy.met import Codes, MetCost, met_cost
from models.policy.projection import outlook_of

MAX_CELLS = 2_000_000
"""Of one trial."""
MAX_WORK = 600_000_000
"""Cells of all trials: some twenty seconds on one core, most instances a second. Counted, not timed, so that the same instance gets the same policy."""
MAX_TRIALS = 400
_TOLERANCE = 2e-4
_LEAST_GAIN = 2e-5
_HALVINGS = 4
_START_LOTS, _START_ROOMS = (-0.5, -0.25, 0.0, 0.25, 0.5), (0.3, 0.5, 0.7, 1.0)
"""Of a lot: where the search looks first, because costs with lots have several valleys."""
_START_CAPS = (1.5, 2.5, 3.5)
"""Periods' demand that an order may bring, where units expire: there a cap is a valley of its own."""
_SLOPE = 0.3


@dataclass(frozen=True, slots=True)
class Correction:
    """What is added to the network's target: units, and units for each on its last day and for each of the level's spread.

    room_units: what must be missing before an order pays, None: as the network says. most_units: the largest order, None: any.
    """

    target_units: float = 0.0
    per_last_day: float = 0.0
    per_spread: float = 0.0
    room_units: float | None = None
    most_units: float | None = None


@dataclass(frozen=True, slots=True)
class Refined:
    """correction: the best found. cost, network_cost: with it, and of the network alone. trials: costs that were worked out."""

    correction: Correction
    cost: MetCost
    network_cost: MetCost
    trials: int


class RefinedPolicy:
    """The network's orders, corrected."""

    def __init__(self, policy: LearnedPolicy, correction: Correction) -> None:
        self._policy = policy
        self._correction = correction

    def orders(self, instance: Instance, states: I64) -> I64:
        return _orders(_said(self._policy, instance, states), self._correction)


def refined(instance: Instance, policy: LearnedPolicy, max_work: int = MAX_WORK) -> Refined | None:
    """None where the network alone meets more states than a trial may hold."""
    trials = _Trials(instance, policy, max_work)
    alone = trials.cost(Correction())
    if alone is None:
        return None
    best = _Found(Correction(), alone, trials.most_units)
    for start in _starts(instance):
        best = trials.better(start, best)
    deviation = float(problem_of(instance).std_units[0])
    first = step = max(1.0, deviation / 4)
    for _ in range(_HALVINGS + 1):
        improved = True
        while improved:
            before = best
            for near in _neighbours(instance, best, trials.room_units, step, _SLOPE * step / first):
                best = trials.better(near, best)
            improved = best is not before
        step /= 2
    return Refined(best.correction, best.cost, alone, trials.count)


@dataclass(frozen=True, slots=True)
class _Found:
    correction: Correction
    cost: MetCost
    most_units: int


class _Trials:
    """Exact costs of corrections, until the work is used up. What the network says of a state is asked once."""

    def __init__(self, instance: Instance, policy: LearnedPolicy, max_work: int) -> None:
        self._instance = instance
        self._policy = policy
        self._left = max_work
        self._coded = Codes(instance)
        self._codes = np.zeros(0, dtype=np.int64)
        self._rows = np.zeros((0, 5))
        self._tried: set[Correction] = set()
        self.count = 0
        self.most_units = 0
        self.room_units = 0.0

    def better(self, correction: Correction, than: _Found) -> _Found:
        """The correction where it costs noticeably less."""
        if correction in self._tried or self._left <= 0 or self.count >= MAX_TRIALS:
            return than
        found = self.cost(correction)
        if found is None or found.cost > than.cost.cost - _LEAST_GAIN * abs(than.cost.cost):
            return than
        return _Found(correction, found, self.most_units)

    def cost(self, correction: Correction) -> MetCost | None:
        self._tried.add(correction)
        self.count += 1
        self.most_units = 0

        def orders_of(states: I64) -> I64:
            orders = _orders(self._seen(states), correction)
            self.most_units = max(self.most_units, int(orders.max()))
            return orders

        found = met_cost(self._instance, orders_of, _TOLERANCE, MAX_CELLS)
        self._left -= MAX_CELLS if found is None else found.work
        return found

    def _seen(self, states: I64) -> F64:
        codes = self._coded.of(states)
        place = np.searchsorted(self._codes, codes)
        known = np.append(self._codes, -1)[place] == codes
        if not known.all():
            fresh, first = np.unique(codes[~known], return_index=True)
            said = _said(self._policy, self._instance, states[~known][first])
            self.room_units = self.room_units or float(said[0, 2])
            merged = np.concatenate([self._codes, fresh])
            order = np.argsort(merged)
            self._codes, self._rows = merged[order], np.concatenate([self._rows, said])[order]
            place = np.searchsorted(self._codes, codes)
        return np.asarray(self._rows[place])


def _said(policy: LearnedPolicy, instance: Instance, states: I64) -> F64:
    """Level, target, room, units on their last day, and the level's spread: shape (n, 5)."""
    outlook = outlook_of(instance, states)
    found = policy.target(instance, outlook)
    one = np.ones(len(states))
    columns = (outlook.level_units, found.up_to_units * one, found.room_units * one, outlook.last_day_units,
               outlook.level_std_units)  # fmt: skip
    return np.stack(columns, axis=1)


def _orders(said: F64, added: Correction) -> I64:
    level, target, room, last_day, spread = said.T
    up_to = target + added.target_units + added.per_last_day * last_day + added.per_spread * spread
    missing = np.maximum(up_to, 0) - level
    most = np.inf if added.most_units is None else added.most_units
    units = np.floor(np.minimum(missing, most) + 0.5)
    enough = missing > (room if added.room_units is None else added.room_units)
    return np.where(enough & (units > 0), units, 0).astype(np.int64)


def _starts(instance: Instance) -> Iterator[Correction]:
    lot = float(problem_of(instance).lot_units[0])
    if lot > 0:
        for share in _START_LOTS:
            for room in _START_ROOMS:
                yield Correction(target_units=share * lot, room_units=room * lot)
    if lot > 0 and instance.life_periods is not None:
        for share in _START_LOTS[::2]:
            for periods in _START_CAPS:
                most = float(max(round(periods * instance.mean), 1))
                yield Correction(target_units=share * lot, room_units=_START_ROOMS[1] * lot, most_units=most)


def _neighbours(
    instance: Instance, best: _Found, network_room: float, step: float, slope: float
) -> Iterator[Correction]:
    here = best.correction
    for way in (-1, 1):
        yield replace(here, target_units=here.target_units + way * step)
    if instance.fixed_order:
        room = network_room if here.room_units is None else here.room_units
        for level in (-1, 0, 1):
            for way in (-1, 1):
                yield replace(
                    here,
                    target_units=here.target_units + level * step,
                    room_units=max(room + way * step, 0.0),
                )
    if instance.life_periods is not None:
        for way in (-1, 1):
            yield replace(here, per_last_day=here.per_last_day + way * slope)
    if instance.unmet == LOST and instance.lead_periods > 0:
        for way in (-1, 1):
            yield replace(here, per_spread=here.per_spread + way * slope)
        ways, most = ((-1,), best.most_units) if here.most_units is None else ((-1, 1), here.most_units)
        for way in ways:
            yield replace(here, most_units=float(max(most + way, 1)))
