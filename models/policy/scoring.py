"""What the learned policy costs on an instance, exactly where that can be had, and what the best policy would."""

from dataclasses import dataclass, replace

from models.policy.exact import optimal_cost
from models.policy.instance import Instance
from models.policy.lattice import bounds_of, lattice_of
from models.policy.learned import LearnedPolicy
from models.policy.met import met_cost
from models.policy.refined import Correction, refined
from models.policy.simulation import OrderingPolicy, simulated_cost

TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class PolicyScore:
    """Costs a period. low, high: bounds of the iteration (method "exact") or the 95 % interval (method "simulated").

    optimal_cost: None where there are too many states, and optimal_note says so. gap: cost / optimal_cost - 1. correction,
    network_cost, trials: how the network was refined for the instance and its cost without that; None and 0 where it was not.
    """

    cost: float
    low: float
    high: float
    method: str
    optimal_cost: float | None
    optimal_note: str
    correction: Correction | None = None
    network_cost: float | None = None
    trials: int = 0

    @property
    def gap(self) -> float | None:
        return None if self.optimal_cost is None else self.cost / self.optimal_cost - 1

    @property
    def network_gap(self) -> float | None:
        if self.optimal_cost is None or self.network_cost is None:
            return None
        return self.network_cost / self.optimal_cost - 1


def score(
    instance: Instance, policy: OrderingPolicy, *, simulate: bool = False, seed: int = 1
) -> PolicyScore:
    """Of the policy as it is. simulate: do so even where the exact cost can be had."""
    best, note = _optimum(instance)
    exact = (
        None if simulate else met_cost(instance, lambda states: policy.orders(instance, states), TOLERANCE)
    )
    if exact is not None:
        return PolicyScore(exact.cost, exact.low, exact.high, "exact", best, note)
    drawn = simulated_cost(instance, policy, seed=seed)
    low, high = drawn.cost - drawn.half_width, drawn.cost + drawn.half_width
    return PolicyScore(drawn.cost, low, high, "simulated", best, note)


def refined_score(instance: Instance, policy: LearnedPolicy, *, seed: int = 1) -> PolicyScore:
    """Of the policy refined for the instance (models.policy.refined); as it is where more is met than exact trials hold."""
    found = refined(instance, policy)
    if found is None:
        return score(instance, policy, seed=seed)
    best, note = _optimum(instance)
    cost = found.cost
    return replace(
        PolicyScore(cost.cost, cost.low, cost.high, "exact", best, note),
        correction=found.correction,
        network_cost=found.network_cost.cost,
        trials=found.trials,
    )


def _optimum(instance: Instance) -> tuple[float | None, str]:
    lattice = lattice_of(instance, bounds_of(instance))
    if lattice is None:
        return None, "too many states for value iteration"
    found = optimal_cost(instance, lattice, TOLERANCE)
    return found.cost, f"value iteration over {len(lattice.states)} states"
