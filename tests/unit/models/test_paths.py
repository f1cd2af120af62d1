import numpy as np
import pytest

from benchmarks.forecasting.measures import coverage, pit
from models.paths import whole_units, window_quantiles
from models.quantile_network import DAY_LEVELS
from models.quantiles import negbin_quantiles

LEVELS = DAY_LEVELS


def daily(mean: float, dispersion: float, days: int, n: int = 1) -> np.ndarray:
    one = negbin_quantiles(np.array([mean]), np.array([dispersion]), LEVELS)
    return np.broadcast_to(one, (n, days, len(LEVELS))).astype(np.float32)


def test_a_window_of_one_day_has_that_days_quantiles():
    given = daily(3.7, 0.4, 5)
    assert np.array_equal(window_quantiles(given, LEVELS, 0.2, LEVELS)[:, 0], given[:, 0])


def test_windows_never_cross_and_never_need_less_when_longer():
    given = np.sort(np.random.default_rng(1).gamma(0.4, 5, (50, 28, len(LEVELS))), axis=2).astype(np.float32)
    found = window_quantiles(given, LEVELS, 0.3, LEVELS)
    assert (np.diff(found, axis=2) >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize(("mean", "dispersion"), [(0.2, 1.0), (4.0, 0.3), (60.0, 0.1)])
def test_independent_days_add_up_as_negative_binomials_do(mean, dispersion):
    # Fourteen independent equal days: mean 14 m, variance 14 (m + a m**2): dispersion a / 14.
    days = 14
    exact = negbin_quantiles(np.array([mean * days]), np.array([dispersion / days]), LEVELS)[0]
    found = window_quantiles(daily(mean, dispersion, days), LEVELS, 0.0, LEVELS)[0, -1]
    spread = np.sqrt(days * (mean + dispersion * mean**2))
    assert np.abs(found - exact).max() <= 0.3 * spread + 1


def test_the_windows_quantiles_are_not_sums_of_daily_ones():
    given = daily(4.0, 0.5, 7)
    ninety = LEVELS.index(0.9)
    assert window_quantiles(given, LEVELS, 0.1, LEVELS)[0, -1, ninety] < 0.85 * given[0, :, ninety].sum()


def test_days_that_move_together_widen_the_window():
    given = daily(4.0, 0.5, 14)
    high = LEVELS.index(0.95)
    widths = [window_quantiles(given, LEVELS, c, LEVELS)[0, -1, high] for c in (0.0, 0.3, 0.6)]
    assert widths[0] < widths[1] < widths[2]


def test_equal_inputs_give_equal_windows_alone_or_among_others():
    given = np.sort(np.random.default_rng(2).gamma(0.6, 4, (1500, 7, len(LEVELS))), axis=2).astype(np.float32)
    assert np.array_equal(
        window_quantiles(given, LEVELS, 0.2, LEVELS)[1400],
        window_quantiles(given[1400:1401], LEVELS, 0.2, LEVELS)[0],
    )


def test_whole_units_are_whole_and_never_fall():
    found = whole_units(np.array([[-0.2, 0.4, 0.6, 0.55, 2.5]], np.float32))
    assert found.tolist() == [[0, 0, 1, 1, 2]]


def test_sums_of_days_that_err_apart_are_covered_at_every_length():
    """Paths shuffled blindly held .77 to .81 and .91 to .95 here, by length, and alike for all series."""
    random = np.random.default_rng(3)
    usual, spread, n = random.gamma(1, 3, 3000) + 0.1, 0.4, 3000
    day = negbin_quantiles(usual, np.full(n, spread), LEVELS)
    found = window_quantiles(np.repeat(day[:, None, :], 28, axis=1).astype(np.float32), LEVELS, 0.0, LEVELS)
    sold = random.negative_binomial(1 / spread, 1 / (1 + usual * spread)[:, None], (n, 28))
    total = np.cumsum(sold, axis=1).astype(float)
    for days in (2, 3, 5, 7, 10, 14, 21, 28):
        inside = coverage(pit(total[:, days - 1], found[:, days - 1], 1))
        assert abs(inside[80] - 0.8) < 0.023, days
        assert abs(inside[95] - 0.95) < 0.025, days
