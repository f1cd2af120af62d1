import numpy as np
import pytest

from models.policy.instance import BACKORDER, instance_from
from models.policy.learned import shipped_policy
from models.training import policy_lessons
from models.training.policy_lessons import MAX_ORDER, Mix, collected, joined, lessons_of, random_instance

DEMAND = {"distribution": "poisson", "mean": 5}


def lessons(**described):
    instance = instance_from({"demand": DEMAND, "lead_time": 2, "h": 1, "p": 9, **described})
    return instance, lessons_of(instance, 0, np.random.default_rng(1))


@pytest.mark.parametrize(
    "more", [{}, {"K": 20}, {"K": 20, "unmet": "backorder"}, {"shelf_life": 2, "w": 5, "L": 1}]
)
def test_a_lesson_says_what_each_order_costs_over_the_best(more):
    if "L" in more:
        more = {**more, "lead_time": more["L"]}
        del more["L"]
    _, found = lessons(**more)
    assert found.advantage.shape == (len(found.weight), MAX_ORDER + 1)
    assert np.allclose(found.advantage.min(axis=1), 0, atol=1e-6)
    assert found.weight.sum() == pytest.approx(1, abs=1e-5)
    assert np.isfinite(found.features).all()
    assert (found.advantage[:, -1] > 0.2).all()  # no lesson teaches to order without end


def test_the_mean_lesson_of_a_policy_is_its_gap():
    """The performance difference identity, by which the fit's loss is the long-run gap itself."""
    instance, found = lessons()
    missing = shipped_policy()
    from models.policy.projection import Outlook

    level = found.scales[:, 3].astype(float)
    zero = np.zeros(len(level))
    spread = found.features[:, policy_column("level_spread")] * found.scales[:, 1] * 3**0.5
    lost = found.features[:, policy_column("lost_on_the_way")] * found.scales[:, 0] * 3
    outlook = Outlook(level, spread, found.features[:, policy_column("empty_share")], lost, zero, zero)
    target = missing.target(instance, outlook)
    orders = np.clip(np.floor(target.up_to_units - level + 0.5), 0, MAX_ORDER).astype(int)
    mean = float((found.advantage[np.arange(len(orders)), orders] * found.weight).sum())
    assert 0 <= mean < 0.005
    worse = np.minimum(orders + 3, MAX_ORDER)
    assert float((found.advantage[np.arange(len(orders)), worse] * found.weight).sum()) > 5 * mean + 0.01


def policy_column(name):
    from models.policy.features import NAMES

    return NAMES.index(name)


def test_random_instances_are_of_every_kind_and_the_same_for_a_seed():
    drawn = [random_instance(np.random.default_rng(seed)) for seed in range(60)]
    assert {instance.lead_periods for instance in drawn} >= {1, 2, 3, 4}
    assert any(instance.unmet == BACKORDER for instance in drawn)
    assert any(instance.life_periods for instance in drawn)
    assert any(instance.fixed_order for instance in drawn)
    again = random_instance(np.random.default_rng(7))
    assert np.array_equal(again.law, drawn[7].law)


def test_lessons_collect_and_join(monkeypatch):
    monkeypatch.setattr(policy_lessons, "MAX_WORK", 200_000)
    whole = joined(list(collected(range(5), 3, Mix())))
    assert set(whole.of) == {0, 1, 2, 3, 4}
    # Every instance has draws of its own: a part is the same alone.
    part = joined(list(collected(range(3, 5), 3, Mix())))
    assert np.array_equal(part.features, whole.features[whole.of >= 3])


def test_a_mix_says_what_kinds_there_are():
    only_aged = Mix(shares=(0.0, 0.0, 1.0, 0.0), aged_lot_share=1.0)
    drawn = [random_instance(np.random.default_rng(seed), only_aged) for seed in range(8)]
    assert all(instance.life_periods and instance.fixed_order for instance in drawn)


def test_a_wide_mix_reaches_further_and_takes_long_orders_in_steps():
    wide = Mix(shares=(0.25, 0.25, 0.25, 0.25), aged_lot_share=0.75, wide=True)
    drawn = [random_instance(np.random.default_rng(seed), wide) for seed in range(150)]
    assert max(instance.life_periods or 0 for instance in drawn) == 7
    assert max(instance.waste for instance in drawn) > 200
    assert max((2 * instance.fixed_order / instance.mean) ** 0.5 for instance in drawn) > 11
    assert any(instance.unmet == BACKORDER and instance.fixed_order == 0 for instance in drawn)
    described = {"demand": {"distribution": "poisson", "mean": 40}, "lead_time": 0, "h": 1, "p": 9, "K": 900}
    instance = instance_from({**described, "unmet": "backorder"})
    found = lessons_of(instance, 0, np.random.default_rng(1), wide)
    assert (found.scales[:, 4] > 1).all()
    # The best order of a state, in units, is about the lot.
    best = found.advantage.argmin(axis=1) * found.scales[:, 4]
    assert 200 < best.max() < 500
