from dataclasses import replace
from datetime import date

import numpy as np

from models.panel import Panel
from models.quantile_network import DAY_LEVELS, DayQuantiles
from models.training.group_totals import drawn_to_totals, has_totals

RANDOM = np.random.default_rng(3)
SERIES, DAYS, AHEAD = 120, 150, 7
OFFER = (np.arange(DAYS + AHEAD) % 11 == 9).astype(np.float32)[None]


def panel(level: float = 6.0, groups: int = 3) -> Panel:
    mean = level * (1 + OFFER) * (1 + 0.5 * (np.arange(DAYS + AHEAD) % 7 == 5))
    units = RANDOM.poisson(np.repeat(mean, SERIES, axis=0)).astype(np.float32)
    codes = np.arange(SERIES) % groups
    return Panel(
        date(2024, 1, 1),
        units,
        covariates={"promotion": OFFER},
        groups={"store": codes * 0, "category": codes},
    )


def flat(value: float = 6.0) -> DayQuantiles:
    """A forecast that knows nothing of weekdays and offers."""
    mean = np.full((SERIES, AHEAD), value, np.float32)
    return DayQuantiles(mean, mean[:, :, None] * np.asarray(DAY_LEVELS, np.float32) * 2)


def test_forecasts_are_drawn_towards_what_the_totals_know():
    whole = panel()
    past, sold = whole.before(DAYS), whole.units[:, DAYS:]
    found = drawn_to_totals(past, flat())
    before, after = (np.abs(each.mean.sum(0) - sold.sum(0)).sum() for each in (flat(), found))
    assert after < 0.8 * before
    offers = OFFER[0, DAYS:] > 0
    assert found.mean[:, offers].mean() > 1.25 * found.mean[:, ~offers].mean()


def test_quantiles_move_with_the_mean_and_do_not_cross():
    found = drawn_to_totals(panel().before(DAYS), flat())
    ratio = found.quantiles / flat().quantiles
    np.testing.assert_allclose(
        ratio, np.repeat((found.mean / 6)[:, :, None], len(DAY_LEVELS), axis=2), rtol=1e-5
    )
    assert (np.diff(found.quantiles, axis=2) >= 0).all()


def test_a_shelf_that_is_half_empty_every_day_lowers_sales_and_not_the_total():
    whole = panel()
    half = replace(
        whole.before(DAYS),
        units=np.floor(whole.units[:, :DAYS] / 2),
        served=np.full((SERIES, DAYS), 0.5, np.float32),
    )
    served, sold = (drawn_to_totals(each, flat()).mean.sum() for each in (whole.before(DAYS), half))
    # Halves are rounded down: a quarter of a unit a day.
    assert 0.9 * served < sold <= served


def test_short_histories_quiet_groups_and_small_groups_are_left_alone():
    assert has_totals(panel().before(DAYS))
    for left in (panel().before(30), panel(level=0.2).before(DAYS), panel(groups=30).before(DAYS)):
        only_categories = replace(left, groups={"category": left.groups["category"]})
        assert not has_totals(only_categories)
        assert drawn_to_totals(only_categories, flat()).mean is not None
        np.testing.assert_array_equal(drawn_to_totals(only_categories, flat()).mean, flat().mean)


def test_a_total_that_is_far_off_moves_a_forecast_by_half_at_most():
    found = drawn_to_totals(panel().before(DAYS), flat(600.0))
    assert found.mean.min() > 600 / 1.51


def test_days_that_nobody_knows_are_no_days_without_sales():
    """A third of the shops was offline for two weeks: the others' forecasts stay where they were."""
    past = panel().before(DAYS)
    silent = RANDOM.random(SERIES) < 1 / 3
    units = past.units.copy()
    units[np.ix_(silent, np.arange(DAYS - 14, DAYS))] = np.nan
    whole, found = (drawn_to_totals(each, flat()).mean for each in (past, replace(past, units=units)))
    assert abs(found.sum() / whole.sum() - 1) < 0.03
    served = replace(past, units=units, served=np.ones_like(units))
    assert abs(drawn_to_totals(served, flat()).mean.sum() / whole.sum() - 1) < 0.03


def test_days_of_which_nothing_is_known_tell_no_level():
    past = panel().before(DAYS)
    units = past.units.copy()
    units[:, DAYS - 10 : DAYS] = np.nan
    whole, found = (drawn_to_totals(each, flat()).mean for each in (past, replace(past, units=units)))
    assert abs(found.sum() / whole.sum() - 1) < 0.05


def test_new_series_change_no_total_of_known_ones():
    past = panel().before(DAYS)
    known = drawn_to_totals(past, flat()).mean
    for new in (100, 10_000):
        codes = np.concatenate([past.groups["category"], np.arange(new) % 4])
        more = replace(
            past,
            units=np.concatenate([past.units, np.full((new, DAYS), np.nan, np.float32)]),
            groups={"store": codes * 0, "category": codes},
        )
        mean = np.full((SERIES + new, AHEAD), 6, np.float32)
        found = drawn_to_totals(
            more, DayQuantiles(mean, np.repeat(mean[:, :, None], len(DAY_LEVELS), axis=2))
        ).mean
        np.testing.assert_allclose(found[:SERIES], known, rtol=1e-6)
        # A new series of a known group follows it; one of a group that nobody knows is left alone.
        np.testing.assert_allclose(found[SERIES], known[0], rtol=1e-6)
        np.testing.assert_array_equal(found[SERIES + 3], mean[0])


def test_forecasts_that_want_news_move_no_others():
    """What a third of the series is forecast to sell falls, for want of news: that is no error of their group's."""
    past = panel().before(DAYS)
    silent = np.arange(SERIES) // 3 % 3 == 1
    units = past.units.copy()
    units[np.ix_(silent, np.arange(DAYS - 14, DAYS))] = np.nan
    low = np.where(silent[:, None, None], np.float32(0.5), np.float32(1))
    daily = DayQuantiles(flat().mean * low[..., 0], flat().quantiles * low)
    whole, found = drawn_to_totals(past, flat()).mean, drawn_to_totals(replace(past, units=units), daily).mean
    assert abs(found[~silent].sum() / whole[~silent].sum() - 1) < 0.03
