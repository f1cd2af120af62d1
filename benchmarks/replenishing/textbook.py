"""The textbook's policies on an instance: the best base-stock level, and the best with a cap on each order."""

import numpy as np

from models.policy.exact import policy_cost
from models.policy.instance import Instance
from models.policy.lattice import bounds_of, lattice_of

_TOLERANCE = 1e-3


def best_base_stock(instance: Instance) -> float:
    """The cost of ordering up to the best constant position, by exact evaluation of each level."""
    bounds = bounds_of(instance)
    top = bounds.position_units
    wide = type(bounds)(top, top if instance.life_periods is None else max(bounds.order_units, top))
    lattice = lattice_of(instance, wide)
    assert lattice is not None
    position = lattice.states.sum(axis=1)
    lowest = max(round(instance.mean * (instance.lead_periods + 0.3)), 1)
    costs = (
        policy_cost(
            instance, lattice, np.clip(level - position, 0, lattice.n_orders - 1), tolerance=_TOLERANCE
        ).cost
        for level in range(lowest, top + 1)
    )
    return _lowest_valley(costs)


def best_capped_base_stock(instance: Instance) -> float:
    """Up to a level, but never more than a cap at once: both searched."""
    bounds = bounds_of(instance)
    lattice = lattice_of(instance, bounds)
    assert lattice is not None
    position = lattice.states.sum(axis=1)
    best = np.inf
    for cap in range(max(round(instance.mean * 0.8), 1), bounds.order_units + 1):
        lowest = max(round(instance.mean * (instance.lead_periods + 0.5)), 1)
        costs = (
            policy_cost(instance, lattice, np.clip(level - position, 0, cap), tolerance=_TOLERANCE).cost
            for level in range(lowest, bounds.position_units + 8)
        )
        best = min(best, _lowest_valley(costs))
    return best


def _lowest_valley(costs: object) -> float:
    """The least of a row of costs that falls, then rises; stops once it has risen three times."""
    best, risen = np.inf, 0
    for cost in costs:  # type: ignore[attr-defined]
        risen = risen + 1 if cost > best else 0
        best = min(best, cost)
        if risen == 3:
            break
    return float(best)
