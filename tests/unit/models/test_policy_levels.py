import numpy as np
import pytest

from models.policy.exact import optimal_cost
from models.policy.instance import instance_from
from models.policy.lattice import bounds_of, lattice_of
from models.policy.learned import shipped_policy
from models.policy.levels import best_levels, has_levels, levels_cost, levels_of
from models.policy.refined import refined

POLICY = shipped_policy()
GEOMETRIC = {"distribution": "geometric", "mean": 3}


def problem(demand=GEOMETRIC, **more):
    return instance_from({"demand": demand, "L": 0, "h": 1, "p": 9, "unmet": "backorder", **more})


@pytest.mark.parametrize(
    ("shortage", "fixed", "mean", "levels", "cost"),
    [(4, 5, 6, (4, 10), 8.0341), (9, 64, 10, (6, 40), 35.0216), (9, 64, 25, (19, 56), 54.2622), (9, 64, 50, (42, 108), 70.9752)],
)  # fmt: skip
def test_the_known_levels_are_found(shortage, fixed, mean, levels, cost):
    found = best_levels(problem({"distribution": "poisson", "mean": mean}, p=shortage, K=fixed))
    assert (found.order_at, found.up_to) == levels
    assert found.cost == pytest.approx(cost, abs=1e-4)


@pytest.mark.parametrize("demand", [GEOMETRIC, [0, 0, 0.5, 0.5], [0, 1], [0.9, 0, 0, 0, 0, 0.1]])
@pytest.mark.parametrize(
    "more",
    [{"L": 3, "K": 20}, {"L": 2}, {"L": 1, "K": 7, "c": 3}, {"K": 900, "p": 2}]
    + [{"unmet": "lost", **more} for more in ({}, {"K": 20}, {"K": 300, "c": 2}, {"c": 12})],
)
def test_they_cost_what_value_iteration_finds(demand, more):
    instance = problem(demand, **more)
    best = optimal_cost(instance, lattice_of(instance, bounds_of(instance)), 1e-6).cost
    found = best_levels(instance)
    assert found.cost == pytest.approx(best, rel=1e-4, abs=1e-4)
    assert levels_cost(instance, found.order_at, found.up_to) == pytest.approx(found.cost)


def test_customers_may_wait_for_long_where_an_order_is_dear():
    """Demand of one a period, K 3000, p 9: some 76 units every 82 periods; a bound on who waits once made it look cheaper."""
    found = best_levels(problem([0, 1], L=2, K=3000))
    assert found.cost == pytest.approx((2 * 3000 * 9 / 10) ** 0.5, rel=2e-3)
    lattice = lattice_of(problem([0, 1], L=2, K=3000), bounds_of(problem([0, 1], L=2, K=3000)))
    assert optimal_cost(problem([0, 1], L=2, K=3000), lattice).cost == pytest.approx(found.cost, rel=2e-3)


def test_a_policy_is_asked_for_its_levels_and_refined_to_the_best():
    instance = problem({"distribution": "poisson", "mean": 10}, L=4, K=700)
    order_at, up_to = levels_of(lambda states: POLICY.orders(instance, states))
    orders = POLICY.orders(instance, np.array([[order_at], [order_at + 1], [-30]]))
    assert orders[0] == up_to - order_at
    assert orders[1] == 0
    assert orders[2] == up_to + 30
    found = refined(instance, POLICY)
    assert found.network_cost.cost == pytest.approx(levels_cost(instance, order_at, up_to))
    assert found.cost.cost == pytest.approx(best_levels(instance).cost)


def test_large_and_slow_instances_take_no_time_to_speak_of():
    large = problem({"distribution": "gamma", "mean": 75, "cv": 1.0}, L=12, K=75 * 60)
    assert has_levels(large)
    assert not has_levels(problem(L=1, unmet="lost"))
    found = best_levels(large)
    assert found.cost < levels_cost(large, found.order_at - 9, found.up_to)
    assert found.cost < levels_cost(large, found.order_at, found.up_to + 9)


def test_a_policy_that_never_orders_says_so():
    assert levels_of(lambda states: np.zeros(len(states), dtype=np.int64)) == (None, 0)
