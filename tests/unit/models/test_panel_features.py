from datetime import date

import numpy as np
import pytest

from models.panel import Panel
from models.panel_days import differs_within_shops, year_columns
from models.panel_features import features_at
from models.training.hidden_history import as_if_new
from models.training.panel_examples import Draw, panel_examples

FIRST = date(2024, 1, 1)
ROWS = 30


def panel(units: np.ndarray, served: np.ndarray | None = None, covariates: dict | None = None) -> Panel:
    n = len(units)
    groups = {"store": np.arange(n) % 3, "sku": np.arange(n) // 3}
    return Panel(FIRST, units.astype(np.float32), served, covariates or {}, groups)


def sales(days: int = 150, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.poisson(random.gamma(1, 3, (ROWS, 1)), (ROWS, days)).astype(float)


def test_features_know_nothing_of_the_days_to_come():
    units = sales()
    changed = units.copy()
    changed[:, 120:] = 77
    ahead, rows = np.arange(28), np.arange(ROWS)
    before, after = (features_at(panel(table), 120, ahead, rows) for table in (units, changed))
    assert np.array_equal(before.of_series, after.of_series)
    assert np.array_equal(before.of_day, after.of_day)


def test_training_on_a_few_rows_sees_what_serving_all_rows_sees():
    covariate = np.random.default_rng(2).random((ROWS, 178)).astype(np.float32)
    given = panel(sales(), covariates={"price": covariate})
    all_rows = features_at(given, 150, np.arange(14), np.arange(ROWS))
    few = features_at(given, 150, np.array([3, 9]), np.array([4, 17]))
    assert np.array_equal(few.of_series, all_rows.of_series[[4, 17]])
    assert np.allclose(few.of_day, all_rows.of_day[[4, 17]][:, [3, 9]], atol=1e-6)


@pytest.mark.parametrize("days", [0, 1, 5, 60])
def test_short_histories_and_holes_give_finite_features(days):
    units = sales(days)
    units[::2, : days // 2] = np.nan
    units[0] = np.nan
    price = np.full((ROWS, days + 28), np.nan, np.float32)
    price[1:5, ::3] = 2.0
    found = features_at(panel(units, covariates={"price": price}), days, np.arange(28), np.arange(ROWS))
    for block in (found.of_series, found.of_day, found.level, found.scale):
        assert np.isfinite(block).all()
    assert (found.level > 0).all()


def test_a_new_sku_takes_the_level_of_the_same_sku_elsewhere():
    units = np.full((6, 60), 1.0)
    units[3:5] = 20.0
    units[5] = np.nan
    found = features_at(panel(units), 60, np.arange(7), np.arange(6))
    assert found.level[5] == pytest.approx(20, rel=0.05)


def test_a_day_sold_out_half_the_day_counts_as_half_a_day():
    units, served = np.full((1, 112), 4.0), np.ones((1, 112), np.float32)
    units[:, -10:], served[:, -10:] = 2.0, 0.5
    level = features_at(
        Panel(FIRST, units.astype(np.float32), served), 112, np.arange(7), np.arange(1)
    ).level[0]
    blind = features_at(Panel(FIRST, units.astype(np.float32)), 112, np.arange(7), np.arange(1)).level[0]
    assert level == pytest.approx(4.0, rel=0.01)
    assert blind < 3.7


def test_a_sku_shown_as_new_is_known_to_no_group_either():
    given = panel(sales())
    shown = as_if_new(given, 150, np.array([6, 7]), np.array([0, 10]), np.array([False, True]))
    hidden = np.isnan(shown.units[:, :150])
    assert hidden[6].all()
    # Seven was ten days in the range of every shop, and so were those of its SKU that were not named.
    for row in (7, 8):
        assert hidden[row, :140].all()
        assert not hidden[row, 140:].any()
    assert not np.delete(hidden, [6, 7, 8], axis=0).any()
    found = features_at(shown, 150, np.arange(3), np.arange(ROWS))
    assert found.is_new.tolist() == [row == 6 for row in range(ROWS)]
    bare = sales()
    bare[6], bare[7:9, :140] = np.nan, np.nan
    np.testing.assert_array_equal(
        found.of_series, features_at(panel(bare), 150, np.arange(3), np.arange(ROWS)).of_series
    )


@pytest.mark.parametrize("new", [10, 3000])
def test_new_skus_change_no_feature_of_known_ones(new):
    price = np.random.default_rng(2).random((ROWS, 178)).astype(np.float32)
    known = features_at(panel(sales(), covariates={"price": price}), 150, np.arange(7), np.arange(ROWS))
    codes = np.arange(ROWS + new)
    more = Panel(
        FIRST,
        np.concatenate([sales(), np.full((new, 150), np.nan)]).astype(np.float32),
        None,
        {"price": np.concatenate([price, np.full((new, 178), np.nan, np.float32)])},
        {"store": codes % 3, "sku": np.where(codes < ROWS, codes // 3, ROWS + codes)},
    )
    found = features_at(more, 150, np.arange(7), np.arange(ROWS))
    np.testing.assert_allclose(found.of_series, known.of_series, atol=1e-4)
    np.testing.assert_allclose(found.of_day, known.of_day, atol=1e-4)
    np.testing.assert_allclose(found.level, known.level, rtol=1e-5)


@pytest.mark.parametrize(("days", "learned"), [(420, False), (600, True)])
def test_a_season_that_few_evenings_can_look_back_at_is_not_learned(days, learned):
    """Of 420 days only the last 27 evenings know a year ago: all forecasts would be made by what one month taught."""
    units = np.random.default_rng(4).poisson(3, (ROWS, days)).astype(float)
    drawn = panel_examples(panel(units), Draw(rows=800, evenings=40), lambda *_: None)
    of_series = features_at(panel(units), days, np.arange(1), np.arange(1)).of_series.shape[1]
    of_year = year_columns(2)
    moved = drawn.rows[:, of_series + of_year.start : of_series + of_year.stop].std(axis=0)
    assert (moved > 0).all() if learned else (moved == 0).all()
    # The columns after them are the covariates', of which there are none here.
    assert drawn.rows.shape[1] == of_series + of_year.stop


def test_prices_and_offers_are_the_skus_own_and_weather_is_a_shops() -> None:
    store = np.arange(ROWS) % 3
    random = np.random.default_rng(3)
    offers = (random.random((ROWS, 60)) < 0.2).astype(np.float32)
    weather = random.random((3, 60)).astype(np.float32)[store]
    assert differs_within_shops(offers, store)
    assert not differs_within_shops(weather, store)
    assert not differs_within_shops(weather[:1], store)
    assert not differs_within_shops(np.full((ROWS, 60), np.nan, np.float32), store)


def test_an_offer_that_never_ends_is_still_one() -> None:
    """From its own usual it is away by nothing; from everybody's it is."""
    offers = np.zeros((ROWS, 178), np.float32)
    offers[::2] = 1.0
    offers[1::4, ::5] = 1.0
    with_offers = features_at(
        panel(sales(), covariates={"promotion": offers}), 150, np.arange(3), np.arange(6)
    )
    # Before the answers of the series itself and of its two groups.
    plain = with_offers.of_day[..., -4]
    assert plain.shape == (6, 3)
    assert (plain[[0, 2, 4]] > 0.5).all()
    assert (plain[3] < 0).all()
