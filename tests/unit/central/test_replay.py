"""A replay: the same days under two rules, goods counted, nothing made of nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.replay import FIGURES, Outcome, PlayedDay, Rule, changed, order_quantity, play, play_by_day

RULE = Rule(
    service_level=0.95, lead_time_days=2, review_days=1, pack_units=6, min_order_units=0, max_stock_units=None,
    shelf_life_days=None, cost_cents=100, auto_approve_below_cents=2_000,
)  # fmt: skip


def steady(units=10, days=28, share=0.0):
    return [PlayedDay(units, share, float(units), [float(units)] * 7, [units * 1.3] * 7)] * days


def test_a_steady_shop_is_never_empty_and_orders_what_it_sells():
    found = play(steady(), RULE, opening_units=40)
    assert (found.missed_units, found.stock_out_minutes, found.demand_units) == (0, 0, 280)
    assert abs(found.ordered_units - 280) <= 40
    assert found.ordered_units % 6 == 0


def test_the_days_add_up_to_the_whole():
    days = play_by_day(steady(), RULE, opening_units=40)
    assert len(days) == 28
    assert sum(days, Outcome()) == play(steady(), RULE, opening_units=40)


def test_outcomes_add_up_field_by_field():
    ones, tens = (Outcome(*(factor * n for n in range(1, len(FIGURES) + 1))) for factor in (1, 10))
    assert [getattr(ones + tens, name) for name in FIGURES] == [11 * n for n in range(1, len(FIGURES) + 1)]


def test_a_higher_service_level_misses_less_and_holds_more():
    bumpy = [PlayedDay(units, 0.0, 10.0, [10.0] * 7, [16.0] * 7) for units in (4, 10, 16, 25, 9, 3, 12) * 6]
    low, high = (play(bumpy, replace(RULE, service_level=level), 30) for level in (0.6, 0.99))
    assert high.missed_units < low.missed_units
    assert high.stock_unit_days > low.stock_unit_days


def test_goods_that_perish_are_wasted_when_too_many_are_there():
    found = play(steady(2, days=10), replace(RULE, shelf_life_days=4), opening_units=60)
    assert found.wasted_units == 60 - 4 * 2
    assert play(steady(2, days=10), RULE, opening_units=60).wasted_units == 0


def test_sales_of_an_empty_shelf_do_not_tell_the_demand():
    assert PlayedDay(0, 0.5, 8.0, [9.0], [12.0]).demand_units == 8
    assert PlayedDay(0, 0.0, 8.0, [9.0], [12.0]).demand_units == 0
    assert PlayedDay(11, 0.5, 8.0, [9.0], [12.0]).demand_units == 11


def test_dear_orders_are_asked_of_a_person():
    assert play(steady(), RULE, 0).asked > 0
    assert play(steady(), replace(RULE, auto_approve_below_cents=1_000_000), 0).asked == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"servicelevel": 0.9}, "a rule has no servicelevel"),
        ({"service_level": 1.0}, "service_level 1.0 must be"),
        ({"review_days": 0}, "review_days 0 must be at least 1"),
        ({"lead_time_days": -1}, "lead_time_days -1 must not be negative"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        changed(RULE, changes)


@given(
    sold=st.lists(st.integers(0, 40), min_size=1, max_size=40),
    opening=st.integers(0, 100),
    pack=st.integers(1, 12),
    lead=st.integers(0, 4),
    review=st.integers(1, 4),
    life=st.none() | st.integers(1, 9),
    room=st.none() | st.integers(0, 80),
)
def test_every_unit_is_sold_wasted_or_still_there(sold, opening, pack, lead, review, life, room):
    days = [PlayedDay(units, 0.0, 10.0, [12.0] * 5, [18.0] * 5) for units in sold]
    rule = replace(
        RULE,
        pack_units=pack,
        lead_time_days=lead,
        review_days=review,
        shelf_life_days=life,
        max_stock_units=room,
    )
    found, before = play(days, rule, opening), Outcome() if len(days) == 1 else play(days[:-1], rule, opening)
    served = found.demand_units - found.missed_units
    left = found.stock_unit_days - before.stock_unit_days
    underway = found.ordered_units + opening - served - found.wasted_units - left
    assert 0 <= underway <= found.ordered_units
    assert found.ordered_units % pack == 0
    assert found.missed_units <= found.demand_units
    if room is not None:
        assert order_quantity(days[0], rule, 0, 0) <= room
