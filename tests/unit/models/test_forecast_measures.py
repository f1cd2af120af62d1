"""The benchmark's measures, against answers that are known without them."""

from datetime import date

import numpy as np
import pytest

from benchmarks.forecasting.measures import LEVELS, coverage, pit, spl, wql, wrmsse
from benchmarks.forecasting.sums import moving_average_sums, sold_sums
from benchmarks.forecasting.table import _coverage_rows, _score_rows
from models.panel import Panel
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


def test_sums_of_days_that_err_apart_are_covered_by_a_moving_average():
    random = np.random.default_rng(3)
    units = random.poisson(random.gamma(2, 2, (600, 1)), (600, 140)).astype(np.float32)
    past = Panel(date(2024, 1, 1), units[:, :112])
    found = moving_average_sums(past, 28, np.arange(600))
    total = sold_sums(units[:, 112:])
    assert found.quantiles.shape == (600, 2, len(DAY_LEVELS))
    assert np.allclose(total[:, 1], units[:, 112:].sum(axis=1))
    assert found.mean[:, 1] == pytest.approx(4 * found.mean[:, 0])
    # The mean of 28 days is itself uncertain: as much again over the next 28.
    assert 0.8 < coverage(pit(total[:, 0], found.quantiles[:, 0], 1))[90] < 0.95
    assert sold_sums(units[:, 112:122]).shape == (600, 1)


def test_a_score_s_row_has_its_goal_and_its_peers_and_the_gateway_s_stands_over_it():
    found = _score_rows("WQL", {"heavy form": 0.5, "gateway form": 0.52, "MA28": 0.6}, 0.535)
    assert [row["name"] for row in found] == ["WQL", "WQL: gateway over heavy"]
    assert (found[0]["value"], found[0]["goal"]) == (0.5, 0.535)
    assert found[0]["peers"] == {"gateway form": 0.52, "MA28": 0.6}
    assert found[1]["value"] == 1.04
    assert len(_score_rows("WQL", {"heavy form": 0.5}, None)) == 1


def test_rows_of_coverage_name_what_others_cover():
    even, narrow = np.linspace(0, 1, 1000, endpoint=False), np.full(1000, 0.5)
    rows = _coverage_rows("a set", {"heavy form": even, "MA28": narrow})
    assert [row["goal"] for row in rows] == [0.8, 0.9, 0.95, 0.01]
    assert rows[0]["value"] == pytest.approx(0.8, abs=0.002)
    assert rows[0]["peers"] == {"MA28": 1.0}
    assert rows[3]["peers"]["MA28"] == pytest.approx(0.9)
