"""All states of an instance whose unmet demand is lost and whose units keep."""

import numpy as np

from models.arrays import F64, I64
from models.policy.aged_lattice import TOO_MUCH
from models.policy.chain import Chain
from models.policy.instance import Instance

PRODUCTS_A_CELL = 20
"""Multiplications of matrices in the time that a cell takes to gather."""


class LostLattice:
    """Lost sales, units that keep. Coordinates: in hand 0..position_units, then orders under way 0..order_units.

    What comes in hand beyond position_units is gone, and free of holding cost: an order that leads there would look cheap where demand
    leaps, and costs too much to be placed. free_beyond: it may be, as in the lessons that the shipped network has from it.
    """

    def __init__(
        self, instance: Instance, position_units: int, order_units: int, *, free_beyond: bool = False
    ) -> None:
        self._lead = instance.lead_periods
        self.n_orders, self._top = order_units + 1, position_units + 1
        shape = (self._top, *[self.n_orders] * max(self._lead - 1, 0))
        self.states = np.indices(shape).reshape(len(shape), -1).T
        self.sweep_cells = len(self.states) * self.n_orders * (1 + self._top / PRODUCTS_A_CELL)
        served = _served(instance.law, self._top)
        period = _period_cost(instance, np.arange(self._top))
        self._cost_by_hand = period
        self._law = instance.law
        self.cost = period[self.states[:, 0]] if self._lead else np.zeros(len(self.states))
        self._step = served if self._lead < 2 else _shifted(served, self.n_orders)
        orders = np.arange(self.n_orders)
        position = self.states.sum(axis=1, dtype=np.int64)[:, None] + orders[None, :]
        self._beyond = None if free_beyond else (position > position_units) & (orders > 0)

    def expected(self, value: F64) -> F64:
        after = self._expected(value)
        if self._beyond is not None:
            np.putmask(after, self._beyond, TOO_MUCH)
        return after

    def _expected(self, value: F64) -> F64:
        if self._lead >= 2:
            out = self._step @ value.reshape(self._top, -1)
            return np.asarray(out.reshape(-1, self.n_orders))
        places = np.minimum(np.arange(self._top)[:, None] + np.arange(self.n_orders)[None, :], self._top - 1)
        if self._lead == 1:
            return np.asarray(self._step @ value[places])
        return np.asarray((self._cost_by_hand + self._step @ value)[places])

    def followed(self, share: F64) -> F64:
        if self._lead >= 2:
            return np.asarray((self._step.T @ share.reshape(self._step.shape[0], -1)).ravel())
        places = np.minimum(np.arange(self._top)[:, None] + np.arange(self.n_orders)[None, :], self._top - 1)
        if self._lead == 1:
            after = np.bincount(places.ravel(), weights=(self._step.T @ share).ravel(), minlength=self._top)
            return np.asarray(after, dtype=np.float64)
        after = np.bincount(places.ravel(), weights=share.ravel(), minlength=self._top)
        return np.asarray(self._step.T @ after)

    def chained(self, orders: I64) -> Chain:
        hand, under_way = self.states[:, 0], self.states[:, 1:]
        if self._lead == 0:
            hand = np.minimum(hand + orders, self._top - 1)
        reach = min(len(self._law), self._top)
        chances = self._law[:reach].copy()
        chances[-1] += self._law[reach:].sum()
        left = np.maximum(hand[:, None] - np.arange(reach)[None, :], 0)
        if self._lead == 0:
            return Chain(left.astype(np.int32), chances, self._cost_by_hand[hand])
        queue = np.concatenate([under_way, orders[:, None]], axis=1)
        left = np.minimum(left + queue[:, :1], self._top - 1)
        steps = self.n_orders ** np.arange(queue.shape[1] - 2, -1, -1, dtype=np.int64)
        following = left * self.n_orders ** (queue.shape[1] - 1) + (queue[:, 1:] @ steps)[:, None]
        return Chain(following.astype(np.int32), chances, self.cost)

    def places_of(self, states: I64) -> I64:
        steps = self.n_orders ** np.arange(states.shape[1] - 1, -1, -1, dtype=np.int64)
        known = (states[:, 0] < self._top) & (states[:, 1:] < self.n_orders).all(axis=1)
        return np.where(known, states @ steps, -1)


def _period_cost(instance: Instance, in_hand: I64) -> F64:
    left = in_hand[:, None] - np.arange(len(instance.law))[None, :]
    held, lost = np.maximum(left, 0) @ instance.law, np.maximum(-left, 0) @ instance.law
    return np.asarray(instance.holding * held + instance.lost_cost * lost)


def _served(law: F64, top: int) -> F64:
    """Chance that i in hand become j: shape (top, top)."""
    out = np.zeros((top, top))
    for i in range(top):
        reach = min(i + 1, len(law))
        out[i, i - np.arange(reach)] = law[:reach]
        out[i, 0] += law[reach:].sum()
    return out


def _shifted(served: F64, n_orders: int) -> F64:
    """Chance that (i in hand, k arriving) become j in hand, cut at the top: shape (top * n_orders, top)."""
    top = len(served)
    out = np.zeros((top, n_orders, top))
    for k in range(n_orders):
        out[:, k, k:] = served[:, : top - k]
        out[:, k, -1] += served[:, top - k :].sum(axis=1)
    return out.reshape(top * n_orders, top)
