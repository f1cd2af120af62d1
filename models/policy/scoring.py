"""What the learned policy costs on an instance, exactly where that can be had, and what the best policy would."""

from dataclasses import dataclass

import numpy as np

from models.policy.exact import optimal_cost, policy_cost
from models.policy.instance import BACKORDER, Instance
from models.policy.lattice import Bounds, bounds_of, lattice_of
from models.policy.simulation import OrderingPolicy, simulated_cost

TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class PolicyScore:
    """Costs a period. low, high: bounds of the iteration (method "exact") or the 95 % interval (method "simulated").

    optimal_cost: None where there are too many states, and optimal_note says so. gap: cost / optimal_cost - 1.
    """

    cost: float
    low: float
    high: float
    method: str
    optimal_cost: float | None
    optimal_note: str

    @property
    def gap(self) -> float | None:
        return None if self.optimal_cost is None else self.cost / self.optimal_cost - 1


def score(
    instance: Instance, policy: OrderingPolicy, *, simulate: bool = False, seed: int = 1
) -> PolicyScore:
    """simulate: do so even where the exact cost can be had."""
    bounds = bounds_of(instance)
    lattice = lattice_of(instance, bounds)
    best, note = None, "too many states for value iteration"
    if lattice is not None:
        found = optimal_cost(instance, lattice, TOLERANCE)
        best, note = found.cost, f"value iteration over {len(lattice.states)} states"
    exact = None if simulate or lattice is None else _exact(instance, policy, bounds)
    if exact is not None:
        return PolicyScore(sum(exact) / 2, *exact, "exact", best, note)
    drawn = simulated_cost(instance, policy, seed=seed)
    low, high = drawn.cost - drawn.half_width, drawn.cost + drawn.half_width
    return PolicyScore(drawn.cost, low, high, "simulated", best, note)


def _exact(instance: Instance, policy: OrderingPolicy, bounds: Bounds) -> tuple[float, float] | None:
    """None when the policy leaves the states that fit into memory."""
    wide = Bounds(bounds.position_units + 4, bounds.order_units + 3)
    for _ in range(2):
        lattice = lattice_of(instance, wide)
        if lattice is None:
            return None
        orders = policy.orders(instance, lattice.states)
        most = int(orders.max())
        if most < lattice.n_orders:
            after = lattice.states.sum(axis=1) + orders
            top = int(after[orders > 0].max(initial=0))
            if instance.unmet == BACKORDER or instance.life_periods is not None or top <= wide.position_units:
                cost = policy_cost(instance, lattice, orders, tolerance=TOLERANCE)
                return cost.low, cost.high
            most = wide.order_units
            wide = Bounds(top, most)
        else:
            wide = Bounds(max(wide.position_units, most), most)
    lattice = lattice_of(instance, wide)
    if lattice is None:
        return None
    orders = np.minimum(policy.orders(instance, lattice.states), lattice.n_orders - 1)
    cost = policy_cost(instance, lattice, orders, tolerance=TOLERANCE)
    return cost.low, cost.high
