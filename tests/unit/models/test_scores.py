from datetime import date

import numpy as np
import pytest

from models.forecast import Forecast
from models.scores import SCORED_LEVELS, Tally, pinball


def forecast_of(mean: float, n: int, dispersion: float = 0.0) -> Forecast:
    shape = np.ones((n, 14), np.float32)
    return Forecast(date(2017, 9, 1), shape * mean, shape * dispersion, 0.0, "test@1")


def test_pinball_weighs_too_little_by_the_level():
    losses = pinball(np.array([10.0]), np.array([[8.0, 13.0]]), (0.9, 0.9))
    assert losses[0] == pytest.approx([0.9 * 2, 0.1 * 3])


def test_a_true_forecast_covers_what_it_says():
    sold = np.random.default_rng(1).poisson(50.0, (500, 14)).astype(float)
    tally = Tally()
    tally.add(forecast_of(50.0, 500), sold)
    assert tally.coverage_80 == pytest.approx(0.8, abs=0.03)
    assert tally.coverage_95 == pytest.approx(0.95, abs=0.015)
    assert tally.bias == pytest.approx(0, abs=0.01)


def test_a_wrong_level_scores_worse():
    sold = np.random.default_rng(1).poisson(5.0, (200, 14)).astype(float)
    tallies = [Tally() for _ in range(2)]
    for tally, mean in zip(tallies, (5.0, 8.0), strict=True):
        tally.add(forecast_of(mean, 200), sold)
    assert tallies[0].wql < tallies[1].wql
    assert tallies[0].window_wql < tallies[1].window_wql


def test_unknown_days_are_not_scored():
    sold = np.full((1, 14), np.nan)
    sold[0, 3] = 4.0
    tally = Tally()
    tally.add(forecast_of(4.0, 1), sold)
    assert tally.rows == 1
    assert tally.window_units == 0
    assert len(SCORED_LEVELS) == 10
