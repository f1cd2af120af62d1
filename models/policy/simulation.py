"""The long-run cost of a policy by simulation, with its interval: for instances with too many states to walk through."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.arrays import F64, I64
from models.policy.instance import Instance
from models.policy.stock_day import aged_day, demand_met

RUNS = 192
PERIODS = 2500
WARM_UP_PERIODS = 150
_NORMAL_95 = 1.96
_SAY_EVERY = 500
LEAST_PERIODS = 300
_QUICK_STEPS = 20


def pace_of(instance: Instance) -> float:
    """How many periods go by in a time, as a share of those where the projection has next to no steps (a day's demand on an age)."""
    return _QUICK_STEPS / (_QUICK_STEPS + instance.lead_periods * (instance.life_periods or 1))


class OrderingPolicy(Protocol):
    def orders(self, instance: Instance, states: I64) -> I64: ...


@dataclass(frozen=True, slots=True)
class SimulatedCost:
    """A period's cost, its 95 % interval's half width from independent runs, and what went unserved and to waste.

    unserved_share, waste_share: of the units asked for; where customers wait, each counts every period that it does. held_units: left over at a period's end.
    """

    cost: float
    half_width: float
    unserved_share: float
    waste_share: float
    held_units: float


def simulated_cost(
    instance: Instance,
    policy: OrderingPolicy,
    *,
    runs: int = RUNS,
    periods: int | None = None,
    seed: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> SimulatedCost:
    """`runs` independent histories of `periods` periods each, after a warm-up, all from an empty shop.

    periods None: PERIODS, fewer where a projection takes long. say: is told how far it is. Raises nothing of its own.
    """
    periods = periods or max(int(PERIODS * pace_of(instance)), LEAST_PERIODS)
    random = np.random.default_rng(seed)
    warm_up = WARM_UP_PERIODS + 4 * instance.lead_periods
    totals = np.zeros((4, runs))
    demand = random.choice(len(instance.law), size=(warm_up + periods, runs), p=instance.law)
    history = History(instance, runs)
    for period in range(warm_up + periods):
        if period and period % _SAY_EVERY == 0:
            say(f"{period} of {warm_up + periods} periods simulated")
        lived = history.live(policy.orders(instance, history.states), demand[period])
        if period >= warm_up:
            totals += np.stack([lived.cost, lived.unserved, lived.expired, lived.held])
    means = totals / periods
    return SimulatedCost(
        cost=float(means[0].mean()),
        half_width=float(_NORMAL_95 * means[0].std(ddof=1) / runs**0.5),
        unserved_share=float(means[1].mean() / instance.mean),
        waste_share=float(means[2].mean() / instance.mean),
        held_units=float(means[3].mean()),
    )


@dataclass(frozen=True, slots=True)
class Lived:
    """One period of every run, shape (runs,): its cost, and units unserved, expired and held."""

    cost: F64
    unserved: F64
    expired: F64
    held: F64


class History:
    """Some shops side by side, all of one instance, from empty ones on."""

    def __init__(self, instance: Instance, runs: int) -> None:
        self._instance = instance
        self._hand = np.zeros((runs, instance.life_periods or 1), dtype=np.int64)
        self._under_way = np.zeros((runs, max(instance.lead_periods, 1)), dtype=np.int64)

    def copy(self) -> "History":
        other = History(self._instance, 0)
        other._hand, other._under_way = self._hand.copy(), self._under_way.copy()
        return other

    @property
    def states(self) -> I64:
        """As models.policy.lattice has them, before the order of the period."""
        if self._instance.by_position:
            return np.asarray((self._hand.sum(axis=1) + self._under_way.sum(axis=1))[:, None])
        return np.concatenate(
            [self._hand, self._under_way[:, : max(self._instance.lead_periods - 1, 0)]], axis=1
        )

    def live(self, orders: I64, demand: I64) -> Lived:
        """One period; demand: shape (runs,)."""
        instance = self._instance
        if instance.lead_periods == 0:
            self._hand[:, -1] += orders
        else:
            self._under_way[:, -1] = orders
        self._hand, unserved, expired, held = _day(instance, self._hand, demand)
        if instance.lead_periods:
            self._hand[:, -1] += self._under_way[:, 0]
            nothing = np.zeros((len(orders), 1), dtype=np.int64)
            self._under_way = np.concatenate([self._under_way[:, 1:], nothing], axis=1)
        cost = instance.holding * held + instance.shortage * unserved + instance.waste * expired
        cost = cost + instance.unit_cost * orders + instance.fixed_order * (orders > 0)
        return Lived(np.asarray(cost), unserved, expired, held)


def _day(instance: Instance, hand: I64, demand: I64) -> tuple[I64, F64, F64, F64]:
    """What is in hand at the next period's start but for arrivals; units unserved, expired and held."""
    none = np.zeros(len(demand))
    if instance.by_position:
        left = hand - demand[:, None]
        return left, np.maximum(-left[:, 0], 0.0), none, np.maximum(left[:, 0], 0.0)
    if instance.life_periods is None:
        left, unserved, _ = demand_met(hand, demand, instance.issuing)
        return left, unserved.astype(float), none, left[:, 0].astype(float)
    left, unserved, old = aged_day(hand, demand, instance.issuing, waits=instance.waits)
    return left, unserved.astype(float), old.astype(float), np.maximum(left, 0).sum(axis=1).astype(float)
