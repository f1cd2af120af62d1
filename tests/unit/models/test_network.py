import numpy as np
import pytest

from models.features import FEATURE_NAMES, FEATURES_BY_REVISION
from models.training.examples import Examples
from models.training.network import LEVEL_COLUMN, MAX_LOG_STEP, Fit, _loss_and_gradients, _start, fit_network

KNOWN_DAYS = slice(len(FEATURES_BY_REVISION[1]), None)


@pytest.fixture
def examples():
    """Level from the feature, twice as much on Mondays, dispersion 0.5; nothing is known of days."""
    random = np.random.default_rng(2)
    features = random.standard_normal((20_000, len(FEATURE_NAMES))).astype(np.float32)
    monday = FEATURE_NAMES.index("monday")
    features[:, monday] = random.random(20_000) < 0.2
    features[:, KNOWN_DAYS] = 0
    mean = np.exp(features[:, LEVEL_COLUMN]) * (1 + features[:, monday])
    return Examples(features, random.poisson(random.gamma(2, mean / 2)).astype(np.float32))


def test_gradients_equal_finite_differences(examples):
    random = np.random.default_rng(1)
    parameters = [p.astype(np.float64) for p in _start(len(FEATURE_NAMES), Fit(hidden=(6, 5)), random)]
    # A bias of 0 may put a unit exactly on the kink of its ReLU.
    parameters[1::2] = [bias + random.standard_normal(bias.shape) * 0.1 for bias in parameters[1::2]]
    x, units = examples.features[:64].astype(np.float64), examples.units[:64].astype(np.float64)
    level = x[:, LEVEL_COLUMN]
    _, gradients = _loss_and_gradients(parameters, x, level, units)
    for number, parameter in enumerate(parameters):
        place = tuple(random.integers(0, size) for size in parameter.shape)
        losses = []
        for step in (1e-4, -1e-4):
            parameter[place] += step
            losses.append(_loss_and_gradients(parameters, x, level, units)[0])
            parameter[place] -= step
        assert gradients[number][place] == pytest.approx((losses[0] - losses[1]) / 2e-4, rel=1e-3, abs=1e-5)


def test_the_network_finds_what_is_there(examples):
    losses = []
    network = fit_network(
        examples, Fit(hidden=(16,), epochs=6, seed=3), lambda _epoch, loss: losses.append(loss)
    )
    assert losses[-1] < losses[0]
    probe = np.zeros((2, len(FEATURE_NAMES)), np.float32)
    probe[1, FEATURE_NAMES.index("monday")] = 1
    mean, dispersion = network.predict(probe)
    assert mean[1] / mean[0] == pytest.approx(2, rel=0.2)
    assert dispersion == pytest.approx(0.5, rel=0.4)
    probe[:, KNOWN_DAYS] = 1  # what no example had changes nothing
    assert np.array_equal(network.predict(probe)[0], mean)


def test_the_same_seed_fits_the_same_network(examples):
    fits = [fit_network(examples, Fit(hidden=(4,), epochs=1), lambda _epoch, _loss: None) for _ in range(2)]
    assert all(np.array_equal(a, b) for a, b in zip(fits[0].weights, fits[1].weights, strict=True))


def test_a_step_at_its_bound_is_not_pushed_further():
    """SKUs without a history that sell a hundred a day: no forecast gets there, and the other rows do not pay for it."""
    random = np.random.default_rng(1)
    parameters = [p.astype(np.float64) for p in _start(len(FEATURE_NAMES), Fit(hidden=(6,)), random)]
    parameters[-1] = np.array([MAX_LOG_STEP + 1, -0.4])
    x, level, units = np.zeros((4, len(FEATURE_NAMES))), np.full(4, np.log(0.1)), np.full(4, 100.0)
    _, outward = _loss_and_gradients(parameters, x, level, units)
    assert outward[-1][0] == 0
    _, inward = _loss_and_gradients(parameters, x, level, np.zeros(4))
    assert inward[-1][0] > 0
