import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.records import QUANTILE_LEVELS
from models.quantiles import negbin_quantiles, window_moments

MEANS = st.floats(0, 1e6)
DISPERSIONS = st.floats(0, 25)


def exact_quantile(mean: float, dispersion: float, level: float) -> int:
    """By the definition, term by term, independent of the code under test."""
    total, k = 0.0, 0
    while True:
        if mean == 0:
            log_mass = 0.0 if k == 0 else -math.inf
        elif dispersion == 0:
            log_mass = k * math.log(mean) - mean - math.lgamma(k + 1)
        else:
            r = 1 / dispersion
            log_mass = (
                math.lgamma(k + r) - math.lgamma(r) - math.lgamma(k + 1)
                + r * math.log(r / (r + mean)) + k * math.log(mean / (r + mean))
            )  # fmt: skip
        total += math.exp(log_mass)
        if total >= level - 1e-9:
            return k
        k += 1


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.3, 1.0, 4.7, 40.0])
@pytest.mark.parametrize("dispersion", [0.0, 0.001, 0.3, 1.0, 4.0])
def test_quantiles_equal_the_definition(mean, dispersion):
    found = negbin_quantiles(np.array([mean]), np.array([dispersion]), QUANTILE_LEVELS)[0]
    assert list(found) == [exact_quantile(mean, dispersion, level) for level in QUANTILE_LEVELS]


@pytest.mark.parametrize(
    ("mean", "dispersion"), [(3000.0, 0.01), (20_000.0, 0.0), (900.0, 0.2), (60.0, 4.0), (500.0, 1.5)]
)
def test_large_counts_are_within_one_percent_of_draws(mean, dispersion):
    random = np.random.default_rng(3)
    draws = random.poisson(
        mean if dispersion == 0 else random.gamma(1 / dispersion, mean * dispersion, 400_000), 400_000
    )
    found = negbin_quantiles(np.array([mean]), np.array([dispersion]), QUANTILE_LEVELS)[0]
    assert np.allclose(found, np.quantile(draws, QUANTILE_LEVELS), rtol=0.02, atol=2)


@given(st.lists(st.tuples(MEANS, DISPERSIONS), min_size=1, max_size=20))
def test_quantiles_are_whole_finite_and_never_cross(pairs):
    mean, dispersion = np.array(pairs).T
    found = negbin_quantiles(mean, dispersion, QUANTILE_LEVELS)
    assert np.isfinite(found).all()
    assert (found == np.rint(found)).all()
    assert (found >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()


@given(st.lists(st.tuples(st.floats(0, 3000), DISPERSIONS), min_size=2, max_size=30))
def test_a_row_does_not_depend_on_its_neighbours(pairs):
    mean, dispersion = np.array(pairs).T
    together = negbin_quantiles(mean, dispersion, QUANTILE_LEVELS)
    alone = [
        negbin_quantiles(mean[i : i + 1], dispersion[i : i + 1], QUANTILE_LEVELS)[0] for i in range(len(mean))
    ]
    assert np.array_equal(together, alone)


def test_nothing_expected_is_nothing_at_every_level():
    assert not negbin_quantiles(np.zeros(1), np.ones(1), QUANTILE_LEVELS).any()


@pytest.mark.parametrize(
    ("mean", "dispersion", "levels", "says"),
    [
        ([np.nan], [1.0], (0.5,), "NaN"),
        ([1.0], [np.nan], (0.5,), "NaN"),
        ([1.0], [1.0, 2.0], (0.5,), "one shape"),
        ([1.0], [1.0], (1.0,), "inside"),
    ],
)
def test_bad_parameters_are_refused_by_name(mean, dispersion, levels, says):
    with pytest.raises(ValueError, match=says):
        negbin_quantiles(np.array(mean), np.array(dispersion), levels)


def test_independent_days_add_their_variances():
    mean, dispersion = window_moments(np.full((1, 3), 2.0), np.full((1, 3), 0.5), np.ones((1, 3)), 0.0)
    assert mean[0] == 6.0
    assert mean[0] + dispersion[0] * mean[0] ** 2 == pytest.approx(3 * (2 + 0.5 * 4))


def test_days_that_err_together_widen_the_sum():
    shape = (np.full((1, 7), 2.0), np.full((1, 7), 0.5), np.ones((1, 7)))
    spreads = [window_moments(*shape, correlation)[1][0] for correlation in (0.0, 0.2, 1.0)]
    assert spreads == sorted(spreads)
    assert spreads[2] * 14**2 + 14 == pytest.approx(49 * 4.0)
