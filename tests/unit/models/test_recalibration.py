from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from models.forecast import Forecast
from models.quantiles import negbin_cdf, negbin_quantiles
from models.recalibration import (
    BINS,
    CLASSES,
    DRIFT_LIMIT,
    Recalibration,
    recalibrated_quantiles,
    recalibrated_window,
)

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
SKUS = 400


def shop(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.gamma(0.6, 4.0, SKUS) + 0.05, np.full(SKUS, 0.3)


def sold(mean: np.ndarray, dispersion: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.poisson(random.gamma(1 / dispersion, dispersion * mean)).astype(float)


def forecast_of(mean: np.ndarray, dispersion: np.ndarray) -> Forecast:
    return Forecast(
        date(2024, 1, 1), mean[:, None].astype(np.float32), dispersion[:, None].astype(np.float32), 0.1, "m@1"
    )


def coverage(state: Recalibration, mean: np.ndarray, dispersion: np.ndarray, units: np.ndarray) -> float:
    """Of the central 80 %, by randomised PIT: counts over-cover otherwise."""
    band = recalibrated_quantiles(forecast_of(mean, dispersion), state, (0.1, 0.9))[:, 0]
    random = np.random.default_rng(9)
    low, high = negbin_cdf(mean, dispersion, units - 1), negbin_cdf(mean, dispersion, units)
    asked = state.levels((0.1, 0.9))
    pit = low + random.random(len(units)) * (high - low)
    place = np.searchsorted((0.3, 2.0), mean)
    assert (band[:, 0] <= band[:, 1]).all()
    return float(((pit >= asked[place, 0]) & (pit <= asked[place, 1])).mean())


def test_the_distribution_function_and_the_quantiles_agree():
    mean, dispersion = shop()
    for level in LEVELS:
        found = negbin_quantiles(mean, dispersion, (level,))[:, 0]
        assert (negbin_cdf(mean, dispersion, found) >= level - 1e-9).all()
        assert (negbin_cdf(mean, dispersion, found - 1) < level).all()
    assert negbin_cdf(np.array([3.0]), np.array([0.0]), np.array([-1.0]))[0] == 0
    assert negbin_cdf(np.array([5e4]), np.array([0.01]), np.array([5e4]))[0] == pytest.approx(0.5, abs=0.03)


def test_a_new_state_asks_for_the_levels_themselves():
    assert np.allclose(Recalibration.start().levels(LEVELS), LEVELS)
    assert Recalibration.start().drift().max() < 1e-9
    assert Recalibration.start().doubts() == []


def test_a_calibrated_model_is_left_as_it_is():
    mean, dispersion = shop()
    random, state = np.random.default_rng(2), Recalibration.start()
    for _ in range(60):
        state = state.observed(mean, dispersion, sold(mean, dispersion, random))
    assert np.abs(state.levels(LEVELS) - LEVELS).max() < 0.02
    assert state.drift().max() < DRIFT_LIMIT
    assert np.abs(state.bias()).max() < 0.08


def test_coverage_comes_back_after_the_world_has_drifted_and_the_drift_is_told():
    mean, dispersion = shop()
    random, state = np.random.default_rng(3), Recalibration.start()
    real_mean, real_dispersion = mean * 1.4, dispersion * 2
    for _ in range(45):
        state = state.observed(mean, dispersion, sold(real_mean, real_dispersion, random))
    later = [sold(real_mean, real_dispersion, random) for _ in range(10)]
    stale = np.mean([coverage(Recalibration.start(), mean, dispersion, units) for units in later])
    kept = np.mean([coverage(state, mean, dispersion, units) for units in later])
    assert stale < 0.74
    assert kept == pytest.approx(0.8, abs=0.02)
    assert state.drift().max() > DRIFT_LIMIT
    assert any("busy" in doubt for doubt in state.doubts())
    assert state.bias()[-1] == pytest.approx(1 / 1.4 - 1, abs=0.05)


def test_what_narrower_forecasts_taught_is_taken_back_once_forecasts_are_as_wide_as_demand():
    random, mean = np.random.default_rng(4), np.full(200, 12.0)
    narrow, wide, state = np.zeros(200), np.full(200, 0.4), Recalibration.start()
    for _ in range(20):
        state = state.observed(mean, narrow, sold(mean, wide, random))
    assert state.levels((0.9,))[-1, 0] > 0.99
    for _ in range(8):
        state = state.observed(mean, wide, sold(mean, wide, random))
    never_taken_back = replace(state, lately=np.zeros((CLASSES, 2)))
    assert never_taken_back.levels((0.9,))[-1, 0] > 0.96
    assert 0.85 < state.levels((0.9,))[-1, 0] < 0.93


def test_the_rarest_levels_are_told_apart():
    """All of a restless shop's days lie in the tails; which of its tenths they are in decides the band."""
    random, mean, state = np.random.default_rng(6), np.full(40, 24.0), Recalibration.start()
    for _ in range(30):
        state = state.observed(
            mean, np.full(40, 0.05), random.poisson(mean * random.choice([0.5, 1.5])).astype(float)
        )
    asked = state.levels((0.025, 0.1, 0.9, 0.975))[-1]
    assert asked[0] < asked[1] / 3 < 0.02
    assert 1 - asked[3] < (1 - asked[2]) / 3 < 0.02


def test_chance_in_a_small_steady_shop_is_no_drift():
    random, mean, state = np.random.default_rng(7), np.full(20, 8.0), Recalibration.start()
    for _ in range(40):
        state = state.observed(mean, np.zeros(20), random.poisson(mean).astype(float))
        assert state.drift().max() < DRIFT_LIMIT


def test_unknown_days_teach_nothing():
    mean, dispersion = shop()
    state = Recalibration.start().observed(mean, dispersion, np.full(SKUS, np.nan))
    assert state.counts.sum() == 0
    assert state.sold.sum() == 0


def test_quantiles_never_cross_whatever_was_seen():
    mean, dispersion = shop()
    state = Recalibration.start()
    for _ in range(50):
        state = state.observed(mean, dispersion, np.full(SKUS, 1000.0))
    found = recalibrated_quantiles(forecast_of(mean, dispersion), state, LEVELS)
    assert (np.diff(found, axis=2) >= 0).all()
    assert np.isfinite(found).all()
    window = recalibrated_window(forecast_of(mean, dispersion), state, 1, LEVELS)
    assert (np.diff(window, axis=1) >= 0).all()


def test_the_state_survives_a_file_and_a_lying_file_is_refused():
    mean, dispersion = shop()
    state = Recalibration.start().observed(mean, dispersion, mean)
    again = Recalibration.from_numbers(state.to_numbers())
    assert np.allclose(again.levels(LEVELS), state.levels(LEVELS), atol=1e-4)
    assert len(state.to_numbers()) == CLASSES
    for bad in ([[1.0]], [[-1.0] * (BINS + 5)] * 3, [[float("nan")] * (BINS + 5)] * 3):
        with pytest.raises(ValueError, match="recalibration state"):
            Recalibration.from_numbers(bad)
