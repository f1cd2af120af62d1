"""A policy improved on its own exact value: in every state the order that is best if the policy is followed from then on.

One such step (Howard 1960) never makes a policy dearer that stays within the bounds of the states, and what comes out is a table of orders
by state, no longer a target over the projected level. Steps end where they gain next to nothing or their work is used up; nothing of the
optimum is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.policy.chain import MAX_SWEEPS, Chain, long_run
from models.policy.instance import Instance
from models.policy.lattice import TableLattice
from models.policy.met import MetCost, OrdersOf, met_cost, met_states

MOST_STEPS = 4
MAX_WORK = 600_000_000
"""Cells of all steps: some seconds on one core. Counted, not timed, so that the same instance gets the same answer."""
_MOST_ASKED = 20_000
"""States of which the policy is asked even where it never comes to them: the rest are given a level."""
_TOLERANCE = 2e-4
_LEAST_GAIN = 2e-4
_SURE = 1e-6
"""Of a period's cost: by how much another order must be better to be taken, far above what sums of doubles are off."""


@dataclass(frozen=True, slots=True)
class Improved:
    """steps: that made it cheaper. states: met by the improved policy. otherwise: in how many of them it orders something else."""

    cost: MetCost
    steps: int
    states: int
    otherwise: int


def improved(
    instance: Instance,
    lattice: TableLattice,
    start: OrdersOf,
    cost: MetCost,
    say: Callable[[str], None] = lambda _: None,
    max_work: int = MAX_WORK,
) -> Improved | None:
    """None where no step makes it cheaper. start, cost: the policy's orders and what they cost."""
    first = _everywhere(lattice, start, instance)
    if first is None:
        return None
    orders, best, left = first, cost, float(max_work)
    found: Improved | None = None
    for step in range(1, MOST_STEPS + 1):
        say(f"step {step} of improvement over {len(orders)} states")
        renewed, work = _step(instance, lattice, orders, left)
        left -= work
        if np.array_equal(renewed, orders):
            break
        orders = renewed
        table = _Table(lattice, orders, start)
        now = met_cost(instance, table.orders, _TOLERANCE)
        if now is not None and now.cost < best.cost - _LEAST_GAIN * abs(best.cost):
            best = now
            states = met_states(instance, table.orders)
            assert states is not None
            changed = int(np.count_nonzero(table.orders(states) != start(states)))
            found = Improved(now, step, len(states), changed)
        elif found is not None:
            break
        if left < work:
            break
    return found


class _Table:
    """Orders by state; beyond the bounds those of the policy that it began with."""

    def __init__(self, lattice: TableLattice, orders: I64, beyond: OrdersOf) -> None:
        self._lattice, self._orders, self._beyond = lattice, orders, beyond

    def orders(self, states: I64) -> I64:
        places = self._lattice.places_of(states)
        out = self._orders[places]
        if (places < 0).any():
            out[places < 0] = self._beyond(states[places < 0])
        return np.asarray(out)


def _everywhere(lattice: TableLattice, start: OrdersOf, instance: Instance) -> I64 | None:
    """The policy's orders in every state; of many states only where it comes to, and up to the largest position that it orders up to
    elsewhere.
    """
    most = lattice.n_orders - 1
    if len(lattice.states) <= _MOST_ASKED:
        return np.minimum(start(lattice.states), most)
    states = met_states(instance, start)
    if states is None:
        return None
    asked = start(states)
    level = int((states.sum(axis=1) + asked)[asked > 0].max(initial=0))
    orders = np.clip(level - lattice.states.sum(axis=1), 0, most)
    places = lattice.places_of(states)
    orders[places[places >= 0]] = np.minimum(asked[places >= 0], most)
    return np.asarray(orders)


def _step(instance: Instance, lattice: TableLattice, orders: I64, most_work: float) -> tuple[I64, float]:
    """The better orders, and the cells gone over. A value that is not all worked out may mislead: the cost is worked out anew."""
    fixed = np.where(np.arange(lattice.n_orders) > 0, instance.fixed_order, 0.0)
    chain = lattice.chained(orders)
    sweeps = int(min(max(most_work / chain.following.size, 1), MAX_SWEEPS))
    run = long_run(
        Chain(chain.following, chain.chances, chain.cost + fixed[orders]), _TOLERANCE, sweeps=sweeps
    )
    after: F64 = lattice.expected(run.value) + fixed
    now = np.take_along_axis(after, orders[:, None], axis=1)[:, 0]
    best = after.argmin(axis=1)
    gained = now - np.take_along_axis(after, best[:, None], axis=1)[:, 0]
    better = gained > _SURE * max(abs(run.high), 1e-9)
    return np.where(better, best, orders), run.sweeps * chain.following.size + lattice.sweep_cells
