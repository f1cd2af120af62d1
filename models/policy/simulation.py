"""The long-run cost of a policy by simulation, with its interval: for instances with too many states to walk through."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.arrays import F64, I64
from models.policy.instance import BACKORDER, Instance
from models.policy.lattice import demand_met

RUNS = 192
PERIODS = 2500
WARM_UP_PERIODS = 150
_NORMAL_95 = 1.96


class OrderingPolicy(Protocol):
    def orders(self, instance: Instance, states: I64) -> I64: ...


@dataclass(frozen=True, slots=True)
class SimulatedCost:
    """A period's cost, its 95 % interval's half width from independent runs, and what went unserved and to waste.

    unserved_share, waste_share: of the units asked for. held_units: left over at a period's end.
    """

    cost: float
    half_width: float
    unserved_share: float
    waste_share: float
    held_units: float


def simulated_cost(
    instance: Instance, policy: OrderingPolicy, *, runs: int = RUNS, periods: int = PERIODS, seed: int = 1
) -> SimulatedCost:
    """`runs` independent histories of `periods` periods each, after a warm-up, all from an empty shop.

    Raises nothing of its own; time grows with runs * periods * lead time.
    """
    random = np.random.default_rng(seed)
    life = instance.life_periods or 1
    warm_up = WARM_UP_PERIODS + 4 * instance.lead_periods
    hand = np.zeros((runs, life), dtype=np.int64)
    under_way = np.zeros((runs, max(instance.lead_periods, 1)), dtype=np.int64)
    totals = np.zeros((4, runs))
    demand = random.choice(len(instance.law), size=(warm_up + periods, runs), p=instance.law)
    for period in range(warm_up + periods):
        states = _states(instance, hand, under_way)
        orders = policy.orders(instance, states)
        if instance.lead_periods == 0:
            hand[:, -1] += orders
        else:
            under_way[:, -1] = orders
        hand, unserved, expired, held = _day(instance, hand, demand[period])
        if instance.lead_periods:
            hand[:, -1] += under_way[:, 0]
            under_way = np.concatenate([under_way[:, 1:], np.zeros((runs, 1), dtype=np.int64)], axis=1)
        if period >= warm_up:
            cost = instance.holding * held + instance.shortage * unserved + instance.waste * expired
            cost = cost + instance.unit_cost * orders + instance.fixed_order * (orders > 0)
            totals += np.stack([cost, unserved, expired, held])
    means = totals / periods
    return SimulatedCost(
        cost=float(means[0].mean()),
        half_width=float(_NORMAL_95 * means[0].std(ddof=1) / runs**0.5),
        unserved_share=float(means[1].mean() / instance.mean),
        waste_share=float(means[2].mean() / instance.mean),
        held_units=float(means[3].mean()),
    )


def _states(instance: Instance, hand: I64, under_way: I64) -> I64:
    if instance.unmet == BACKORDER:
        return np.asarray((hand.sum(axis=1) + under_way.sum(axis=1))[:, None])
    return np.concatenate([hand, under_way[:, : max(instance.lead_periods - 1, 0)]], axis=1)


def _day(instance: Instance, hand: I64, demand: I64) -> tuple[I64, F64, F64, F64]:
    """What is in hand at the next period's start but for arrivals; units unserved, expired and held."""
    none = np.zeros(len(demand))
    if instance.unmet == BACKORDER:
        left = hand - demand[:, None]
        return left, np.maximum(-left[:, 0], 0.0), none, np.maximum(left[:, 0], 0.0)
    left, unserved, old = demand_met(hand, demand, instance.issuing)
    if instance.life_periods is None:
        return left, unserved.astype(float), none, left[:, 0].astype(float)
    following = np.concatenate([left[:, 1:], np.zeros((len(demand), 1), dtype=np.int64)], axis=1)
    return following, unserved.astype(float), old.astype(float), following.sum(axis=1).astype(float)
