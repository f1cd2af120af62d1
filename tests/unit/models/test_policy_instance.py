import json

import numpy as np
import pytest

from models.__main__ import main
from models.policy.demand_law import convolved, law_from, moments, quantile_units
from models.policy.errors import InstanceError
from models.policy.instance import instance_from

GOOD = {"demand": {"distribution": "poisson", "mean": 3}, "lead_time": 1, "h": 1, "p": 9}


@pytest.mark.parametrize(
    ("described", "mean", "variance"),
    [
        ({"distribution": "poisson", "mean": 5}, 5, 5),
        ({"distribution": "geometric", "mean": 5}, 5, 30),
        ({"distribution": "negative_binomial", "mean": 4, "dispersion": 0.5}, 4, 12),
        ({"distribution": "negative_binomial", "mean": 4, "cv": 1.0}, 4, 16),
        ({"distribution": "binomial", "mean": 3, "trials": 10}, 3, 2.1),
        ({"distribution": "uniform", "mean": 4}, 4, 80 / 12),
        ({"distribution": "gamma", "mean": 40, "cv": 0.5}, 40, 400),
        ({"distribution": "normal", "mean": 50, "std": 6}, 50, 36),
        ({"distribution": "constant", "mean": 7}, 7, 0),
        ({"pmf": [0.5, 0, 0.5]}, 1, 1),
        ({"samples": [1, 1, 3, 3]}, 2, 1),
        ([0.5, 0, 0.5], 1, 1),
        # The same, as others write it.
        ({"pmf": [0.5, 0, 0.5], "offset": 3}, 4, 1),
        ({"pmf": {"3": 0.5, "5": 0.5}}, 4, 1),
        ({"3": 0.5, "5": 0.5}, 4, 1),
        ([[3, 0.5], [5, 0.5]], 4, 1),
        ({"values": [5, 3], "probabilities": [0.5, 0.5]}, 4, 1),
        ({"dist": "Poisson", "lambda": 5}, 5, 5),
        ({"type": "binomial", "n": 10, "p": 0.3}, 3, 2.1),
        ({"distribution": "uniform", "low": 2, "high": 6}, 4, 2),
        ({"distribution": "gamma", "shape": 4, "scale": 10}, 40, 400),
        ({"distribution": "negative binomial", "mean": 4, "r": 2}, 4, 12),
        ({"distribution": "deterministic", "value": 7}, 7, 0),
        ({"pmf": [0.33333, 0.33333, 0.33333]}, 1, 2 / 3),
    ],
)
def test_a_law_has_the_moments_it_was_named_with(described, mean, variance):
    law = law_from(described)
    assert law.sum() == pytest.approx(1)
    found = moments(law)
    assert found[0] == pytest.approx(mean, rel=5e-3)
    assert found[1] ** 2 == pytest.approx(variance, rel=0.01, abs=1e-9)


def test_sums_of_periods_add_up():
    law = law_from({"distribution": "poisson", "mean": 3})
    whole = convolved(law, 4)
    assert moments(whole)[0] == pytest.approx(12)
    assert quantile_units(whole, 0.5) == 12
    assert np.array_equal(convolved(law, 0), [1.0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"demand": None}, "demand"),
        ({"demand": {"pmf": [0.5, 0.4]}}, "sum"),
        ({"demand": {"pmf": [-0.5, 1.5]}}, "pmf"),
        ({"demand": {"pmf": ["x"]}}, "pmf"),
        ({"demand": {"samples": [-1]}}, "samples"),
        ({"demand": {"distribution": "zipf", "mean": 2}}, "zipf"),
        ({"demand": {"distribution": "gamma", "mean": 2}}, "cv"),
        ({"demand": {"distribution": "poisson", "mean": 1e5}}, "count in cases"),
        ({"demand": {"distribution": "poisson", "mean": 0}}, "mean above 0"),
        ({"demand": {"pmf": [0.5, 0.5], "shift": 3}}, "demand.shift: no such field"),
        ({"demand": {"distribution": "poisson", "mean": 3, "std": 2}}, "poisson has no such field"),
        ({"demand": {"distribution": "poisson", "mean": 3, "lambda": 3}}, "given twice"),
        ({"demand": {"distribution": "geometric", "p": 0.2}}, "geometric has no such field"),
        ({"demand": {"distribution": "poisson"}}, "demand.mean: it is missing"),
        ({"demand": {"distribution": "constant", "mean": 4.5}}, "whole units"),
        ({"demand": {"distribution": "uniform", "mean": 4.2}}, "low and high"),
        ({"demand": {"distribution": "uniform", "low": 4, "high": 2}}, "demand.high"),
        ({"demand": {"values": [1, 2], "pmf": [1]}}, "as long as pmf"),
        ({"demand": {"1.5": 1.0}}, "whole units"),
        ({"demand": [[1, 0.5], [1, 0.5]]}, "given twice"),
        ({"demand": [[1, 2, 3]]}, "no pair"),
        ({"lead_time": 28, "shelf_life": 9}, "more than 240"),
        ({"lead_time": float("nan")}, "lead_time_periods"),
        ({"lead_time": float("inf")}, "lead_time_periods"),
        ({"p": float("nan")}, "shortage_cost"),
        ({"K": 1e9}, "below 1e9"),
        ({"lead_time": 1.5}, "lead_time_periods"),
        ({"lead_time": -1}, "lead_time_periods"),
        ({"h": 0}, "holding_cost"),
        ({"p": "nine"}, "shortage_cost"),
        ({"K": -1}, "fixed_order_cost"),
        ({"unmet": "stolen"}, "unmet_demand"),
        ({"shelf_life": 0}, "shelf_life_periods"),
        ({"lead_time": "two"}, "lead_time_periods: it is 'two'"),
        ({"lead_time": "2 days"}, "lead_time_periods"),
        ({"lead_time": "1.5"}, "lead_time_periods"),
        ({"h": "1,5"}, "holding_cost: it is '1,5'"),
        ({"h": True}, "holding_cost"),
        ({"p": "nan"}, "shortage_cost"),
        ({"K": "-1"}, "fixed_order_cost"),
        ({"shelf_life": "inf"}, "or leave it out"),
        ({"demand": {"distribution": "poisson", "mean": "five"}}, "demand.mean: it is 'five'"),
        ({"demand": ["0.5", "half"]}, "demand.pmf"),
        ({"holding_cost": 2}, "given twice"),
        ({"leed_time": 2}, "no such field"),
        ({"p": None}, "it is missing; write it .also as penalty_cost"),
        ({"demand": None}, "demand: it is missing"),
        ({"demand": {"mean": 3}}, "demand.distribution: it is missing"),
        ({"demand": [0.3, 0.3, 0.39]}, "its sum is 0.99"),
        ({"lost_sales": "yes"}, "lost_sales: it is 'yes'; write true or false"),
        ({"backorder": True, "unmet": "lost"}, "given twice"),
        ({"mean": 3}, "mean: no such field"),
        ({"shelf_life": 0.5}, "or leave it out"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, says):
    with pytest.raises(InstanceError, match=says):
        instance_from({**GOOD, **change})


def test_the_command_prints_cost_bounds_and_optimum(capsys, tmp_path):
    path = tmp_path / "i.json"
    path.write_text(json.dumps(GOOD))
    assert main(["policy-cost", "--instance", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["cost_low"] <= said["cost"] <= said["cost_high"]
    assert said["gap_percent"] <= 0.5
    assert main(["policy-cost", "--instance", str(path)]) == 0
    assert "optimum" in capsys.readouterr().out


def test_a_bad_file_exits_1_and_says_why(capsys, tmp_path):
    path = tmp_path / "i.json"
    path.write_text("{")
    assert main(["policy-cost", "--instance", str(path)]) == 78
    assert "no JSON" in capsys.readouterr().err
    assert main(["policy-cost", "--instance", str(tmp_path / "none.json")]) == 78


def test_other_names_and_empty_fields_say_the_same():
    said = {
        "demand": [[3, 0.5], [5, 0.5]],
        "lead": 2,
        "holding": 1,
        "penalty": 9,
        "order_cost": None,
        "lifetime": float("inf"),
    }
    instance = instance_from({**said, "unmet": "Backlogged"})
    assert (instance.unmet, instance.fixed_order, instance.life_periods) == ("backorder", 0.0, None)
    assert instance.law.tolist() == [0, 0, 0, 0.5, 0, 0.5]


@pytest.mark.parametrize(
    "said",
    [
        {"demand": "poisson", "mean": "3", "L": "1", "h": "1.0", "p": " 9 ", "K": "0"},
        {
            "demand": {"distribution": "poisson", "mean": "3"},
            "lead_time": "1",
            "h": "1e0",
            "p": "9",
            "shelf_life": None,
        },
        {"demand": "poisson", "mean": 3, "lead_time": 1, "h": 1, "p": 9},
        {"demand": "poisson", "lambda": 3, "lead_time": 1, "h": 1, "p": 9, "lost_sales": True},
        {"name": "ours", "instance": {**GOOD, "backorder": False}},
    ],
)
def test_what_others_write_flat_or_wrapped_or_as_a_flag_says_the_same(said):
    instance, good = instance_from(said), instance_from(GOOD)
    assert np.array_equal(instance.law, good.law)
    assert (instance.unmet, instance.lead_periods, instance.shortage) == ("lost", 1, 9.0)
    assert instance_from({**GOOD, "backorder": True}).unmet == "backorder"


def test_masses_may_be_text_and_customers_may_wait_for_goods_that_expire():
    instance = instance_from(
        {"demand": ["0.5", "0.5"], "L": "2", "h": 1, "p": 9, "m": "3", "unmet": "backorder"}
    )
    assert instance.law.tolist() == [0.5, 0.5]
    assert (instance.unmet, instance.lead_periods, instance.life_periods) == ("backorder", 2, 3)


def test_masses_that_were_rounded_are_scaled_and_that_is_said(capsys, tmp_path):
    path = tmp_path / "i.json"
    path.write_text(json.dumps({**GOOD, "demand": [0.3333, 0.3333, 0.3331]}))
    assert main(["policy-cost", "--instance", str(path), "--network-only"]) == 0
    assert "masses sum to 0.9997 and were scaled to 1" in capsys.readouterr().err
    path.write_text(json.dumps({**GOOD, "demand": [0.25, 0.25, 0.5]}))
    assert main(["policy-cost", "--instance", str(path), "--network-only"]) == 0
    assert capsys.readouterr().err == ""
