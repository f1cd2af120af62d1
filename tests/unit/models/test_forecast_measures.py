"""The benchmark's measures, against answers that are known without them."""

import numpy as np
import pytest

from benchmarks.forecasting.measures import LEVELS, coverage, pit, spl, wql, wrmsse
from models.quantile_network import DAY_LEVELS
from models.quantiles import negbin_quantiles

RANDOM = np.random.default_rng(1)


def test_a_calibrated_forecast_of_counts_has_a_flat_pit_and_its_coverage():
    mean = RANDOM.gamma(0.7, 3, 20_000) + 0.05
    sold = RANDOM.poisson(RANDOM.gamma(2, mean / 2))[:, None].astype(float)
    quantiles = negbin_quantiles(mean, np.full(len(mean), 0.5), DAY_LEVELS)[:, None]
    found = coverage(pit(sold, quantiles, 1))
    for band in (80, 90, 95):
        assert found[band] == pytest.approx(band / 100, abs=0.01)
    assert found[0] < 0.01


def test_a_forecast_that_is_too_narrow_shows_in_its_coverage():
    sold = RANDOM.poisson(RANDOM.gamma(2, 10, 20_000) / 2)[:, None].astype(float)
    quantiles = negbin_quantiles(np.full(20_000, 10.0), np.zeros(20_000), DAY_LEVELS)[:, None]
    assert coverage(pit(sold, quantiles, 1))[80] < 0.6


def test_wql_of_the_median_alone_is_the_absolute_error_over_the_units():
    sold = np.array([[4.0, 0.0]])
    flat = np.full((1, 2, len(DAY_LEVELS)), 2.0)
    # With one number for all levels, pinball averaged over symmetric levels is half the absolute error.
    assert wql(sold, flat) == pytest.approx(4 / 4)
    assert spl(sold, flat, np.array([2.0])) == pytest.approx(np.mean([0.545 * 2, 0.455 * 2]) / 2)


def test_wrmsse_of_the_naive_forecast_is_one_where_changes_do_not_change():
    n, days = 6, 50
    words = {
        "item": np.array(["i1", "i1", "i2", "i2", "i3", "i3"]), "store": np.array(["s1", "s2"] * 3),
        "state": np.array(["x", "y"] * 3), "cat": np.array(["c"] * n), "dept": np.array(["d"] * n),
    }  # fmt: skip
    weights = {level: {} for level in LEVELS}
    for level, names in LEVELS.items():
        for row in range(n):
            parts = [str(words[name][row]) for name in names]
            key = ("Total", "X") if not parts else (parts[0], "X") if len(parts) == 1 else tuple(parts)
            weights[level][key] = 1.0
    walk = 100 + np.cumsum(RANDOM.choice([-1.0, 1.0], (n, days)), axis=1)
    sold = walk[:, -1:] + np.ones((n, 1))
    found = wrmsse(walk, sold, np.repeat(walk[:, -1:], 1, axis=1), words, weights)
    assert found["Level12"] == pytest.approx(1.0, rel=0.01)
    assert wrmsse(walk, sold, sold, words, weights)["mean"] == 0
