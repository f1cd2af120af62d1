"""One suite for whoever forecasts and proposes: the bundle's graphs and their stand-ins."""

from datetime import date, timedelta

import numpy as np
import pytest

from models.base_stock import Bound
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.inference import Models, baseline_models, open_models

FRIDAY = date(2017, 9, 1)
QUANTILES = [[3.0, 5, 8, 12, 16, 20, 23, 26, 30]]


@pytest.fixture(params=["bundle", "baseline"], scope="module")
def models(request) -> Models:
    if request.param == "baseline":
        return baseline_models("contract suite")
    found = open_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)
    assert found.doubt == ""
    return found


@pytest.fixture(scope="module")
def history() -> np.ndarray:
    units = np.random.default_rng(3).poisson(np.geomspace(0.05, 30, 40)[:, None], (40, 56)).astype(float)
    units[3, 40:], units[4] = np.nan, np.nan
    return units


@pytest.mark.parametrize("horizon_days", [1, 14, 28])
def test_a_forecast_has_its_horizon_and_only_real_numbers(models, history, horizon_days):
    forecast = models.demand.forecast(history, FRIDAY, horizon_days=horizon_days)
    assert forecast.mean.shape == forecast.dispersion.shape == (40, horizon_days)
    assert forecast.mean.dtype == forecast.dispersion.dtype == np.float32
    assert np.isfinite(forecast.mean).all()
    assert (forecast.mean >= 0).all()
    assert (forecast.dispersion >= 0).all()
    assert forecast.first_day == FRIDAY
    assert forecast.model == models.demand.name


def test_fast_sellers_are_forecast_above_slow_ones(models, history):
    level = models.demand.forecast(history, FRIDAY).mean.mean(axis=1)
    assert level[-1] == pytest.approx(30, rel=0.3)
    assert level[0] < 1


def test_one_sku_gives_the_bits_of_all(models, history):
    together = models.demand.forecast(history, FRIDAY)
    for row in (0, 3, 4, 39):
        alone = models.demand.forecast(history[row : row + 1], FRIDAY)
        assert np.array_equal(alone.mean[0], together.mean[row])
        assert np.array_equal(alone.dispersion[0], together.dispersion[row])


def test_a_day_on_which_the_shop_is_closed_sells_nothing(models, history):
    forecast = models.demand.forecast(history, FRIDAY, closed_days={FRIDAY + timedelta(days=1)})
    assert not forecast.mean[:, 1].any()
    assert forecast.mean[:, 2].any()


@pytest.mark.parametrize("history", [[1.0, 2.0], [[[1.0]]]], ids=["a row", "a cube"])
def test_a_history_of_wrong_shape_is_refused(models, history):
    with pytest.raises(ValueError, match="history must have shape"):
        models.demand.forecast(history, FRIDAY)


@pytest.mark.parametrize(
    ("order", "quantity", "bound"),
    [
        ({"on_hand_units": 40}, 0, Bound.COVERED),
        ({"on_hand_units": 4, "on_order_units": 6}, 13, Bound.TARGET),
        ({"on_hand_units": 4, "pack_units": 6}, 24, Bound.TARGET),
        ({"on_hand_units": 20, "min_order_units": 10, "pack_units": 4}, 12, Bound.MIN_ORDER),
        ({"on_hand_units": 2, "pack_units": 8, "shelf_life_units": 13}, 8, Bound.SHELF_LIFE),
        ({"on_hand_units": 6, "pack_units": 6, "max_stock_units": 17}, 6, Bound.CAPACITY),
        ({"on_hand_units": np.nan}, 0, Bound.STOCK_UNKNOWN),
        ({"on_hand_units": -2}, 25, Bound.TARGET),
    ],
)
def test_the_quantity_and_what_settled_it(models, order, quantity, bound):
    found = models.replenishment.propose(QUANTILES, service_level=0.95, **order)
    assert (int(found.quantity_units[0]), Bound(int(found.bound[0]))) == (quantity, bound)
    assert found.target_units[0] == pytest.approx(23)
    assert found.expected_unmet_units[0] <= found.expected_stock_out_units[0]


def test_more_stock_means_less_expected_stock_out(models):
    found = models.replenishment.propose(QUANTILES * 4, service_level=0.95, on_hand_units=[0, 10, 20, 40])
    assert list(found.expected_stock_out_units) == sorted(found.expected_stock_out_units, reverse=True)
    assert found.expected_stock_out_units[-1] == 0


def test_an_order_without_sense_is_refused_by_name(models):
    with pytest.raises(ValueError, match="pack_units must be >= 1; SKU number 0"):
        models.replenishment.propose(QUANTILES, service_level=0.95, on_hand_units=0, pack_units=0)
