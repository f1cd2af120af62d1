"""Demand, not sales: a shelf that is empty every evening does not teach the gateway that nobody wants the goods."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from edge_shop import DAY, HOUR, documents
from edge_world import World

from edge.core.day import ShopCalendar
from edge.core.hours import KEEP_DAYS, KEPT_A_DAY, Hours
from edge.inference import Forecasting, served_shares
from models.recalibration import BINS

MONDAY = date(2017, 9, 4)
FULL, EMPTY_FROM = 20, 17
BY_HOUR = {8: 0.1, 10: 0.15, 12: 0.2, 15: 0.15, 18: 0.3, 20: 0.1}
"""Two fifths of what people want is wanted after the shelf is empty."""


def calendar():
    return ShopCalendar(documents()[0])


def live(days, empty_skus, skus=12, level=20.0):
    """Shop in which the first `empty_skus` are sold out from 17 o'clock on; the histories before are of days served whole."""
    random = np.random.default_rng(5)
    world = World(random.poisson(level, (skus, 56)))
    is_empty = np.arange(skus) < empty_skus
    for _ in range(days):
        start_ms = world.now
        world.batch(world.weigh(**dict.fromkeys((f"c{n}" for n in range(1, skus + 1)), FULL)))
        is_out = False
        for hour, share in BY_HOUR.items():
            if hour >= EMPTY_FROM and not is_out:
                world.now = start_ms + (EMPTY_FROM - 7) * HOUR
                world.batch(world.weigh(**dict.fromkeys((f"c{n}" for n in range(1, empty_skus + 1)), 0)))
                is_out = True
            wanted = random.poisson(level * share, skus)
            world.sell(np.where(is_empty & is_out, 0, wanted), hour=hour)
        world.night()
    return world


def means(world):
    """(as the gateway forecasts, as it would from sales alone) a day, (skus,)."""
    inputs = list({line.sku: line.inputs for job in world.jobs for line in job.lines}.values())
    inputs.sort(key=lambda each: int(each.sku[4:]))
    history = np.array([each.history for each in inputs])
    day = world.jobs[-1].first_day
    demand = world.models.demand.forecast(history, day, served_share=served_shares(inputs)).mean.mean(axis=1)
    return demand, world.models.demand.forecast(history, day).mean.mean(axis=1)


@pytest.mark.parametrize("empty_skus", [6, 12], ids=["half-the-shop", "the-whole-shop"])
def test_a_shop_that_is_sold_out_every_evening_does_not_learn_the_lower_sales(empty_skus):
    world = live(28, empty_skus)
    demand, sales = means(world)
    assert sales[:empty_skus].mean() < 0.8 * 20
    # With nobody to learn the evening's share from, hours count alike: three of sixteen and a half, not two fifths.
    least = 0.93 if empty_skus == 6 else 0.85
    assert least * 20 < demand[:empty_skus].mean() < 1.08 * 20
    if empty_skus == 6:
        assert demand[6:] == pytest.approx(sales[6:])
    told = world.jobs[-1].lines[0].inputs
    assert min(told.served[-14:]) < 0.85


def test_days_that_were_cut_short_are_not_scored_as_demand_but_teach_the_levels():
    world = live(4, 6)
    scores = world.of_kind("model_score")
    assert [score.skus for score in scores][-1] == 6
    evidence = world.scored[-1][0].evidence
    assert sum(evidence[2][:BINS]) == pytest.approx(12, abs=0.1)


def test_hours_survive_a_kill_at_any_moment():
    world = live(2, 6)
    world.sell(np.full(12, 3), hour=10)
    before = [
        (rows.by_key.copy()) for rows in (world.core.state.hours.sold_rows, world.core.state.hours.profiles)
    ]
    shares = [
        world.core.state.hours.served(f"sku-{n}", "food", date(2017, 9, 7), 56, calendar()) for n in (1, 12)
    ]
    assert before[0]
    assert before[1]["food"]
    world.restart()
    hours = world.core.state.hours
    assert [hours.sold_rows.by_key, hours.profiles.by_key] == before
    assert [hours.served(f"sku-{n}", "food", date(2017, 9, 7), 56, calendar()) for n in (1, 12)] == shares
    assert shares[0][-1] < 1.0
    assert shares[1] == ()


def test_the_profile_counts_only_days_that_were_served_to_the_end_and_fades():
    hours = Hours()
    for day in ("2017-09-04", "2017-09-05"):
        hours.sold("whole", day, 9, 40)
        hours.sold("whole", day, 18, 60)
        hours.sold("cut", day, 9, 1000)
        hours.was_empty("cut", day, 18, HOUR)
        hours.sold("gone", day, 9, 1000)  # no longer in the item list
        hours.end_days(
            date.fromisoformat(day).replace(day=int(day[-2:]) + 1), {"whole": "food", "cut": "food"}
        )
    profile = hours.profiles.by_key["food"]
    assert profile[9] == pytest.approx(40 * (1 + KEPT_A_DAY), abs=0.01)
    assert profile[18] == pytest.approx(60 * (1 + KEPT_A_DAY), abs=0.01)
    assert not hours.sold_rows.by_key
    share = hours.served_on("cut", "food", MONDAY, calendar())
    assert 1 - 0.6 < share < 1 - 0.3  # drawn to even hours
    assert hours.served_on("whole", "food", MONDAY, calendar()) == 1.0
    hours.end_days(date(2018, 1, 1), {"cut": "food"})
    assert not hours.empty_rows.by_key
    assert hours.served("cut", "food", date(2018, 1, 1), KEEP_DAYS, calendar()) == ()


def test_a_facing_that_is_empty_while_the_shop_is_closed_misses_nothing():
    hours = Hours()
    hours.was_empty("a", "2017-09-04", 3, 0)
    assert hours.served_on("a", "food", MONDAY, calendar()) == 1.0
    hours.was_empty("a", "2017-09-04", 6, HOUR)
    assert hours.served_on("a", "food", MONDAY, calendar()) == pytest.approx(1 - 1 / 16, abs=1e-3)


def test_the_hour_of_the_day_is_the_shops_own_also_where_clocks_change():
    shop = calendar()
    assert shop.hour_of(shop.day_start_ms(MONDAY) + 9 * HOUR + 1) == 9
    assert sum(shop.open_ms_by_hour(MONDAY)) == 16 * HOUR
    berlin = ShopCalendar(documents()[0].model_copy(update={"timezone": "Europe/Berlin"}))
    longer = date(2017, 10, 29)
    start_ms = berlin.day_start_ms(longer)
    assert berlin.day_start_ms(date(2017, 10, 30)) - start_ms == DAY + HOUR
    assert berlin.hour_of(start_ms + 24 * HOUR + 1) == 23
    assert sum(berlin.open_ms_by_hour(longer)) == 16 * HOUR


def learned(units_by_hour, category="food"):
    hours = Hours()
    for hour, units in units_by_hour.items():
        hours.sold("a", "2017-09-04", hour, units)
    hours.end_days(date(2017, 9, 5), {"a": category})
    return hours


def test_what_is_left_of_a_day_follows_the_hours_at_which_its_category_sells():
    shop = calendar()
    start_ms = shop.day_start_ms(date(2017, 9, 5))
    evening = learned({9: 100, 18: 900, 19: 1000})
    noon_ms, six_ms = start_ms + 12 * HOUR, start_ms + 18 * HOUR
    assert evening.share_left("food", six_ms, shop) > 0.85
    assert evening.share_left("food", six_ms + HOUR // 2, shop) == pytest.approx(
        (evening.share_left("food", six_ms, shop) + evening.share_left("food", six_ms + HOUR, shop)) / 2,
        abs=2e-4,
    )
    # A category without sales of its own sells as its shop does.
    assert evening.share_left("new", noon_ms, shop) == pytest.approx(
        evening.share_left("food", noon_ms, shop), abs=0.02
    )
    shares = [evening.share_left("food", start_ms + n * HOUR // 4, shop) for n in range(96)]
    assert shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1.0, 0.0)


def test_until_hours_are_learned_what_is_left_is_the_opening_time():
    shop, hours = calendar(), Hours()
    start_ms = shop.day_start_ms(MONDAY)
    for minute in range(0, 24 * 60, 17):
        at_ms = start_ms + minute * 60_000
        assert hours.share_left("food", at_ms, shop) == pytest.approx(shop.share_left(at_ms), abs=1e-4)


@pytest.mark.parametrize("from_hour", [7, 12, 18, 19, 22])
def test_what_is_left_and_what_an_empty_shelf_cannot_serve_are_the_same_share(from_hour):
    """One profile for both: a facing that is empty from now on misses what is still to come."""
    shop, hours = calendar(), learned({9: 30, 12: 200, 18: 900, 19: 400})
    start_ms = shop.day_start_ms(date(2017, 9, 5))
    for hour in range(from_hour, 24):
        hours.was_empty("b", "2017-09-05", hour, shop.open_ms_by_hour(date(2017, 9, 5))[hour])
    left = hours.share_left("food", start_ms + from_hour * HOUR, shop)
    assert left == pytest.approx(1 - hours.served_on("b", "food", date(2017, 9, 5), shop), abs=2e-4)


def test_an_evening_shop_is_asked_with_its_evening():
    """Each line of a job carries its category's share, and the answer counts it, alone and beside others."""
    world = live(3, 0)
    job = world.jobs[-1]
    assert all(line.share_left is not None for line in job.lines)
    forecasting = Forecasting(world.models)
    line = next(line for line in job.lines if line.supply is not None)
    late, early = (
        forecasting.answer(replace(job, lines=(replace(line, share_left=share),)))
        .answers[0]
        .cumulative_quantiles
        for share in (0.1, 0.9)
    )
    both = forecasting.answer(
        replace(job, lines=(replace(line, share_left=0.1), replace(line, share_left=0.9)))
    ).answers
    assert [answer.cumulative_quantiles for answer in both] == [late, early]
    assert late != early
