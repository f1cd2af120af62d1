"""Policies improved on their own exact value: never dearer, near the optimum where a target over the projected level is not."""

import numpy as np
import pytest

from models.policy.aged_lattice import SummedLattice
from models.policy.correction import Correction, RefinedPolicy
from models.policy.exact import optimal_cost
from models.policy.improved import improved
from models.policy.instance import instance_from
from models.policy.lattice import Bounds, bounds_of, lattice_of
from models.policy.learned import shipped_policy
from models.policy.lost_lattice import LostLattice
from models.policy.met import met_cost
from models.policy.scoring import refined_score

POLICY = shipped_policy()
_ALLOWED = 100.0
"""Far above any value below, far below what an order beyond the bounds costs."""
LEAPS = [0.0, 0.8, 0, 0, 0.2]
"""One or four, nothing between: what a target over the mean level cannot say."""


def problem(**described):
    return instance_from(
        {"demand": {"distribution": "poisson", "mean": 2}, "L": 1, "h": 1, "p": 9, **described}
    )


ENUMERATED = [
    problem(),
    problem(L=3, K=6),
    problem(m=3, w=4, c=1),
    problem(m=2, w=4, issuing="lifo", L=2),
    problem(m=3, w=8, L=0, K=4),
    problem(m=1, w=3),
]


def enumerated(instance):
    lattice = lattice_of(instance, bounds_of(instance))
    assert isinstance(lattice, LostLattice | SummedLattice)
    return lattice


@pytest.mark.parametrize("instance", ENUMERATED)
def test_what_follows_an_order_by_state_is_what_follows_all_orders(instance):
    lattice = enumerated(instance)
    random = np.random.default_rng(1)
    value = random.normal(size=len(lattice.states))
    of_all = lattice.expected(value)
    orders = np.array([random.choice(np.flatnonzero(row < _ALLOWED)) for row in of_all])
    chain = lattice.chained(orders)
    assert chain.chances.sum() == pytest.approx(1)
    period = chain.cost if instance.lead_periods == 0 else 0.0
    expected = np.take_along_axis(of_all, orders[:, None], axis=1)[:, 0]
    assert value[chain.following] @ chain.chances + period == pytest.approx(expected)


@pytest.mark.parametrize("instance", ENUMERATED)
def test_every_state_is_found_again_and_none_beyond_the_bounds(instance):
    lattice = enumerated(instance)
    assert np.array_equal(lattice.places_of(lattice.states), np.arange(len(lattice.states)))
    assert (lattice.places_of(lattice.states + 1000) == -1).all()


@pytest.mark.parametrize("instance", ENUMERATED)
def test_an_improved_policy_costs_less_and_never_less_than_the_optimum(instance):
    lattice = enumerated(instance)
    poor = RefinedPolicy(POLICY, Correction(target_units=2.0))

    def orders_of(states):
        return poor.orders(instance, states)

    cost = met_cost(instance, orders_of)
    best = optimal_cost(instance, lattice).cost
    found = improved(instance, lattice, orders_of, cost)
    assert found.cost.cost < cost.cost
    assert best * (1 - 5e-4) < found.cost.cost < best * 1.01
    assert found.otherwise > 0
    one = improved(instance, lattice, orders_of, cost, max_work=1)
    assert one is None or one.steps == 1


def test_the_best_policy_is_not_improved():
    instance = problem(L=2)
    lattice = enumerated(instance)
    best = optimal_cost(instance, lattice, 1e-6)

    def orders_of(states):
        return best.orders[lattice.places_of(states)]

    assert improved(instance, lattice, orders_of, met_cost(instance, orders_of, 1e-6)) is None


@pytest.mark.parametrize(
    "more",
    [
        {"demand": LEAPS, "L": 3, "p": 43},
        {"demand": [0] * 30 + [0.8] + [0] * 152 + [0.2], "L": 1, "p": 10},
    ],
)  # fmt: skip
def test_where_the_form_stays_off_the_improved_policy_does_not(more):
    said = []
    found = refined_score(problem(**more), POLICY, say=said.append)
    assert found.refined_gap > 0.005
    assert -1e-3 < found.gap < 0.003
    assert found.cost < found.refined_cost <= found.network_cost
    assert found.improved.otherwise > 0
    assert any("improvement" in line for line in said)


def test_nothing_is_thrown_away_to_make_an_optimum_cheap():
    """What an order brings beyond the bounds of the states was once gone, free of holding cost: 4 % too cheap where demand leaps."""
    instance = problem(demand=[0] * 30 + [0.8] + [0] * 152 + [0.2], p=10)
    close = bounds_of(instance)
    far = Bounds(2 * close.position_units, close.order_units)
    costs = [optimal_cost(instance, lattice_of(instance, bounds)).cost for bounds in (close, far)]
    assert costs[0] == pytest.approx(costs[1], rel=3e-4)
    cheap = optimal_cost(instance, lattice_of(instance, close, free_beyond=True)).cost
    assert cheap < 0.97 * costs[0]
