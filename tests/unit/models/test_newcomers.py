"""New SKUs: their bands hold what they sell, and they change nothing of what is said of others."""

from dataclasses import replace
from datetime import date

import numpy as np

from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.training.heavy import HeavyForecast, heavy_forecast
from models.training.heavy_training import Recipe, train_heavy
from models.training.median_trees import TreeFit
from models.training.newcomers import _fitted
from models.training.panel_examples import Draw
from models.training.quantile_fit import QuantileFit

RANDOM = np.random.default_rng(6)
SERIES, NEW, DAYS, AHEAD = 300, 200, 112, 7
FIT = QuantileFit(hidden=(32, 16), networks=1, epochs=4, learning_rate=4e-3)
RECIPE = Recipe(Draw(rows=12_000, evenings=16, horizon_days=AHEAD), FIT, trees=TreeFit(rounds=0))


def world() -> Panel:
    """SKUs of one shop in two categories, whose levels say little of any one of them; the last NEW are not listed yet."""
    category = np.arange(SERIES + NEW) % 2
    level = RANDOM.gamma(1.5, np.where(category == 0, 1.0, 3.0))
    units = RANDOM.poisson(np.repeat(level[:, None], DAYS + AHEAD, axis=1)).astype(np.float32)
    units[SERIES:, :DAYS] = np.nan
    return Panel(date(2024, 1, 1), units, groups={"store": category * 0, "category": category})


def first(panel: Panel, series: int) -> Panel:
    return replace(
        panel,
        units=panel.units[:series],
        groups={name: codes[:series] for name, codes in panel.groups.items()},
    )


def sums_inside(found: HeavyForecast, sold: np.ndarray) -> float:
    """Share of new SKUs whose sum of all days lies in the central 90 %."""
    low, high = (found.window[SERIES:, -1, DAY_LEVELS.index(level)] for level in (0.05, 0.95))
    return float(((low <= sold.sum(axis=1)) & (sold.sum(axis=1) <= high)).mean())


def test_new_skus_sell_within_their_bands_and_change_no_known_forecast():
    whole = world()
    past, sold = whole.before(DAYS), whole.units[SERIES:, DAYS:]
    model = train_heavy(first(past, SERIES), RECIPE, lambda _: None)
    alone, found = heavy_forecast(model, first(past, SERIES), AHEAD), heavy_forecast(model, past, AHEAD)
    np.testing.assert_allclose(found.mean[:SERIES], alone.mean, rtol=0.01)
    np.testing.assert_array_equal(found.window[:SERIES], alone.window)
    low, high = (found.quantiles[SERIES:, :, DAY_LEVELS.index(level)] for level in (0.05, 0.95))
    assert ((low <= sold) & (sold <= high)).mean() > 0.8
    assert sums_inside(found, sold) > 0.65
    assert abs(found.mean[SERIES:].sum() / sold.sum() - 1) < 0.6
    # Nobody knows the level of a new SKU, which is that of all its days.
    assert model.newcomers.correlation >= 0.3


def test_what_is_measured_widens_bands_and_ties_days_together():
    level = RANDOM.gamma(1.5, 4, (200, 1))
    sold = RANDOM.poisson(np.repeat(level, AHEAD, axis=1)).astype(float)
    usual = np.quantile(RANDOM.normal(0, 1, 20_000), DAY_LEVELS)
    narrow = np.maximum(6 + 2.5 * np.broadcast_to(usual, (200, AHEAD, len(DAY_LEVELS))), 0).astype(np.float32)
    found = _fitted(narrow, sold)
    assert min(found.spread) > 1.3
    assert found.correlation > 0.4
    known = _fitted(narrow, RANDOM.poisson(6, (200, AHEAD)).astype(float))
    assert max(known.spread) < 1.2
    assert known.correlation < 0.2
