"""From weight to units: picks, put-backs, refills, and what no unit explains."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.weight import (
    HOLD_MS,
    CellFacing,
    CellRow,
    ChangeKind,
    begin_facing,
    observe,
)  # fmt: skip

MINUTE = 60_000
FACING = CellFacing("sku-1", 250.0, 300.0, 20)


class Scale:
    """A cell whose weights a test names in units; time runs by itself."""

    def __init__(self, facing=FACING, units=10):
        self.facing, self.cell, self.now = facing, CellRow(), 1_000_000
        begin_facing(self.cell, facing, 0, self.now)
        self.put(units)

    def put(self, units, extra_g=0.0, after_ms=10 * MINUTE, stable=True, sd=1.0):
        self.now += after_ms
        weight = self.facing.tare_g + units * self.facing.unit_weight_g + extra_g
        found = observe(self.cell, self.facing, weight, sd, self.now, stable=stable)
        return [(change.kind.value, change.units) for change in found]


def test_the_first_stable_weight_counts_the_units_without_a_sale():
    scale = Scale()
    assert scale.cell.units == 10


def test_units_that_leave_are_picked():
    scale = Scale()
    assert scale.put(8) == [("pick", 2)]
    assert scale.cell.units == 8


def test_a_put_back_cancels_the_pick():
    scale = Scale()
    scale.put(9)
    assert scale.put(10, after_ms=20_000) == [("put-back", 1)]


def test_many_units_that_come_are_a_refill_even_right_after_a_pick():
    scale = Scale()
    scale.put(4)
    assert scale.put(10, after_ms=10_000) == [("refill", 6)]


def test_a_unit_that_comes_without_a_pick_is_a_refill():
    assert Scale().put(11) == [("refill", 1)]


def test_a_restless_reading_counts_nothing():
    scale = Scale()
    assert scale.put(7, stable=False) == []
    assert scale.put(9, after_ms=1500) == [("pick", 1)]


def test_a_reading_from_before_the_last_one_says_nothing():
    scale = Scale()
    scale.put(9)
    assert observe(scale.cell, FACING, 300 + 10 * 250, 1, scale.now - 1, stable=True) == []


def test_drift_is_no_pick_and_does_not_add_up():
    scale = Scale()
    for hour in range(48):
        assert scale.put(10, extra_g=hour * 2.0, after_ms=60 * MINUTE) == []
    assert scale.cell.units == 10


def test_a_hand_on_the_shelf_waits_for_its_other_half():
    scale = Scale()
    assert scale.put(9, extra_g=-110) == []
    assert scale.put(9, after_ms=2000) == [("pick", 1)]


def test_what_no_unit_explains_is_declared_with_its_grams():
    scale = Scale()
    assert scale.put(10, extra_g=120) == []
    assert scale.put(10, extra_g=120, after_ms=HOLD_MS) == [("unresolved", 0)]
    assert scale.cell.units == 10
    assert scale.put(9, extra_g=120) == [("pick", 1)]
    assert scale.put(9) == [("unresolved", 0)]
    assert scale.cell.foreign_g == 0


def test_a_pick_beside_an_unexplained_thing_counts():
    scale = Scale()
    scale.put(10, extra_g=120)
    assert scale.put(9, extra_g=120, after_ms=5000) == [("pick", 1)]


def test_the_absolute_weight_wins_after_half_an_hour_of_clear_difference():
    scale = Scale()
    scale.cell.units = 8
    assert scale.put(10) == []
    assert scale.put(10, after_ms=40 * MINUTE) == [("counted", 2)]
    assert scale.cell.units == 10


def test_a_swapped_facing_is_no_sale_and_no_refill():
    scale = Scale()
    other = CellFacing("sku-2", 400.0, 300.0, 12)
    assert begin_facing(scale.cell, other, scale.now + MINUTE, scale.now + MINUTE) == []
    scale.facing = other
    assert scale.cell.units is None
    assert observe(scale.cell, other, 300 + 10 * 250, 1, scale.now + 2 * MINUTE, stable=True) == []
    assert scale.put(0, after_ms=3 * MINUTE) == []  # the shelf is being cleared
    assert scale.put(7, after_ms=MINUTE) == [("counted", 7)]
    assert scale.put(9, after_ms=MINUTE) == [("counted", 2)]  # still being filled
    assert scale.put(8, after_ms=10 * MINUTE) == [("pick", 1)]


def test_a_swap_waits_for_its_readings_however_late_they_are():
    scale = Scale()
    other = CellFacing("sku-2", 400.0, 300.0, 12)
    swapped_ms = scale.now + MINUTE
    begin_facing(scale.cell, other, swapped_ms, swapped_ms)
    assert scale.cell.units is None  # unknown, not the old goods counted by the new unit
    changes = observe(scale.cell, other, 300 + 7 * 400.0, 1, swapped_ms + 5000, stable=True)
    assert [(c.kind, c.units) for c in changes] == [(ChangeKind.COUNTED, 7)]


def test_a_late_planogram_takes_the_goods_that_lie_there():
    scale = Scale()
    scale.put(0, extra_g=7 * 410.0)
    other = CellFacing("sku-2", 410.0, 300.0, 12)
    changes = begin_facing(scale.cell, other, scale.now - MINUTE, scale.now + MINUTE)
    assert [(c.kind, c.units) for c in changes] == [(ChangeKind.COUNTED, 7)]


def test_a_weight_far_beyond_capacity_is_unknown_not_a_count():
    scale = Scale(units=0)
    cell = CellRow()
    begin_facing(cell, FACING, 0, 0)
    observe(cell, FACING, 300 + 100 * 250, 1, 1, stable=True)
    assert cell.units is None
    assert scale.cell.units == 0


def test_the_unit_weight_is_learned_when_the_catalogue_is_off():
    true_g = 250 * 1.012
    scale = Scale(units=0)
    level = 10
    scale.put(0, extra_g=level * true_g)
    for _ in range(12):
        level -= 2
        assert scale.put(0, extra_g=level * true_g) == [("pick", 2)]
        level += 2
        scale.put(0, extra_g=level * true_g)
    assert scale.put(0, extra_g=40 * true_g) == [("refill", 30)]


@pytest.mark.parametrize("unit_g", [20.0, 60.0, 450.0, 3000.0])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_units_counted_are_units_taken_over_noise_and_drift(unit_g, seed):
    """A day of picks, put-backs and refills over seeded noise, drift, catalogue error and uneven units."""
    rng = Random(seed)
    mean_g = unit_g * rng.gauss(1, 0.003)
    units = [mean_g * rng.gauss(1, 0.004) for _ in range(12)]
    facing = CellFacing("sku-1", unit_g, 300.0, 20)
    cell = CellRow()
    begin_facing(cell, facing, 0, 0)
    truth = {"pick": 0, "put-back": 0, "refill": 0}
    counted = dict.fromkeys([*truth, "unresolved", "counted"], 0)
    now, drift, drifted = 0, 0.0, 0

    def weigh(stable=True, swing=0.0):
        nonlocal drift, drifted
        step = min(1.0, (now - drifted) / (6 * 3_600_000))
        drifted = now
        drift += -drift * step + 1.5 * (2 * step) ** 0.5 * rng.gauss(0, 1) * (1 - step / 2)
        weight = 300 + sum(units) + drift + rng.gauss(0, 1.3) + swing
        for change in observe(cell, facing, weight, abs(rng.gauss(1.3, 0.3)), now, stable=stable):
            counted[change.kind.value] += change.units

    weigh()
    counted["counted"] = 0
    for hour in range(30):
        now = hour * 3_600_000 + 120_000
        weigh()
        for _ in range(rng.randrange(4)):
            now += rng.randrange(5, 12) * MINUTE
            taken = min(len(units), rng.randrange(1, 4))
            del units[:taken]
            truth["pick"] += taken
            weigh(stable=False, swing=rng.gauss(0, 100))
            now += 1800
            weigh()
            if taken and rng.random() < 0.2:
                now += 20_000
                units.append(mean_g * rng.gauss(1, 0.004))
                truth["put-back"] += 1
                weigh()
        if len(units) <= 10:
            now += 5 * MINUTE
            filled = 20 - len(units)
            units.extend(mean_g * rng.gauss(1, 0.004) for _ in range(filled))
            truth["refill"] += filled
            weigh()
    assert {kind: counted[kind] for kind in truth} == truth
    assert counted["unresolved"] == 0
    assert cell.units == len(units)
