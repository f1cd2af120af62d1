"""A replay's rules: goods counted, nothing made of nothing, and each change that acts where the live rule would."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.replay import FIGURES, Outcome, Terms, changed
from central.core.replay_compare import (
    ASKED,
    BY_HAND,
    NOT_PLAYED,
    PACK,
    STOCK,
    Agreement,
    MadeOrder,
    agreement,
)
from central.core.replay_player import Player
from central.core.replay_shelf import PlayedShelf
from central.core.replay_words import Answer, Coming, People, PlayedHour, PlayedOrder
from central.core.replay_world import DepotWord, Load, Switched, World
from central.core.supplier_calendar import SupplierCalendar
from contract.api.restock import TriggerState
from contract.documents import SupplyLine

ZONE = ZoneInfo("UTC")
MONDAY = date(2017, 9, 4)
HOUR_MS = 3_600_000
LINE = SupplyLine(sku="milk", supplier="depot", lead_time_days=1, review_days=1, pack_units=6, cost_cents=100)
DEPOT = SupplierCalendar(ZONE, frozenset(range(7)), cutoff_minute=600, lead_time_days=1)
TERMS = Terms({"milk": LINE}, {}, auto_approve_below_cents=10_000)


def start_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def play(terms, daily=8, days=7, opening=20, target=30.0, people=None, coming=(), life=None, world=None):
    """A shop that sells `daily` units at noon, and models that order up to `target`. Returns the player."""
    shelf = PlayedShelf([(MONDAY.toordinal(), opening)], life)
    player = Player(terms, [("milk", 100, shelf)], coming, people or People(), ZONE, 6 * HOUR_MS, world)

    def answers(asks):
        found = []
        for ask in asks:
            position = sum(units for _, units in ask.on_hand) + sum(units for _, units in ask.arrivals)
            missing = max(0.0, target - position)
            units = -(-int(missing) // ask.line.pack_units) * ask.line.pack_units if missing > 0 else 0
            found.append(Answer(units, target, 1.0, [float(daily)] * 14))
        return found

    for number in range(days):
        day = MONDAY + timedelta(days=number)
        asks = player.begin_day(day, start_ms(day), [1e6])
        player.answered(asks, answers(asks), start_ms(day))
        for hour in range(24):
            at_ms = start_ms(day) + hour * HOUR_MS
            sales = ((0, daily),) if hour == 12 and daily else ()
            asks = player.hour(PlayedHour(at_ms, float(8 <= hour < 20), 1.0 if hour < 12 else 0.0, sales))
            player.answered(asks, answers(asks), at_ms + HOUR_MS - 1)
        player.end_day()
    return player


def total(player):
    return sum(player.outcomes(), Outcome())


def calendar_terms(**more):
    return replace(TERMS, calendars={"depot": replace(DEPOT, **more)})


def test_a_steady_shop_is_never_empty_and_orders_what_it_sells():
    found = total(play(TERMS, days=28))
    assert (found.missed_units, found.stock_out_minutes, found.demand_units) == (0, 0, 224)
    assert abs(found.ordered_units - 224) <= 30
    assert found.ordered_cents == 100 * found.ordered_units


def test_outcomes_add_up_field_by_field():
    ones, tens = (Outcome(*(factor * n for n in range(1, len(FIGURES) + 1))) for factor in (1, 10))
    assert [getattr(ones + tens, name) for name in FIGURES] == [11 * n for n in range(1, len(FIGURES) + 1)]


def test_an_order_waits_for_its_cut_off_and_grows_until_then():
    """
    Mon 00:00 decided  10:00 cut-off  │  Tue 6:00 the lorry
    """
    player = play(calendar_terms(), days=2, opening=20)
    first = player.orders[0]
    assert (first.day, first.created_ms) == (0, start_ms(MONDAY))
    assert first.cutoff_ms == start_ms(MONDAY) + 10 * HOUR_MS
    assert first.arrives_ms == start_ms(MONDAY + timedelta(days=1)) + 6 * HOUR_MS
    assert first.state is TriggerState.RECEIVED


def test_a_supplier_that_comes_less_often_leaves_shelves_empty():
    daily, weekly = (
        total(play(calendar_terms(order_weekdays=days))) for days in (frozenset(range(7)), frozenset({0}))
    )
    assert weekly.missed_units > daily.missed_units
    assert weekly.stock_out_minutes > daily.stock_out_minutes
    assert weekly.orders < daily.orders


def test_an_emergency_goes_past_the_calendar():
    slow = calendar_terms(order_weekdays=frozenset({4}), lead_time_days=2)
    fast = replace(slow, calendars={"depot": replace(slow.calendars["depot"], emergency_lead_days=1)})
    without, with_lane = total(play(slow)), total(play(fast))
    assert (without.emergencies, with_lane.emergencies > 0) == (0, True)
    assert with_lane.missed_units < without.missed_units


@pytest.mark.parametrize(
    ("people", "orders"), [(People(), True), (People(say_yes=True, wait_ms=3 * HOUR_MS), True), (People(say_yes=False), False)]
)  # fmt: skip
def test_what_is_dear_waits_for_people_who_do_as_they_did(people, orders):
    found = total(play(replace(TERMS, auto_approve_below_cents=1), people=people))
    assert found.asked > 0
    assert (found.orders > 0) is orders


def test_a_days_budget_makes_orders_wait():
    found = total(play(replace(TERMS, budget_cents=0), people=People(say_yes=False)))
    assert (found.orders, found.asked > 0) == (0, True)


def test_what_was_on_its_way_arrives_and_is_not_ordered_again():
    coming = [Coming(0, 12, start_ms(MONDAY) - HOUR_MS, start_ms(MONDAY) + 7 * HOUR_MS)]
    with_it, without = play(TERMS, days=1, coming=coming), play(TERMS, days=1)
    assert total(with_it).ordered_units == total(without).ordered_units - 6, "what the noon took, no more"
    assert total(with_it).stock_unit_days == total(without).stock_unit_days + 12


def test_what_others_order_later_is_not_known_before():
    later = [Coming(0, 12, start_ms(MONDAY) + 20 * HOUR_MS, start_ms(MONDAY) + 30 * HOUR_MS)]
    assert total(play(TERMS, days=1, coming=later)).ordered_units == total(play(TERMS, days=1)).ordered_units


def test_goods_that_expire_are_thrown_away():
    terms = replace(TERMS, lines={"milk": LINE.model_copy(update={"shelf_life_days": 2})})
    assert total(play(terms, daily=0, target=0.0, opening=20, life=2)).wasted_units == 20


@given(
    daily=st.integers(0, 30), opening=st.integers(0, 60), target=st.floats(0, 120),
    life=st.one_of(st.none(), st.integers(1, 9)), weekdays=st.frozensets(st.integers(0, 6), min_size=1),
)  # fmt: skip
def test_no_unit_is_made_or_lost(daily, opening, target, life, weekdays):
    terms = calendar_terms(order_weekdays=weekdays, emergency_lead_days=1)
    terms = replace(terms, lines={"milk": LINE.model_copy(update={"shelf_life_days": life})})
    player = play(terms, daily=daily, opening=opening, target=target, life=life)
    found = total(player)
    arrived = sum(one.quantity_units for one in player.orders if one.state is TriggerState.RECEIVED)
    left = player.outcomes()[-1].stock_unit_days
    assert opening + arrived == found.demand_units - found.missed_units + found.wasted_units + left
    assert found.ordered_units % LINE.pack_units == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pack": 6}, "a rule has no pack"),
        ({"service_level": 1.5}, "service_level 1.5 must be"),
        ({"review_days": 0}, "review_days 0 must be"),
        ({"order_weekdays": [7]}, "must name weekdays"),
        ({"order_weekdays": [1]}, "no supplier of this store has a calendar"),
    ],
)
def test_a_change_that_cannot_be_is_named(changes, says):
    with pytest.raises(ValueError, match=says):
        changed(TERMS, changes)


def test_a_change_reaches_every_line_calendar_and_limit():
    found = changed(
        calendar_terms(),
        {"service_level": 0.98, "lead_time_days": 3, "order_weekdays": [1], "budget_cents": 5},
    )
    assert (found.lines["milk"].service_level, found.lines["milk"].lead_time_days) == (0.98, 3)
    depot = found.calendars["depot"]
    assert (depot.lead_time_days, depot.order_weekdays, found.budget_cents) == (3, frozenset({1}), 5)


def order(day, units=12, on_hand=5, **more):
    return PlayedOrder(0, day, TriggerState.ORDERED, units, 0, 0, on_hand, **more)


def test_orders_are_matched_with_the_nearest_and_each_difference_has_a_reason():
    made = [
        MadeOrder(0, 1, 12, 5), MadeOrder(0, 4, 12, 5), MadeOrder(0, 9, 48, 5), MadeOrder(0, 20, 12, None, is_by_hand=True),
        MadeOrder(0, 30, 12, 5, was_asked=True), MadeOrder(0, 40, 12, 5, other_pack=True), MadeOrder(0, 50, 12, 5),
    ]  # fmt: skip
    played = [order(1), order(5), order(9), order(25), order(55, on_hand=40)]
    found = agreement(made, played, [6])
    assert (found.made, found.played, found.same, found.quantity) == (7, 5, 2, 1)
    assert found.only_made == {BY_HAND: 1, ASKED: 1, PACK: 1, STOCK: 1}
    assert found.only_played == {STOCK: 1, NOT_PLAYED: 1}
    assert (found + found).only_made[BY_HAND] == 2
    assert Agreement().share == 1.0


# ---- what others did ----


def switched(from_ms, until_ms=None, supplier=""):
    return Switched("kill-switch for chain", supplier, from_ms, until_ms)


def day_ms(days, hours=0):
    return start_ms(MONDAY + timedelta(days=days)) + hours * HOUR_MS


def test_while_a_kill_switch_was_on_orders_wait_for_people_who_never_say_yes():
    nobody = People(say_yes=False)
    free = total(play(TERMS, days=6, people=nobody))
    stopped = play(TERMS, days=6, people=nobody, world=World((switched(day_ms(0), day_ms(3)),)))
    assert (free.asked, free.missed_units) == (0, 0)
    assert total(stopped).asked > 0
    assert total(stopped).missed_units > 0
    assert min(order.told_ms for order in stopped.orders if order.counts) > day_ms(3)
    other = play(TERMS, days=6, people=nobody, world=World((switched(day_ms(0), None, "another depot"),)))
    assert total(other) == free


def test_a_kill_switch_thrown_after_the_approval_keeps_the_order_past_its_cut_off():
    """
    Mon 0:00 approved  5:00 the switch  10:00 cut-off  │  Tue 12:00 it is off: Wednesday's cut-off  │  Thu 6:00 the lorry
    """
    player = play(calendar_terms(), daily=0, days=5, world=World((switched(day_ms(0, 5), day_ms(1, 12)),)))
    first = player.orders[0]
    assert (first.created_ms, first.asked) == (day_ms(0), False)
    assert (first.state, first.told_ms) == (TriggerState.RECEIVED, day_ms(3, 6))
    never = play(calendar_terms(), daily=0, days=5, world=World((switched(day_ms(0, 5)),)))
    assert never.orders[0].state is TriggerState.EXPIRED, "two days after the cut-off nobody waits any more"


def test_a_depot_that_had_nothing_ships_nothing_and_one_that_had_less_cuts_the_order():
    def depot(units, **more):
        return World(depot={0: [DepotWord(0, units, None, **more)]})

    assert total(play(calendar_terms(), world=depot(None))) == total(play(calendar_terms()))
    assert total(play(calendar_terms(), world=depot(0))).orders == 0
    assert {order.quantity_units for order in play(calendar_terms(), world=depot(7)).orders} == {6}
    coming = depot(0, arriving=((MONDAY + timedelta(days=2), 500),))
    first = play(calendar_terms(), world=coming).orders[0]
    assert first.day == 1, "after Tuesday's cut-off it is picked on Wednesday, when the goods are there"
    word = DepotWord(day_ms(3), 500, None)
    later = play(calendar_terms(), world=World(depot={0: [DepotWord(0, 0, None), word]}))
    assert later.orders[0].created_ms >= day_ms(3)


def test_a_load_comes_as_late_and_as_short_as_the_real_one_and_the_rest_is_ordered_again():
    on_time = play(TERMS, days=7)
    load = Load(day_ms(0, 2), late_days=1, short_units=4)
    player = play(TERMS, days=7, world=World(loads={0: [load, Load(day_ms(5))]}))
    first, usual = player.orders[0], on_time.orders[0]
    assert (first.quantity_units, first.told_ms) == (usual.quantity_units, usual.arrives_ms)
    assert (first.arrives_ms, first.short_units) == (usual.arrives_ms + 24 * HOUR_MS, 4)
    assert player.orders[2].short_units == 0
    brought = sum(order.quantity_units - order.short_units for order in player.orders)
    assert total(player).demand_units == total(on_time).demand_units
    assert brought < total(player).ordered_units


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 23), st.integers(1, 60)), max_size=4),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40)), max_size=4),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 50)), max_size=4),
)
def test_goods_are_counted_whatever_others_did(switches, words, loads):
    """What was sold and is left is what was there and what loads brought; nothing comes of an order that never went out."""
    world = World(
        tuple(switched(day_ms(day, hour), day_ms(day, hour + long)) for day, hour, long in switches),
        {0: [DepotWord(day_ms(day), units, None) for day, units in sorted(words)]},
        {0: [Load(day_ms(day), late, short) for day, late, short in sorted(loads)]},
    )
    player = play(calendar_terms(), days=7, opening=20, world=world)
    found = total(player)
    came = sum(
        order.quantity_units - order.short_units
        for order in player.orders
        if order.state is TriggerState.RECEIVED
    )
    assert found.demand_units - found.missed_units + player.on_hand_units == 20 + came
