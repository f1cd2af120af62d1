import numpy as np
import pytest

from models.policy.exact import long_run_shares, optimal_cost, policy_cost
from models.policy.instance import instance_from
from models.policy.lattice import AgedLattice, Bounds, bounds_of, lattice_of
from models.policy.learned import shipped_policy
from models.policy.scoring import score
from models.policy.simulation import simulated_cost

POLICY = shipped_policy()


def lost(distribution, lead, shortage, mean=5, **more):
    return instance_from(
        {
            "demand": {"distribution": distribution, "mean": mean},
            "lead_time": lead,
            "h": 1,
            "p": shortage,
            **more,
        }
    )


def waiting(mean, holding, shortage, fixed):
    return instance_from(
        {"demand": {"distribution": "poisson", "mean": mean}, "lead_time": 0, "h": holding, "p": shortage, "K": fixed,
         "unmet_demand": "backorder"}
    )  # fmt: skip


def fresh(issuing, life=2, lead=1):
    return instance_from(
        {"demand": {"distribution": "gamma", "mean": 4, "cv": 0.5}, "lead_time": lead, "h": 1, "p": 5, "unit_cost": 3,
         "waste_cost": 7, "shelf_life": life, "issuing": issuing}
    )  # fmt: skip


def optimum(instance):
    return optimal_cost(instance, lattice_of(instance, bounds_of(instance)))


@pytest.mark.parametrize(
    ("distribution", "lead", "shortage", "published"),
    [
        ("poisson", 1, 4, 4.04), ("poisson", 2, 19, 7.66), ("poisson", 3, 39, 10.04), ("poisson", 4, 9, 6.84),
        ("geometric", 1, 39, 23.87), ("geometric", 2, 9, 15.50), ("geometric", 3, 4, 10.47),
    ],
)  # fmt: skip
def test_the_programme_finds_published_optima_of_lost_sales(distribution, lead, shortage, published):
    found = optimum(lost(distribution, lead, shortage))
    assert found.cost == pytest.approx(published, abs=0.006)
    assert found.high - found.low <= 2e-4 * found.cost


def test_it_finds_the_optimum_with_a_fixed_order_cost():
    assert optimum(lost("poisson", 2, 14, K=5)).cost == pytest.approx(11.463, abs=2e-3)


@pytest.mark.parametrize(
    ("mean", "holding", "shortage", "fixed", "published"),
    [(6, 1, 4, 5, 8.0341), (10, 1, 9, 64, 35.0216), (25, 1, 9, 64, 54.2622), (50, 1, 9, 64, 70.9752)],
)
def test_it_finds_the_optimum_where_customers_wait(mean, holding, shortage, fixed, published):
    assert optimum(waiting(mean, holding, shortage, fixed)).cost == pytest.approx(published, rel=1e-4)


@pytest.mark.parametrize(("issuing", "published"), [("fifo", -1457), ("lifo", -1553)])
def test_it_finds_the_published_return_of_perishables(issuing, published):
    discounted_days = (1 - 0.99**365) / 0.01
    assert -optimum(fresh(issuing)).cost * discounted_days == pytest.approx(published, abs=2)


def test_a_worse_policy_costs_more_and_the_best_ones_cost_is_the_optimum():
    instance = lost("poisson", 2, 9)
    lattice = lattice_of(instance, bounds_of(instance))
    best = optimal_cost(instance, lattice)
    assert policy_cost(instance, lattice, best.orders).cost == pytest.approx(best.cost, rel=1e-4)
    constant = np.full(len(lattice.states), 4)
    assert policy_cost(instance, lattice, constant).cost > best.cost * 1.02


@pytest.mark.parametrize(
    "instance", [lost("poisson", 0, 9), lost("geometric", 1, 9), lost("poisson", 3, 9), fresh("lifo", 3)]
)
def test_shares_and_values_tell_the_same_cost(instance):
    """The mean period cost over the states that are met equals the gain of the iteration: two independent walks."""
    lattice = lattice_of(instance, bounds_of(instance))
    best = optimal_cost(instance, lattice, tolerance=1e-6)
    chances = np.eye(lattice.n_orders)[best.orders]
    shares = long_run_shares(lattice, chances, tolerance=1e-9)
    assert shares.sum() == pytest.approx(1)
    zero_value = lattice.expected(np.zeros(len(lattice.states)))
    period = lattice.cost + np.take_along_axis(zero_value, best.orders[:, None], axis=1)[:, 0]
    assert shares @ period + instance.base_cost == pytest.approx(best.cost, rel=1e-3)


GAPS = [
    *[(lost("poisson", lead, shortage), 0.5) for lead in (1, 2, 3) for shortage in (4, 9, 19, 39)],
    *[(lost("geometric", lead, shortage), 0.5) for lead in (1, 2) for shortage in (4, 9, 19, 39)],
    *[(waiting(*figures), 1.0) for figures in ((6, 1, 4, 5), (10, 1, 9, 64), (25, 1, 9, 64), (50, 1, 9, 64))],
    *[
        (fresh(issuing, life, lead), 0.7)
        for issuing in ("fifo", "lifo")
        for life, lead in ((2, 1), (3, 1), (2, 2))
    ],
]


@pytest.mark.parametrize(("instance", "percent"), GAPS)
def test_the_shipped_network_is_close_to_the_optimum_of_instances_it_never_saw(instance, percent):
    found = score(instance, POLICY)
    assert found.method == "exact"
    assert -0.02 <= 100 * found.gap <= percent


@pytest.mark.parametrize(
    "instance",
    [lost("poisson", 2, 9), lost("geometric", 0, 6), fresh("fifo"), fresh("lifo", 3), waiting(6, 1, 4, 5),
     lost("poisson", 1, 14, K=5)],
)  # fmt: skip
def test_simulation_and_exact_evaluation_agree(instance):
    exact = score(instance, POLICY)
    drawn = simulated_cost(instance, POLICY, runs=96, periods=800, seed=3)
    assert drawn.half_width < 0.03 * drawn.cost
    assert abs(drawn.cost - exact.cost) < 2.5 * drawn.half_width


def test_what_does_not_fit_is_simulated_and_the_optimum_said_to_be_unknown():
    instance = lost("poisson", 9, 9)
    assert lattice_of(instance, bounds_of(instance)) is None
    assert lattice_of(fresh("fifo", 12, 3), Bounds(60, 12)) is None


def test_what_customers_wait_for_costs_the_same_at_any_lead_time_of_known_demand():
    constant = {"demand": {"pmf": [0, 0, 0, 1]}, "h": 1, "p": 9, "unmet_demand": "backorder"}
    for lead in (0, 2, 5):
        found = score(instance_from({**constant, "lead_time": lead}), POLICY)
        assert found.optimal_cost == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("life", "lead", "issuing", "fixed"),
    [(3, 1, "fifo", 0), (2, 2, "lifo", 0), (4, 1, "lifo", 5), (1, 1, "fifo", 3)],
)
def test_a_bound_on_the_sum_keeps_every_state_that_a_bound_on_each_age_needs(life, lead, issuing, fixed):
    instance = instance_from(
        {"demand": {"distribution": "poisson", "mean": 1.2}, "L": lead, "h": 1, "p": 9, "w": 4, "c": 1, "K": fixed, "m": life,
         "issuing": issuing}
    )  # fmt: skip
    bounds = bounds_of(instance)
    each, summed = AgedLattice(instance, bounds), lattice_of(instance, bounds)
    assert len(summed.states) <= len(each.states)
    best = optimal_cost(instance, summed)
    assert best.cost == pytest.approx(optimal_cost(instance, each).cost, rel=2e-4)
    chances = np.zeros((len(summed.states), summed.n_orders))
    chances[np.arange(len(best.orders)), best.orders] = 1
    assert long_run_shares(summed, chances).sum() == pytest.approx(1)


def test_what_can_be_sold_on_the_day_of_its_order_and_expires_that_day_is_a_newsvendor_s():
    instance = instance_from(
        {"demand": {"distribution": "poisson", "mean": 3}, "L": 0, "h": 1, "p": 9, "w": 3, "m": 1}
    )
    lattice = lattice_of(instance, bounds_of(instance))
    assert len(lattice.states) == 1
    units = np.arange(len(instance.law))
    costs = [
        float((9 * np.maximum(units - order, 0) + 3 * np.maximum(order - units, 0)) @ instance.law)
        for order in range(12)
    ]
    assert optimal_cost(instance, lattice).cost == pytest.approx(min(costs), rel=1e-4)
