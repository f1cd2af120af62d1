"""Customers wait for goods that expire: held against a programme over lists of ages that shares nothing with the package."""

import json

import numpy as np
import pytest
from soak import tell

from models.__main__ import main
from models.policy.correction import Correction, RefinedPolicy
from models.policy.demand_law import convolved, quantile_units
from models.policy.instance import instance_from
from models.policy.learned import shipped_policy
from models.policy.levels import best_levels, levels_cost
from models.policy.met import met_cost
from models.policy.scoring import refined_score
from models.policy.simulation import simulated_cost

POLICY = shipped_policy()


def waiting(**described):
    return instance_from(
        {"demand": [0.5, 0, 0.5], "L": 0, "h": 1, "p": 6, "w": 3, "m": 2, "unmet": "backorder", **described}
    )


def up_to(level):
    return RefinedPolicy(POLICY, Correction(up_to_units=float(level), room_units=0.0))


class Shop:
    """Ages as a list of units by days left, the backlog and what is under way as numbers of their own."""

    def __init__(self, instance):
        self.instance = instance

    def day(self, state, order, demand):
        """The next state, and the day's cost."""
        i = self.instance
        ages, backlog, under_way = state
        ages = list(ages)
        coming = (*under_way, order)
        if i.lead_periods == 0:
            ages, backlog = self.arrived(ages, backlog, order)
        fresh_first = i.issuing == "lifo"
        for _ in range(demand):
            there = [age for age, units in enumerate(ages) if units]
            if there:
                ages[there[-1] if fresh_first else there[0]] -= 1
            else:
                backlog += 1
        expired, ages = ages[0], [*ages[1:], 0]
        cost = i.holding * sum(ages) + i.shortage * backlog + i.waste * expired + i.unit_cost * order
        cost += i.fixed_order if order else 0
        if i.lead_periods:
            ages, backlog = self.arrived(ages, backlog, coming[0])
        return (tuple(ages), backlog, coming[1:] if i.lead_periods else ()), cost

    def arrived(self, ages, backlog, units):
        served = min(backlog, units)
        return [*ages[:-1], ages[-1] + units - served], backlog - served

    def start(self):
        i = self.instance
        return (0,) * i.life_periods, 0, (0,) * max(i.lead_periods - 1, 0)

    def demands(self):
        return [(units, chance) for units, chance in enumerate(self.instance.law) if chance > 0]

    def moves(self, orders_of):
        """Of every state that is met with these orders: {state: {order: (cost, [next by demand])}}."""
        found, fresh = {}, [self.start()]
        while fresh:
            state = fresh.pop()
            if state in found:
                continue
            found[state] = {}
            for order in orders_of(state):
                days = [(chance, *self.day(state, order, units)) for units, chance in self.demands()]
                cost = sum(chance * paid for chance, _, paid in days)
                found[state][order] = (cost, [after for _, after, _ in days])
                fresh += [after for _, after, _ in days]
        return found

    def gain(self, moves):
        """A period's cost of the best orders among these, by relative value iteration."""
        states = list(moves)
        place = {state: row for row, state in enumerate(states)}
        most = max(len(orders) for orders in moves.values())
        costs = np.full((len(states), most), np.inf)
        chances = np.array([chance for _, chance in self.demands()])
        following = np.zeros((len(states), most, len(chances)), dtype=int)
        for row, state in enumerate(states):
            for column, (cost, days) in enumerate(moves[state].values()):
                costs[row, column] = cost
                following[row, column] = [place[after] for after in days]
        value = np.zeros(len(states))
        for _ in range(2000):
            renewed = 0.1 * value + 0.9 * (costs + value[following] @ chances).min(axis=1)
            low, high = (renewed - value).min() / 0.9, (renewed - value).max() / 0.9
            value = renewed - renewed[0]
            if high - low < 1e-6:
                return (low + high) / 2
        raise AssertionError("the programme came to no end")


def best_cost(instance, least=-2, most=8):
    """Of all orders that lift the position to `least` and not above `most`."""

    def orders_of(state):
        position = sum(state[0]) - state[1] + sum(state[2])
        return range(max(least - position, 0), max(most - position, 0) + 1)

    shop = Shop(instance)
    return shop.gain(shop.moves(orders_of))


SMALL = [
    {},
    {"L": 1},
    {"L": 2, "m": 3, "demand": [0.5, 0.5]},
    {"m": 3, "issuing": "lifo", "demand": [0.2, 0.5, 0.3], "c": 1},
    {"L": 1, "m": 3, "issuing": "lifo", "demand": [0.4, 0.3, 0.3], "K": 4},
    {"m": 1, "w": 2},
]


@pytest.mark.parametrize("more", SMALL)
def test_a_policy_costs_what_a_shop_with_a_list_of_ages_pays(more):
    instance = waiting(**more)
    policy = up_to(2)

    def same_orders(state):
        ages, backlog, under_way = state
        seen = np.array([[*ages[:-1], ages[-1] - backlog, *under_way]])
        return [int(policy.orders(instance, seen)[0])]

    shop = Shop(instance)
    found = met_cost(instance, lambda states: policy.orders(instance, states), 1e-6)
    assert found.cost == pytest.approx(shop.gain(shop.moves(same_orders)), rel=1e-5)


def test_it_costs_what_can_be_worked_out_by_hand():
    """0 or 2 units, each on half of the days; up to 2, life 2, L 0.

    New units are left over with chance 1/2 (holding 2) and then, on their second day, expire with 1/2 (waste 6). Two thirds of the
    days begin with new units: 2/3 * 1/2 * 2 + 1/3 * 1/2 * 6.
    """
    instance = waiting()
    found = met_cost(instance, lambda states: up_to(2).orders(instance, states), 1e-6)
    assert found.cost == pytest.approx(2 / 3 + 1, rel=1e-5)


@pytest.mark.parametrize("more", SMALL)
def test_refined_it_costs_hardly_more_than_the_best_of_all_orders(more):
    instance = waiting(**more)
    found = refined_score(instance, POLICY)
    assert found.method == "exact"
    assert found.optimal_cost is None
    assert best_cost(instance) == pytest.approx(found.cost, rel=3e-3)


def test_where_waste_is_far_dearer_than_waiting_nothing_is_ordered_that_nobody_waits_for():
    instance = waiting(L=2, p=0.2, w=300, demand=[0.3, 0.4, 0.3])
    assert refined_score(instance, POLICY).cost == pytest.approx(0.2 * 1 * 3, rel=1e-3)


@pytest.mark.soak
def test_drawn_ones_cost_hardly_more_than_the_best_of_all_orders():
    gaps = []
    random = np.random.default_rng(7)
    while len(gaps) < 24:
        instance = drawn(random)
        if instance.lead_periods + instance.life_periods > 4:
            continue
        together = convolved(instance.law, instance.lead_periods + instance.life_periods + 1)
        best = best_cost(instance, -8, quantile_units(together, 0.999) + 1)
        gaps.append(refined_score(instance, POLICY).cost / best - 1)
        tell("drawn instances of waiting for goods that expire")
    print(f"above the optimum: mean {100 * np.mean(gaps):.3f} %, worst {100 * max(gaps):.2f} %")
    assert min(gaps) > -2e-4
    assert np.mean(gaps) < 0.005
    assert max(gaps) < 0.03


def drawn(random):
    law = random.dirichlet(np.ones(random.integers(2, 6)))
    return waiting(
        demand=law.tolist(), L=int(random.integers(0, 3)), m=int(random.integers(1, 4)), p=float(np.exp(random.uniform(-1.5, 4))),
        w=float(random.uniform(0, 15) * random.choice([1, 1, 10])), c=float(random.integers(0, 3)),
        K=float(random.choice([0, 0, 0, 3, 8])), issuing=str(random.choice(["fifo", "lifo"])),
    )  # fmt: skip


@pytest.mark.parametrize("lead", [0, 2])
def test_what_never_gets_old_costs_what_goods_that_keep_cost(lead):
    """At least one a day and at most four there: nothing gets older than five days."""
    fresh = waiting(demand=[0, 0.5, 0.5], m=6, L=lead, w=50)
    keeps = waiting(demand=[0, 0.5, 0.5], m=None, L=lead)
    for level in (1, 2, 3):
        policy = up_to(level)
        found = met_cost(fresh, lambda states, policy=policy: policy.orders(fresh, states), 1e-6)
        position = level + int(1.5 * lead)
        assert found.cost == pytest.approx(levels_cost(keeps, position - 1, position), rel=1e-5)
    assert refined_score(fresh, POLICY).cost == pytest.approx(best_levels(keeps).cost, rel=1e-3)


def test_simulated_and_exact_costs_agree_and_who_waits_dearly_is_served():
    dear, cheap = (waiting(L=1, m=3, demand=[0.3, 0.4, 0.2, 0.1], p=price, w=2) for price in (2000, 1))
    shares = []
    for instance in (dear, cheap):
        found = refined_score(instance, POLICY)
        policy = RefinedPolicy(POLICY, found.correction)
        drawn = simulated_cost(instance, policy, runs=64, periods=300, seed=3)
        assert abs(drawn.cost - found.cost) < 3 * drawn.half_width
        shares.append(drawn.unserved_share)
    assert shares[0] < 0.002
    assert shares[1] > 0.05


def test_the_command_says_how_it_came_to_the_cost_and_that_the_optimum_is_unknown(capsys, tmp_path):
    path = tmp_path / "i.json"
    described = {
        "demand_pmf": [0.5, 0, 0.5],
        "L": "0",
        "h": 1,
        "p": "6",
        "w": 3,
        "shelf_life": "2",
        "type": "backorder",
    }
    path.write_text(json.dumps(described))
    assert main(["policy-cost", "--instance", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["method"] == "exact"
    assert said["cost_low"] <= said["cost"] <= said["cost_high"]
    assert said["cost"] == pytest.approx(5 / 3, rel=1e-3)
    assert said["optimal_cost"] is None
    assert "wait for goods that expire" in said["optimal_note"]
