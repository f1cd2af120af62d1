"""The exact long-run cost of one policy over the states that it meets, which are far fewer than those there are.

From an empty shop the policy's orders and every demand lead to the next states, and so on until none is new. Where unmet demand is
lost, all demands above what is in hand lead to the same state, so that long laws cost no more than short ones.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.policy.chain import Chain, long_run
from models.policy.demand_law import convolved
from models.policy.instance import Instance
from models.policy.stock_day import aged_day, demand_met

OrdersOf = Callable[[I64], I64]
"""States, as models.policy.lattice has them, shape (n, coordinates); units to order in each, shape (n,)."""

MAX_CELLS = 8_000_000
"""Pairs of state and demand that are kept: some seconds for the cost. Long states count for more."""
BUILDING = 30
"""Sweeps in the time that it takes to find out what is met."""
_CODE_BITS = 62


@dataclass(frozen=True, slots=True)
class MetCost:
    """The cost a period lies between low and high (Odoni's bounds). work: cells that were gone over, the search for what is met counted as BUILDING sweeps."""

    low: float
    high: float
    work: int

    @property
    def cost(self) -> float:
        return (self.low + self.high) / 2


class Codes:
    """One whole number for each state of an instance, and back. A position, or the freshest in hand, is below zero while customers wait."""

    def __init__(self, instance: Instance) -> None:
        life = instance.life_periods or 1
        self.coordinates = 1 if instance.by_position else life + max(instance.lead_periods - 1, 0)
        self._base = 2 ** (_CODE_BITS // self.coordinates)
        self._zero = np.zeros(self.coordinates, dtype=np.int64)
        self._zero[life - 1] = self._base // 2 if instance.waits else 0
        self._steps = np.array([self._base**place for place in range(self.coordinates)], dtype=np.int64)

    def of(self, states: I64) -> I64:
        """states: shape (…, coordinates). Raises OverflowError where a state holds more than its code can."""
        shifted = states + self._zero
        if shifted.size and not 0 <= int(shifted.min()) <= int(shifted.max()) < self._base:
            raise OverflowError(
                f"a state holds {int(np.abs(states).max())} units, its code fewer than {self._base - int(self._zero.max())}"
            )
        return np.asarray(shifted @ self._steps)

    def states(self, codes: I64) -> I64:
        return np.asarray(codes[:, None] // self._steps % self._base - self._zero)


def met_cost(
    instance: Instance, orders_of: OrdersOf, tolerance: float = 1e-4, max_cells: int = MAX_CELLS
) -> MetCost | None:
    """None where more is met than max_cells, or more units than a state can hold: simulate instead.

    tolerance: of high - low, relative to the cost less the purchase of what is wanted.
    """
    met = _met(instance, orders_of, max_cells)
    if met is None:
        return None
    chain = met[1]
    found = long_run(chain, tolerance, instance.base_cost)
    return MetCost(found.low, found.high, (found.sweeps + BUILDING) * chain.following.size)


def met_states(instance: Instance, orders_of: OrdersOf, max_cells: int = MAX_CELLS) -> I64 | None:
    """What this policy meets, from an empty shop on: shape (n, coordinates). None as in met_cost."""
    met = _met(instance, orders_of, max_cells)
    return None if met is None else Codes(instance).states(met[0])


def _met(instance: Instance, orders_of: OrdersOf, max_cells: int) -> tuple[I64, Chain] | None:
    """Codes of the states, rising, and what follows them."""
    codes = Codes(instance)
    follow = _waited if instance.by_position else _followed
    fresh = np.zeros((1, codes.coordinates), dtype=np.int64)
    seen = codes.of(fresh)
    parts: list[tuple[I64, I64, F64]] = []
    cells = 0
    while len(fresh):
        orders = orders_of(fresh)
        cells += len(fresh) * _demands(instance, fresh, orders) * max(codes.coordinates // 3, 1)
        if cells > max_cells:
            return None
        following, cost = follow(instance, fresh, orders)
        try:
            reached = codes.of(following)
        except OverflowError:
            return None
        parts.append((codes.of(fresh), reached, cost))
        met = np.unique(reached)
        place = np.minimum(np.searchsorted(seen, met), len(seen) - 1)
        new = met[seen[place] != met]
        seen = np.sort(np.concatenate([seen, new]))
        fresh = codes.states(new)
    return seen, _joined(instance, seen, parts)


def _joined(instance: Instance, seen: I64, parts: list[tuple[I64, I64, F64]]) -> Chain:
    """A state met early knows only the demands up to its own stock: the last of them stands for the larger ones."""
    wide = max(codes.shape[1] for _, codes, _ in parts)
    following = np.empty((len(seen), wide), dtype=np.int32)
    cost = np.empty(len(seen))
    for own, codes, of_part in parts:
        rows = np.searchsorted(seen, own)
        places = np.searchsorted(seen, codes).astype(np.int32)
        following[rows, : places.shape[1]] = places
        following[rows, places.shape[1] :] = places[:, -1:]
        cost[rows] = of_part
    chances = instance.law[:wide].copy()
    chances[-1] += instance.law[wide:].sum()
    following = following[:, : len(chances)]
    return Chain(following, chances, cost)


def _demands(instance: Instance, states: I64, orders: I64) -> int:
    """Demands that lead from these states to different ones, at the most."""
    if instance.waits:
        return len(instance.law)
    there = states[:, : instance.life_periods or 1].sum(axis=1)
    if instance.lead_periods == 0:
        there = there + orders
    return min(int(there.max()) + 1, len(instance.law))


def _followed(instance: Instance, states: I64, orders: I64) -> tuple[I64, F64]:
    """Next states by demand, shape (n, demands, coordinates), and the period's mean cost, shape (n,)."""
    life, lead = instance.life_periods or 1, instance.lead_periods
    hand, under_way = states[:, :life].copy(), states[:, life:]
    if lead == 0:
        hand[:, -1] += orders
    there = hand.sum(axis=1)
    most = _demands(instance, states, orders)
    following = np.zeros((len(states), most, states.shape[1]), dtype=np.int64)
    cost = instance.unit_cost * orders + instance.fixed_order * (orders > 0).astype(float)
    if not instance.waits:
        cost += instance.shortage * _unserved(instance.law, there)
    for units in range(most):
        chance = float(instance.law[units:].sum() if units == most - 1 else instance.law[units])
        if instance.life_periods is None:
            next_hand = demand_met(hand, units, instance.issuing)[0]
        else:
            next_hand, unserved, old = aged_day(hand, units, instance.issuing, waits=instance.waits)
            cost += chance * (instance.waste * old + instance.shortage * unserved * instance.waits)
        held = np.maximum(next_hand, 0).sum(axis=1)
        cost += chance * instance.holding * held
        following[:, units, :life] = next_hand
        if lead == 1:
            following[:, units, life - 1] += orders
        elif lead > 1:
            following[:, units, life - 1] += under_way[:, 0]
            following[:, units, life:-1] = under_way[:, 1:]
            following[:, units, -1] = orders
    return following, cost


def _waited(instance: Instance, states: I64, orders: I64) -> tuple[I64, F64]:
    """As _followed, for a position: on hand and on order, less what customers wait for."""
    position = states[:, 0] + orders
    reach = convolved(instance.law, instance.lead_periods + 1)
    places, back = np.unique(position, return_inverse=True)
    left = places[:, None] - np.arange(len(reach))[None, :]
    after = (instance.holding * np.maximum(left, 0) + instance.shortage * np.maximum(-left, 0)) @ reach
    cost = after[back] + instance.unit_cost * orders + instance.fixed_order * (orders > 0)
    return (position[:, None] - np.arange(len(instance.law))[None, :])[:, :, None], cost


def _unserved(law: F64, there: I64) -> F64:
    """Mean demand beyond what is there."""
    units = np.arange(int(there.max()) + 1)
    excess = np.maximum(np.arange(len(law))[None, :] - units[:, None], 0) @ law
    return np.asarray(excess[there])
