"""The benchmark's own instances: descriptions as somebody else might write them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from benchmarks.replenishing.outside import CLASSES, outside
from models.policy.instance import BACKORDER, instance_from


def test_every_description_is_read_and_they_reach_far():
    drawn = [(kind, instance_from(described)) for kind, described in outside(30)]
    assert {kind for kind, _ in drawn} == set(CLASSES)
    assert max(instance.lead_periods for _, instance in drawn) == 12
    assert max(instance.mean for _, instance in drawn) > 300
    assert min(instance.shortage / instance.holding for _, instance in drawn) < 0.5
    assert max(instance.shortage / instance.holding for _, instance in drawn) > 1000
    assert {instance.life_periods for _, instance in drawn} >= {1, 2, 3, 4, 5, 6, 7}
    assert any(instance.unmet == BACKORDER and instance.fixed_order == 0 for _, instance in drawn)
    assert any(instance.law[0] == 0 for _, instance in drawn)  # demand that is never nothing
    assert any(instance.law.max() == 1 for _, instance in drawn)  # always the same


def test_few_are_the_first_of_many():
    few, many = list(outside(2)), list(outside(4))
    assert [described for kind, described in many if kind == CLASSES[1]][:2] == [
        described for kind, described in few if kind == CLASSES[1]
    ]
