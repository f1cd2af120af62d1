"""Long-run costs by value iteration: of the best policy there is, and of any given one, each with a bound on the error."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.policy.instance import Instance
from models.policy.lattice import Lattice

Say = Callable[[str], None]
MAX_SWEEPS = 3000
MAX_ITERATION_CELLS = 4e9
"""Of all sweeps together: half a minute on one core."""
_SAY_CELLS = 4e8
"""Some seconds of work: so often the iteration says how far it is."""


@dataclass(frozen=True, slots=True)
class ExactCost:
    """The cost a period lies between low and high (Odoni's bounds; none to speak of for period cost 0).

    value: relative, shape (n_states,). orders: what is ordered in each state, shape (n_states,).
    """

    low: float
    high: float
    value: F64
    orders: I64

    @property
    def cost(self) -> float:
        return (self.low + self.high) / 2


def optimal_cost(
    instance: Instance,
    lattice: Lattice,
    tolerance: float = 1e-4,
    sweeps: int = MAX_SWEEPS,
    say: Say = lambda _: None,
) -> ExactCost:
    """The best policy within the lattice. tolerance: of high - low, relative to the cost. say: is told how far it is."""
    return _iterated(instance, lattice, None, np.zeros(len(lattice.states)), tolerance, sweeps, say)


def sweeps_of(lattice: Lattice) -> int:
    """As many as MAX_ITERATION_CELLS allow."""
    return int(min(max(MAX_ITERATION_CELLS / lattice.sweep_cells, 1), MAX_SWEEPS))


def policy_cost(
    instance: Instance, lattice: Lattice, orders: I64, start: F64 | None = None, tolerance: float = 1e-4
) -> ExactCost:
    """What ordering orders[state] costs. start: a value to begin from, such as the optimum's, which saves sweeps."""
    value = np.zeros(len(lattice.states)) if start is None else start
    return _iterated(instance, lattice, orders, value, tolerance, MAX_SWEEPS)


def _iterated(
    instance: Instance,
    lattice: Lattice,
    orders: I64 | None,
    value: F64,
    tolerance: float,
    sweeps: int,
    say: Say = lambda _: None,
) -> ExactCost:
    """Relative value iteration. A share of staying put (0.1) takes periodic chains out of step; it scales the gain."""
    fixed = np.where(np.arange(lattice.n_orders) > 0, instance.fixed_order, 0.0)
    stay = 0.1 if instance.fixed_order or instance.life_periods is not None else 0.0
    low, high = -np.inf, np.inf
    chosen = np.zeros(len(value), dtype=np.int64)
    often = max(int(_SAY_CELLS / lattice.sweep_cells), 1)
    for sweep in range(sweeps):
        if sweep and sweep % often == 0:
            say(f"value iteration, sweep {sweep}: the optimum lies between {low + instance.base_cost:.4g} and {high + instance.base_cost:.4g}")  # fmt: skip
        after = lattice.expected(value)
        if instance.fixed_order:
            after += fixed
        chosen = np.argmin(after, axis=1) if orders is None else orders
        renewed = lattice.cost + np.take_along_axis(after, chosen[:, None], axis=1)[:, 0]
        gain = (1 - stay) * (renewed - value)
        low, high = float(gain.min()) / (1 - stay), float(gain.max()) / (1 - stay)
        value = value + gain
        value -= value[0]
        if high - low <= tolerance * max(abs(high), 1e-9):
            break
    return ExactCost(low + instance.base_cost, high + instance.base_cost, value, chosen.astype(np.int64))


def long_run_shares(lattice: Lattice, chances: F64, tolerance: float = 1e-6, sweeps: int = MAX_SWEEPS) -> F64:
    """How often each state is met, shape (n,), when in it q is ordered with chances[state, q]."""
    share = np.zeros(len(lattice.states))
    share[0] = 1.0
    for _ in range(sweeps):
        renewed = 0.1 * share + 0.9 * lattice.followed(share[:, None] * chances)
        moved = float(np.abs(renewed - share).sum())
        share = renewed
        if moved < tolerance:
            break
    return np.asarray(share / share.sum())
