"""All states of an instance whose units expire, no more than fit under a bound on what is there and under way together.

A bound on the sum keeps far fewer states than one on each age: of life 7 with at most 12 units, 50,000 instead of millions. A state is
in hand by remaining life, then what is under way. It is put together of its first coordinates, the stem, and the last one, which is the
order of the period before: what follows a state, a demand and an order is a stem and that order.
"""

import numpy as np

from models.arrays import F64, I64
from models.policy.chain import Chain
from models.policy.demand_law import convolved, quantile_units
from models.policy.instance import Instance
from models.policy.stock_day import demand_met

_FAR = 1e-4
"""What would sell within a life with less chance than this is not ordered by a good policy."""
TOO_MUCH = 1e9
"""Stands for what an order beyond the bound would cost."""


class SummedLattice:
    """As models.policy.lattice.Lattice. lead 0: what is ordered can be sold at once; the last coordinate of a state is then 0.

    position_units, order_units: as models.policy.lattice.Bounds; both are cut to what can sell within a life.
    """

    def __init__(self, instance: Instance, position_units: int, order_units: int) -> None:
        top, self.n_orders = summed_bounds(instance, position_units, order_units)
        life, self._lead = instance.life_periods or 1, instance.lead_periods
        stems = _bounded(life + max(self._lead, 1) - 2, top, self.n_orders - 1)
        whole = stems.sum(axis=1)[:, None] + np.arange(self.n_orders)[None, :]
        of_stem, last = np.nonzero(whole <= top)
        """Of each state, in the order in which they are numbered."""
        joined = np.concatenate([stems[of_stem], last[:, None]], axis=1)
        self._place = np.full((len(stems), self.n_orders), len(joined))
        self._place[of_stem, last] = np.arange(len(joined))
        self._most = (whole <= top).sum(axis=1)
        """Orders that a stem allows."""
        self._steps = self.n_orders ** np.arange(stems.shape[1], dtype=np.int64)
        codes = stems @ self._steps
        rank = np.argsort(codes)
        self._codes, self._rank = codes[rank], rank
        reach = min(len(instance.law), top + 1)
        self._law = instance.law[:reach].copy()
        self._law[-1] += instance.law[reach:].sum()
        self._next = np.empty((reach, len(joined)), dtype=np.int64)
        self.sweep_cells = float(reach) * len(joined) * (self.n_orders if self._lead else 1)
        hand, under_way = joined[:, :life], joined[:, life:]
        there = hand.sum(axis=1)
        units = np.arange(len(instance.law))
        cost = (
            instance.lost_cost * np.maximum(units[None, :] - np.arange(top + 1)[:, None], 0) @ instance.law
        )[there]
        for demand in range(reach):
            left, _, old = demand_met(hand, demand, instance.issuing)
            cost += self._law[demand] * (
                instance.holding * left[:, 1:].sum(axis=1) + instance.waste_cost * old
            )
            following = np.concatenate([left[:, 1:], under_way], axis=1)
            self._next[demand] = rank[np.searchsorted(self._codes, following @ self._steps)]
        self._cost_joined = cost
        self.states = (
            joined
            if self._lead
            else np.concatenate([stems, np.zeros((len(stems), 1), dtype=np.int64)], axis=1)
        )
        self.cost = cost if self._lead else np.zeros(len(stems))

    def expected(self, value: F64) -> F64:
        if self._lead == 0:
            after = self._cost_joined.copy()
            for chance, following in zip(self._law, self._next, strict=True):
                after += chance * value[following]
            return np.asarray(np.append(after, TOO_MUCH)[self._place])
        rows = np.append(value, TOO_MUCH)[self._place]
        out = np.zeros((len(self.states), self.n_orders))
        for chance, following in zip(self._law, self._next, strict=True):
            if chance > 0:
                out += chance * rows[following]
        return out

    def followed(self, share: F64) -> F64:
        rows, orders = np.nonzero(share)
        weights = share[rows, orders]
        out = np.zeros(len(share))
        if self._lead == 0:
            ordered = self._place[rows, np.minimum(orders, self._most[rows] - 1)]
        for chance, following in zip(self._law, self._next, strict=True):
            if self._lead == 0:
                places = following[ordered]
            else:
                stem = following[rows]
                places = self._place[stem, np.minimum(orders, self._most[stem] - 1)]
            out += np.bincount(places, weights=chance * weights, minlength=len(share))
        return out

    def chained(self, orders: I64) -> Chain:
        """What would be ordered beyond the bounds is cut."""
        if self._lead == 0:
            joined = self._place[np.arange(len(orders)), np.minimum(orders, self._most - 1)]
            return Chain(self._next[:, joined].T.astype(np.int32), self._law, self._cost_joined[joined])
        following = np.empty((len(orders), len(self._next)), dtype=np.int32)
        for demand, stem in enumerate(self._next):
            following[:, demand] = self._place[stem, np.minimum(orders, self._most[stem] - 1)]
        return Chain(following, self._law, self.cost)

    def places_of(self, states: I64) -> I64:
        stems, last = states[:, :-1], states[:, -1]
        codes = stems @ self._steps
        near = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        known = (self._codes[near] == codes) & (states < self.n_orders).all(axis=1)
        stem = self._rank[near]
        if self._lead == 0:
            return np.where(known & (last == 0), stem, -1)
        return np.where(
            known & (last < self._most[stem]), self._place[stem, np.minimum(last, self.n_orders - 1)], -1
        )


def summed_bounds(instance: Instance, position_units: int, order_units: int) -> tuple[int, int]:
    """Most units of a state, and numbers of orders: within what can sell in a life, and in a life and a lead time."""
    life, lead = instance.life_periods or 1, instance.lead_periods
    of_life = quantile_units(convolved(instance.law, life), 1 - _FAR) + 1
    of_both = quantile_units(convolved(instance.law, life + lead), 1 - _FAR) + 1
    return min(position_units, of_both), min(order_units, of_life, position_units) + 1


def summed_size(instance: Instance, position_units: int, order_units: int) -> float:
    """An upper bound on the number of states, without making them."""
    top, n_orders = summed_bounds(instance, position_units, order_units)
    coordinates = (instance.life_periods or 1) + max(instance.lead_periods, 1) - 1
    together = 1.0
    for place in range(1, coordinates + 1):
        together *= (top + place) / place
    return min(together, float(n_orders) ** coordinates)


def _bounded(coordinates: int, top: int, most: int) -> I64:
    """All whole vectors >= 0 with entries up to most and a sum up to top."""
    found = np.zeros((1, 0), dtype=np.int64)
    for _ in range(coordinates):
        whole = found.sum(axis=1)[:, None] + np.arange(most + 1)[None, :]
        row, units = np.nonzero(whole <= top)
        found = np.concatenate([found[row], units[:, None]], axis=1)
    return found
