"""What the learned policy costs on an instance, exactly where that can be had, and what the best policy would."""

from dataclasses import dataclass, replace

from models.policy.aged_lattice import SummedLattice
from models.policy.correction import Correction, RefinedPolicy
from models.policy.drawn_trials import drawn_refined
from models.policy.exact import optimal_cost, sweeps_of
from models.policy.improved import Improved, improved
from models.policy.instance import Instance
from models.policy.lattice import Lattice, bounds_of, lattice_of
from models.policy.learned import LearnedPolicy
from models.policy.levels import best_levels, has_levels
from models.policy.lost_lattice import LostLattice
from models.policy.met import MetCost
from models.policy.refined import Say, exact_cost, refined
from models.policy.simulation import OrderingPolicy, simulated_cost

TOLERANCE = 1e-4
MOST_UNSURE = 1e-3
"""Of an optimum's bounds, relative: farther apart they are not told."""
NOTHING = 1e-9
"""A cost below it is none: demand that is always the same can be met without any."""
NEAR = 5e-4
"""A refined policy this close to the optimum is not improved: the time would be spent for nothing."""


@dataclass(frozen=True, slots=True)
class PolicyScore:
    """Costs a period. low, high: bounds of the iteration (method "exact") or the 95 % interval (method "simulated").

    optimal_cost: None where there are too many states, and optimal_note says so. gap: cost / optimal_cost - 1. correction,
    network_cost, trials: how the network was refined for the instance and its cost without that; None and 0 where it was not.
    refined_cost: with the correction alone. improved: how the refined policy was improved to what `cost` says, None where it was not.
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
    refined_cost: float | None = None
    improved: Improved | None = None

    @property
    def gap(self) -> float | None:
        return _over(self.cost, self.optimal_cost)

    @property
    def network_gap(self) -> float | None:
        return _over(self.network_cost, self.optimal_cost)

    @property
    def refined_gap(self) -> float | None:
        return _over(self.refined_cost, self.optimal_cost)


def score(
    instance: Instance,
    policy: OrderingPolicy,
    *,
    simulate: bool = False,
    seed: int = 1,
    say: Say = lambda _: None,
) -> PolicyScore:
    """Of the policy as it is. simulate: do so even where the exact cost can be had."""
    best, note = _optimum(instance, _lattice(instance), say)
    exact = (
        None if simulate else exact_cost(instance, lambda states: policy.orders(instance, states), TOLERANCE)
    )
    if exact is not None:
        return PolicyScore(exact.cost, exact.low, exact.high, "exact", best, note)
    drawn = simulated_cost(instance, policy, seed=seed, say=say)
    low, high = drawn.cost - drawn.half_width, drawn.cost + drawn.half_width
    return PolicyScore(drawn.cost, low, high, "simulated", best, note)


def refined_score(
    instance: Instance, policy: LearnedPolicy, *, seed: int = 1, say: Say = lambda _: None
) -> PolicyScore:
    """Of the policy refined for the instance, by exact trials, or by simulated ones where more is met than those hold; and improved on
    its exact value where all states can be enumerated.
    """
    lattice = _lattice(instance)
    best, note = _optimum(instance, lattice, say)
    found = refined(instance, policy, say=say)
    if found is None:
        told = _drawn_score(instance, policy, seed, say, best, note)
    else:
        cost = found.cost
        told = PolicyScore(
            cost.cost, cost.low, cost.high, "exact", best, note, found.correction, found.network_cost.cost, found.trials, cost.cost,
        )  # fmt: skip
    near = told.gap is not None and told.gap <= NEAR
    return told if near else _improved_score(instance, policy, lattice, told, say)


def _improved_score(
    instance: Instance, policy: LearnedPolicy, lattice: Lattice | None, told: PolicyScore, say: Say
) -> PolicyScore:
    if not isinstance(lattice, LostLattice | SummedLattice) or told.correction is None:
        return told
    start = RefinedPolicy(policy, told.correction)
    cost = MetCost(told.low, told.high, 0)
    found = improved(instance, lattice, lambda states: start.orders(instance, states), cost, say)
    if found is None:
        return told
    cost = found.cost
    return replace(told, cost=cost.cost, low=cost.low, high=cost.high, method="exact", improved=found)


def _drawn_score(
    instance: Instance, policy: LearnedPolicy, seed: int, say: Say, best: float | None, note: str
) -> PolicyScore:
    """Both costs from draws of their own, the same for both: what the search saw is not what it is judged by."""
    correction, trials = drawn_refined(instance, policy, say)
    say("the cost of both, from draws of their own")
    alone = simulated_cost(instance, policy, seed=seed, say=say)
    better = simulated_cost(instance, RefinedPolicy(policy, correction), seed=seed, say=say)
    if better.cost > alone.cost:
        correction, better = Correction(), alone
    low, high = better.cost - better.half_width, better.cost + better.half_width
    return PolicyScore(
        better.cost, low, high, "simulated", best, note, correction, alone.cost, trials, better.cost
    )


def _lattice(instance: Instance) -> Lattice | None:
    """None where two levels say the best policy, or where there are too many states."""
    return None if has_levels(instance) else lattice_of(instance, bounds_of(instance))


def _optimum(instance: Instance, lattice: Lattice | None, say: Say) -> tuple[float | None, str]:
    if has_levels(instance) and (levels := best_levels(instance)) is not None:
        return levels.cost, "the best two levels, which nothing beats (Zheng and Federgruen 1991)"
    if instance.waits and not instance.by_position:
        return None, "no value iteration here for customers who wait for goods that expire"
    if lattice is None:
        return None, "too many states for value iteration"
    found = optimal_cost(instance, lattice, TOLERANCE, sweeps_of(lattice), say)
    if found.high - found.low > MOST_UNSURE * max(abs(found.high), 1e-9):
        return None, "value iteration came to no end within its work"
    return found.cost, f"value iteration over {len(lattice.states)} states"


def _over(cost: float | None, best: float | None) -> float | None:
    """As a share of the best; 0 where neither costs anything, None where only the best does not, or is not known."""
    if cost is None or best is None:
        return None
    if abs(best) < NOTHING:
        return 0.0 if abs(cost) < NOTHING else None
    return cost / best - 1
