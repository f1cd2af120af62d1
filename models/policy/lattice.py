"""All states of an instance within bounds, and the expectation over one period's demand: what exact costs need.

A state is (stock in hand, by remaining life where units age, then what arrives in 1, 2 … lead_periods - 1 periods). The
order of the period is the last coordinate of the next state, so the expected value of "order q" for all q at once is one
product of matrices, or one gathering of rows. Backorders need only the position: on hand + on order - waiting. Where customers wait for
goods that expire, a state is as of lost sales, and what waits stands below zero at the freshest units; no lattice here holds those.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.arrays import F64, I64
from models.policy.aged_lattice import SummedLattice, summed_bounds, summed_size
from models.policy.chain import Chain
from models.policy.demand_law import convolved, quantile_units
from models.policy.instance import BACKORDER, Instance
from models.policy.lost_lattice import LostLattice
from models.policy.stock_day import demand_met as demand_met  # noqa: PLC0414 - known by this page

MAX_CELLS = 24_000_000
"""Pairs of state and order that one sweep may hold: 200 MB of doubles, some seconds a sweep at worst."""
MAX_PRODUCT = 2_000_000_000
"""Multiplications of one sweep."""
MAX_GATHERED = 60_000_000
"""Cells that one sweep gathers where units age."""

Rows = npt.NDArray[np.int64]


class Lattice(Protocol):
    """orders: 0..n_orders-1. states: shape (n, coordinates). cost: of a period, without the order's own, shape (n,). sweep_cells: work of
    one call of expected, counted in cells that are gathered.
    """

    n_orders: int
    sweep_cells: float
    states: Rows
    cost: F64

    def expected(self, value: F64) -> F64:
        """E[value of the next state], shape (n, n_orders)."""
        ...

    def followed(self, share: F64) -> F64:
        """share: of being in a state and ordering, shape (n, n_orders). Share of each next state, shape (n,)."""
        ...


class TableLattice(Lattice, Protocol):
    """One on which orders by state can be followed and looked up."""

    def chained(self, orders: I64) -> Chain:
        """What ordering orders[state] leads to; cost: without the order's own."""
        ...

    def places_of(self, states: I64) -> I64:
        """Where these states are among `states`, shape (n,); -1: beyond the bounds."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most units in hand and on order together, and most that one order brings."""

    position_units: int
    order_units: int


def bounds_of(instance: Instance) -> Bounds:
    """What an optimal policy never exceeds, with some slack where an order has a fixed cost or units expire.

    Without a fixed cost a unit beyond the single-period newsvendor quantile is better ordered a period later, and a
    position beyond the newsvendor level of lead time plus one period never pays (Zipkin 2008, section 2).
    """
    lost = max(instance.lost_cost, 0.0)
    ratio = lost / (lost + instance.holding)
    one = quantile_units(instance.law, ratio) + 1
    whole = quantile_units(convolved(instance.law, instance.lead_periods + 1), ratio) + 1
    lot = (2 * instance.fixed_order * instance.mean / instance.holding) ** 0.5
    more = int(np.ceil(1.6 * lot)) if instance.fixed_order else 0
    if instance.life_periods is not None and not instance.fixed_order:
        one = min(one + int(instance.mean / 2), whole)
    return Bounds(
        whole + more, min(one + more, whole + more) if instance.unmet != BACKORDER else whole + more
    )


def lattice_of(instance: Instance, bounds: Bounds, *, free_beyond: bool = False) -> "Lattice | None":
    """None when there are more states than MAX_CELLS or more work than MAX_PRODUCT, or where customers wait for
    goods that expire. free_beyond: of LostLattice.
    """
    if instance.waits:
        return PositionLattice(instance, bounds) if instance.by_position else None
    n_orders, top = bounds.order_units + 1, bounds.position_units + 1
    if instance.life_periods is not None:
        return _aged_lattice(instance, bounds)
    n_states = top * n_orders ** max(instance.lead_periods - 1, 0)
    if n_states * n_orders > MAX_CELLS or n_states * n_orders * top > MAX_PRODUCT:
        return None
    return LostLattice(instance, bounds.position_units, bounds.order_units, free_beyond=free_beyond)


def _aged_lattice(instance: Instance, bounds: Bounds) -> "Lattice | None":
    n_states = summed_size(instance, bounds.position_units, bounds.order_units)
    top, n_orders = summed_bounds(instance, bounds.position_units, bounds.order_units)
    if (
        n_states * n_orders > MAX_CELLS
        or n_states * n_orders * min(top + 1, len(instance.law)) > MAX_GATHERED
    ):
        return None
    return SummedLattice(instance, bounds.position_units, bounds.order_units)


class PositionLattice:
    """Backorders: one coordinate, the position before ordering, from -low to position_units; orders beyond it are cut."""

    def __init__(self, instance: Instance, bounds: Bounds) -> None:
        self._law = instance.law
        low = most_waiting(instance)
        self.n_orders = bounds.position_units + low + 1
        self.sweep_cells = float(self.n_orders) ** 2
        positions = np.arange(-low, bounds.position_units + 1)
        self.states = positions[:, None]
        lead = convolved(instance.law, instance.lead_periods + 1)
        reach = np.arange(len(lead))
        left = positions[:, None] - reach[None, :]
        self._cost_after = (
            np.maximum(left, 0) @ lead * instance.holding + np.maximum(-left, 0) @ lead * instance.shortage
        )
        self.cost = np.zeros(len(positions))
        n = len(positions)
        self._after = np.minimum(np.arange(n)[:, None] + np.arange(self.n_orders)[None, :], n - 1)
        self._next = np.maximum(np.arange(n)[:, None] - np.arange(len(self._law))[None, :], 0)

    def expected(self, value: F64) -> F64:
        after = self._cost_after + value[self._next] @ self._law
        return np.asarray(after[self._after])

    def followed(self, share: F64) -> F64:
        after = np.bincount(self._after.ravel(), weights=share.ravel(), minlength=len(share))
        spread = (after[:, None] * self._law[None, :]).ravel()
        return np.asarray(
            np.bincount(self._next.ravel(), weights=spread, minlength=len(share)), dtype=np.float64
        )


def most_waiting(instance: Instance) -> int:
    """Units that customers may wait for: a period's demand, and twice what the order quantity with backorders plans (Zipkin 2000,
    section 3.3). What would wait beyond it counts as if it were served, so that a bound too close makes waiting look cheap.
    """
    lot = (2 * instance.fixed_order * instance.mean / instance.holding) ** 0.5
    odds = instance.shortage / instance.holding
    return len(instance.law) + int(np.ceil(2 * lot / (odds * (1 + odds)) ** 0.5))


class AgedLattice:
    """Units that expire, bounded by each age: what models.policy.aged_lattice solves with fewer states, kept for the lessons that the
    shipped network has from it, and as its check. Coordinates: in hand by remaining life 1..life_periods, then orders under way.
    """

    def __init__(self, instance: Instance, bounds: Bounds) -> None:
        assert instance.life_periods is not None
        self.n_orders = bounds.order_units + 1
        coordinates = instance.life_periods + instance.lead_periods - 1
        self.states = np.indices((self.n_orders,) * coordinates).reshape(coordinates, -1).T
        self._law = instance.law
        self.sweep_cells = float(len(self.states)) * self.n_orders * len(self._law)
        life = instance.life_periods
        strides = self.n_orders ** np.arange(coordinates - 1, -1, -1)
        self.cost = np.zeros(len(self.states))
        self._next = np.empty((len(self.law_units), len(self.states)), dtype=np.int64)
        for units in self.law_units:
            left, lost, old = demand_met(self.states[:, :life], int(units), instance.issuing)
            self.cost += instance.law[units] * (
                instance.lost_cost * lost
                + instance.holding * left[:, 1:].sum(axis=1)
                + instance.waste_cost * old
            )
            following = np.concatenate([left[:, 1:], self.states[:, life:]], axis=1)
            self._next[units] = following @ strides[:-1]

    @property
    def law_units(self) -> I64:
        return np.arange(len(self._law))

    def expected(self, value: F64) -> F64:
        rows = value.reshape(-1, self.n_orders)
        out = np.zeros((len(self.states), self.n_orders))
        for units in self.law_units:
            out += self._law[units] * rows[self._next[units] // self.n_orders]
        return out

    def followed(self, share: F64) -> F64:
        out = np.zeros(len(share))
        _, orders = np.nonzero(share)
        rows = np.flatnonzero(share.ravel()) // self.n_orders
        weights = share.ravel()[np.flatnonzero(share.ravel())]
        for units in self.law_units:
            out += np.bincount(
                self._next[units][rows] + orders, weights=self._law[units] * weights, minlength=len(share)
            )
        return out
