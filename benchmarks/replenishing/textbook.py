"""The textbook's policies on an instance: the best base-stock level, and the best with a cap on each order."""

from collections.abc import Iterator

import numpy as np

from models.arrays import I64
from models.policy.instance import Instance
from models.policy.lattice import bounds_of
from models.policy.met import met_cost

_TOLERANCE = 1e-3


def best_base_stock(instance: Instance) -> float:
    """The cost of ordering up to the best constant position, by exact evaluation of each level."""
    lowest = max(round(instance.mean * (instance.lead_periods + 0.3)), 1)
    return _lowest_valley(_costs(instance, lowest, bounds_of(instance).position_units, None))


def best_capped_base_stock(instance: Instance) -> float:
    """Up to a level, but never more than a cap at once: both searched."""
    bounds = bounds_of(instance)
    lowest = max(round(instance.mean * (instance.lead_periods + 0.5)), 1)
    caps = range(max(round(instance.mean * 0.8), 1), bounds.order_units + 1)
    return min(_lowest_valley(_costs(instance, lowest, bounds.position_units + 7, cap)) for cap in caps)


def _costs(instance: Instance, lowest: int, highest: int, cap: int | None) -> Iterator[float]:
    for level in range(lowest, highest + 1):

        def up_to(states: I64, level: int = level) -> I64:
            return np.asarray(np.clip(level - states.sum(axis=1), 0, cap))

        found = met_cost(instance, up_to, _TOLERANCE)
        assert found is not None
        yield found.cost


def _lowest_valley(costs: Iterator[float]) -> float:
    """The least of a row of costs that falls, then rises; stops once it has risen three times."""
    best, risen = np.inf, 0
    for cost in costs:
        risen = risen + 1 if cost > best else 0
        best = min(best, cost)
        if risen == 3:
            break
    return float(best)
