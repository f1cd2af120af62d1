"""What a gateway's network learns of SKUs that nobody has seen: from known ones shown as new, not from how new ones come."""

from datetime import date

import numpy as np

from models.features import FEATURE_NAMES, HISTORY_DAYS, demand_features, inputs_from
from models.training.examples import examples_from
from models.training.network import Fit, fit_network
from models.training.series import DailySeries


def test_examples_without_a_history_sell_as_the_others_do():
    """Listed by their first sale, series that nobody saw before all sell on the day they come: no rule for new ones."""
    random = np.random.default_rng(5)
    n, days, usual = 300, 120, 0.5
    units = random.poisson(usual, (n, days)).astype(np.float32)
    for row, day in enumerate(random.integers(0, 110, n).tolist()):
        units[row, :day] = np.nan
        units[row, day] = 6
    series = DailySeries(
        date(2024, 1, 1), units, np.full_like(units, np.nan), np.zeros(n, np.int64), "a test"
    )
    found = examples_from(series, rows=12_000, seed=1)
    new = found.features[:, FEATURE_NAMES.index("known_share_56")] == 0
    assert 0.11 < new.mean() < 0.18
    known = found.features[new][:, FEATURE_NAMES.index("category_known")]
    assert 0.75 < known.mean() < 0.85, "a new SKU mostly knows its category"
    assert 0.6 * usual < found.units[new].mean() < 1.4 * usual


def test_a_short_fit_says_that_a_new_sku_sells_as_its_category_does():
    """New ones without a category are forecast far above their features' level; they must not take the others along."""
    random = np.random.default_rng(6)
    category = np.repeat(np.arange(8), 20)
    usual = np.geomspace(0.3, 4.0, 8)
    own = usual[category] * random.gamma(4.0, 0.25, len(category))
    units = random.poisson(own[:, None], (len(category), 90)).astype(np.float32)
    series = DailySeries(
        date(2024, 1, 1), units, np.full_like(units, np.nan), category.astype(np.int64), "a test"
    )
    network = fit_network(examples_from(series, rows=30_000, seed=1), Fit(epochs=8, seed=1), lambda *_: None)
    nothing = inputs_from(
        np.full((8, HISTORY_DAYS), np.nan), date(2024, 3, 31), category_level=usual, horizon_days=28
    )
    mean, _ = network.predict(demand_features(nothing).reshape(-1, len(FEATURE_NAMES)))
    said = mean.reshape(8, 28).mean(axis=1)
    assert abs(said.sum() / usual.sum() - 1) < 0.15
    # Slow categories suffer first: 2.5 times as much and more was said of this one where half of the new SKUs knew no category.
    assert said[0] / usual[0] < 2.1
    assert (np.diff(said) > 0).all()
