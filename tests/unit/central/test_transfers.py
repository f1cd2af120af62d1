"""Transfers: a giver keeps what it needs, a taker gets what it would miss, and the trip is worth its cost."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.transfers import Outlook, Terms, expected_above, mismatch_of, propose_transfers

TERMS = Terms(
    reach_km=30, carry_days=1, handling_cents=300, unit_cents=10, cents_per_km=30, emergency_cents=2_000
)


def outlook(store, on_hand, a_day=10.0, **changes):
    fields = {
        "on_hand_units": on_hand, "mean_units": [a_day] * 14, "high_units": [a_day * 1.3] * 14, "arrivals": (),
        "next_delivery_days": 4, "emergency_days": None, "margin_cents": 150, "cost_cents": 200,
    }  # fmt: skip
    return Outlook(store, **(fields | changes))


def near(_a, _b):
    return 5.0


def test_a_surplus_goes_where_it_is_missed():
    (transfer,) = propose_transfers("milk", [outlook("a", 120), outlook("b", 5)], near, TERMS)
    assert (transfer.giver, transfer.taker) == ("a", "b")
    assert 25 <= transfer.quantity_units <= 50, "four days at ten a day, five are there"
    assert transfer.missed_after_units < 0.4 * transfer.missed_before_units, "the first day is past help"
    assert transfer.net_cents > 0


def test_a_trip_that_costs_more_than_it_brings_is_not_made():
    poor = [outlook("a", 120), outlook("b", 38)]
    assert propose_transfers("milk", poor, near, TERMS) == []


def test_nothing_is_carried_out_of_reach_or_to_an_unknown_place():
    rows = [outlook("a", 120), outlook("b", 5)]
    assert propose_transfers("milk", rows, lambda _a, _b: 31.0, TERMS) == []
    assert propose_transfers("milk", rows, lambda _a, _b: None, TERMS) == []


def test_goods_on_their_way_are_waited_for():
    assert (
        propose_transfers("milk", [outlook("a", 120), outlook("b", 12, arrivals=((1, 40),))], near, TERMS)
        == []
    )


def test_an_order_outside_the_calendar_is_preferred_where_it_is_cheaper():
    rows = [outlook("a", 120), outlook("b", 5, emergency_days=1)]
    cheap = Terms(emergency_cents=100)
    assert propose_transfers("milk", rows, near, cheap) == []
    (transfer,) = propose_transfers("milk", rows, near, TERMS)
    assert transfer.against_order_cents > 0


def test_a_transfer_that_is_only_as_good_as_an_order_is_not_made():
    rows = [outlook("a", 120), outlook("b", 5, emergency_days=1)]
    dear = replace(TERMS, emergency_cents=1_000)
    (better,) = propose_transfers("milk", rows, near, dear)
    by_one = replace(TERMS, emergency_cents=1_000 - better.against_order_cents + 1)
    (kept,) = propose_transfers("milk", rows, near, by_one)
    assert kept.against_order_cents == 1
    equal = replace(TERMS, emergency_cents=1_000 - better.against_order_cents)
    assert propose_transfers("milk", rows, near, equal) == []


def test_goods_that_would_perish_pay_for_the_trip():
    rows = [outlook("b", 37)]
    keeps, perishes = outlook("a", 120), outlook("a", 120, waste_by_days=5)
    assert propose_transfers("milk", [keeps, *rows], near, TERMS) == []
    assert propose_transfers("milk", [perishes, *rows], near, TERMS) != []


def test_two_takers_share_what_one_giver_can_spare():
    found = propose_transfers("milk", [outlook("a", 100), outlook("b", 0), outlook("c", 0)], near, TERMS)
    assert {transfer.taker for transfer in found} <= {"b", "c"}
    assert sum(transfer.quantity_units for transfer in found) <= outlook("a", 100).spare_units()


def test_the_map_shows_both_sides():
    assert mismatch_of("milk", outlook("a", 120)).spare_units > 50
    assert mismatch_of("milk", outlook("b", 0)).missed_units == pytest.approx(40, abs=0.5)


@given(
    on_hand=st.lists(st.integers(0, 300), min_size=2, max_size=6),
    a_day=st.lists(st.floats(0, 40), min_size=6, max_size=6),
    waste=st.none() | st.integers(1, 6),
    emergency=st.none() | st.integers(1, 6),
)
def test_no_giver_falls_below_its_own_need(on_hand, a_day, waste, emergency):
    rows = [
        outlook(f"s{n}", units, a_day[n], waste_by_days=waste, emergency_days=emergency)
        for n, units in enumerate(on_hand)
    ]
    spare = {row.store: row.spare_units() for row in rows}
    given_away = dict.fromkeys(spare, 0)
    for transfer in propose_transfers("milk", rows, near, TERMS):
        assert transfer.quantity_units > 0
        assert transfer.net_cents > 0
        assert transfer.missed_after_units <= transfer.missed_before_units + 1e-9
        given_away[transfer.giver] += transfer.quantity_units
    for store, units in given_away.items():
        assert units <= spare[store]


def test_the_expected_miss_is_that_of_a_simulation():
    chance = random.Random(7)
    drawn = [max(0.0, chance.gauss(40, 9) - 35) for _ in range(200_000)]
    assert expected_above(35, 40, 9) == pytest.approx(sum(drawn) / len(drawn), rel=0.01)
