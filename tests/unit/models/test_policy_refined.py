import json

import numpy as np
import pytest

from models.__main__ import main
from models.policy.exact import policy_cost
from models.policy.instance import instance_from
from models.policy.lattice import bounds_of, lattice_of
from models.policy.learned import shipped_policy
from models.policy.met import Codes, met_cost
from models.policy.refined import Correction, RefinedPolicy, refined
from models.policy.scoring import refined_score

POLICY = shipped_policy()
POISSON = {"distribution": "poisson", "mean": 5}
TWO_VALLEYS = {"demand": POISSON, "lead_time": 2, "h": 1, "p": 14, "K": 5}


def problem(**described):
    return instance_from({"demand": POISSON, "lead_time": 1, "h": 1, "p": 9, **described})


PROBLEMS = [
    problem(),
    problem(lead_time=0),
    problem(lead_time=3, demand={"distribution": "geometric", "mean": 2}),
    problem(lead_time=2, K=9),
    problem(K=20, unmet="backorder", lead_time=2),
    problem(shelf_life=3, w=4, c=1, demand={"distribution": "poisson", "mean": 2}),
    problem(shelf_life=2, w=4, issuing="lifo", lead_time=2, demand={"distribution": "poisson", "mean": 2}),
]


@pytest.mark.parametrize("instance", PROBLEMS)
def test_the_states_that_are_met_tell_the_same_cost_as_all_states(instance):
    lattice = lattice_of(instance, bounds_of(instance))
    orders = POLICY.orders(instance, lattice.states)
    assert orders.max() < lattice.n_orders
    whole = policy_cost(instance, lattice, orders)
    met = met_cost(instance, lambda states: POLICY.orders(instance, states))
    assert met.low <= met.cost <= met.high
    assert met.cost == pytest.approx(whole.cost, rel=3e-4)


def test_what_costs_more_than_its_loss_is_best_not_sold():
    found = refined_score(problem(p=2, c=5, demand={"distribution": "poisson", "mean": 3}), POLICY)
    assert found.optimal_cost == pytest.approx(6, rel=1e-3)
    assert found.cost == pytest.approx(6, rel=1e-3)


def test_codes_lead_back_to_their_states():
    waiting, aged = problem(unmet="backorder"), problem(shelf_life=3, lead_time=2)
    for instance, states in ((waiting, [[-7], [0], [12]]), (aged, [[0, 0, 0, 0], [3, 1, 0, 9]])):
        codes = Codes(instance)
        assert np.array_equal(codes.states(codes.of(np.array(states))), states)
    with pytest.raises(OverflowError, match="its code fewer"):
        Codes(problem(shelf_life=28, lead_time=3)).of(np.full((1, 30), 5))


def test_what_holds_too_many_states_is_not_refined_but_simulated(monkeypatch):
    assert met_cost(problem(), lambda states: POLICY.orders(problem(), states), max_cells=20) is None
    monkeypatch.setattr("models.policy.refined.MAX_CELLS", 20)
    assert refined(problem(), POLICY) is None


@pytest.mark.parametrize("instance", PROBLEMS)
def test_a_refined_policy_never_costs_more_than_the_network_alone(instance):
    found = refined(instance, POLICY)
    assert found.cost.cost <= found.network_cost.cost
    again = RefinedPolicy(POLICY, found.correction)
    cost = met_cost(instance, lambda states: again.orders(instance, states))
    assert cost.cost == pytest.approx(found.cost.cost, rel=3e-4)
    assert refined(instance, POLICY).correction == found.correction


def test_no_correction_is_the_network():
    states = lattice_of(PROBLEMS[3], bounds_of(PROBLEMS[3])).states
    same = RefinedPolicy(POLICY, Correction()).orders(PROBLEMS[3], states)
    assert np.array_equal(same, POLICY.orders(PROBLEMS[3], states))


def test_of_two_valleys_the_deeper_one_is_found():
    """Lost sales, K 5, L 2, p 14 (Bijvank): optimum 11.463, the best (s,S) 11.618."""
    found = refined_score(instance_from(TWO_VALLEYS), POLICY)
    assert found.cost <= 11.52
    assert found.optimal_cost == pytest.approx(11.463, abs=2e-3)


def test_a_bound_on_the_work_ends_the_search_early():
    whole, little = refined(PROBLEMS[3], POLICY), refined(PROBLEMS[3], POLICY, max_work=1)
    assert little.trials == 1 < whole.trials
    assert little.correction == Correction()


def test_the_command_says_both_costs_and_the_network_s_alone_when_asked(capsys, tmp_path):
    path = tmp_path / "i.json"
    path.write_text(json.dumps(TWO_VALLEYS))
    assert main(["policy-cost", "--instance", str(path), "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert both["cost"] <= both["network_cost"]
    assert both["refined"]["trials"] > 1
    assert both["gap_percent"] <= both["network_gap_percent"]
    assert main(["policy-cost", "--instance", str(path), "--json", "--network-only"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["refined"] is None
    assert alone["cost"] == pytest.approx(both["network_cost"], rel=3e-4)
    assert main(["policy-cost", "--instance", str(path)]) == 0
    assert "network alone" in capsys.readouterr().out
