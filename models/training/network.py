"""A small network for mean and dispersion, fitted by Adam on the negative binomial likelihood. numpy only.

    x = (features - centre) / scale;  two hidden layers of ReLU;  (d, s) = output
    mean = level * exp(d),  dispersion = softplus(s) + 0.001

so that an untrained network already forecasts each SKU's own level.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F32, F64
from models.features import FEATURE_NAMES, FEATURES_BY_REVISION
from models.training.adam import Adam
from models.training.examples import Examples

LEVEL_COLUMN = FEATURE_NAMES.index("log_level")
MAX_LOG_STEP = 3.0
_LEAST_SPREAD_OF_DAYS = 0.2
"""Of what is known of days: a holiday a year is no reason to make its column shout."""
LEAST_DISPERSION = 1e-3
MOST_DISPERSION = 25.0
LOG_MEAN_LIMITS = (-9.0, 13.0)


@dataclass(frozen=True, slots=True)
class Network:
    """weights[i]: (n_in, n_out), biases[i]: (n_out,), float32."""

    centre: F32
    scale: F32
    weights: tuple[F32, ...]
    biases: tuple[F32, ...]

    def predict(self, features: F32) -> tuple[F32, F32]:
        """Mean and dispersion, (n_rows,) each: what the exported graph computes."""
        x = (features - self.centre) / self.scale
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weight + bias, 0)
        out = x @ self.weights[-1] + self.biases[-1]
        log_mean = features[:, LEVEL_COLUMN] + np.clip(out[:, 0], -MAX_LOG_STEP, MAX_LOG_STEP)
        dispersion = np.minimum(np.logaddexp(0, out[:, 1]) + LEAST_DISPERSION, MOST_DISPERSION)
        return np.exp(np.clip(log_mean, *LOG_MEAN_LIMITS)).astype(np.float32), dispersion.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Fit:
    """How to fit. learning_rate falls by a half cosine to nothing."""

    hidden: tuple[int, ...] = (48, 48)
    epochs: int = 12
    batch_rows: int = 1024
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 1


def fit_network(examples: Examples, fit: Fit, on_epoch: Callable[[int, float], None]) -> Network:
    """The network after fit.epochs; on_epoch hears the epoch's number and mean negative log-likelihood."""
    random = np.random.default_rng(fit.seed)
    centre = examples.features.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = examples.features.std(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.where(spread > 1e-6, spread, 1).astype(np.float32)
    seldom = slice(len(FEATURES_BY_REVISION[1]), None)
    scale[seldom] = np.maximum(scale[seldom], _LEAST_SPREAD_OF_DAYS)
    x = (examples.features - centre) / scale
    level = examples.features[:, LEVEL_COLUMN]
    parameters = _start(x.shape[1], fit, random)
    parameters[0][spread <= 1e-6] = 0  # what never changed taught nothing, and is to change nothing either
    adam = Adam(fit.weight_decay)
    batches = max(1, len(x) // fit.batch_rows)
    for epoch in range(fit.epochs):
        order, losses = random.permutation(len(x)), []
        for batch, rows in enumerate(np.array_split(order, batches)):
            done = (epoch + batch / batches) / fit.epochs
            loss, gradients = _loss_and_gradients(parameters, x[rows], level[rows], examples.units[rows])
            adam.step(parameters, gradients, fit.learning_rate * 0.5 * (1 + float(np.cos(np.pi * done))))
            losses.append(loss)
        on_epoch(epoch + 1, float(np.mean(losses)))
    return Network(centre, scale, tuple(parameters[0::2]), tuple(parameters[1::2]))


def negbin_loss(units: F64, mean: F64, dispersion: F64) -> F64:
    """Negative log-likelihood of each row, without the term of the units alone."""
    r = 1 / dispersion
    return np.asarray(
        _log_gamma(r)
        - _log_gamma(units + r)
        + (units + r) * np.log(r + mean)
        - r * np.log(r)
        - units * np.log(mean)
    )


def _start(n_in: int, fit: Fit, random: np.random.Generator) -> list[F32]:
    """He 2015 initialisation; the last layer starts at nothing: the SKU's own level, dispersion about 0.5."""
    parameters = []
    sizes = (n_in, *fit.hidden)
    for first, second in itertools.pairwise(sizes):
        parameters.append((random.standard_normal((first, second)) * np.sqrt(2 / first)).astype(np.float32))
        parameters.append(np.zeros(second, np.float32))
    parameters.append((random.standard_normal((sizes[-1], 2)) * 0.01).astype(np.float32))
    parameters.append(np.array([0.0, -0.4], np.float32))
    return parameters


def _loss_and_gradients(parameters: list[F32], x: F32, level: F32, units: F32) -> tuple[float, list[F32]]:
    layers = [x]
    for weight, bias in zip(parameters[0:-2:2], parameters[1:-2:2], strict=True):
        layers.append(np.maximum(layers[-1] @ weight + bias, 0))
    out = (layers[-1] @ parameters[-2] + parameters[-1]).astype(np.float64)
    step = np.clip(out[:, 0], -MAX_LOG_STEP, MAX_LOG_STEP)
    mean = np.exp(np.clip(level + step, *LOG_MEAN_LIMITS))
    dispersion = np.minimum(np.logaddexp(0, out[:, 1]) + LEAST_DISPERSION, MOST_DISPERSION)
    r = 1 / dispersion
    loss = negbin_loss(units.astype(np.float64), mean, dispersion)
    of_log_mean = (mean - units) / (1 + dispersion * mean)
    # Where the step is at its bound, pushing it further changes no forecast: of SKUs without a history it would do so for ever.
    outward = (np.abs(out[:, 0]) > MAX_LOG_STEP) & (of_log_mean * out[:, 0] < 0)
    of_log_mean = np.where(outward, 0.0, of_log_mean)
    of_r = _digamma(r) - _digamma(units + r) + np.log((r + mean) / r) + (units - mean) / (r + mean)
    of_s = of_r * -(r**2) / (1 + np.exp(-out[:, 1]))
    upstream = np.stack([of_log_mean, np.clip(of_s, -10, 10)], axis=1).astype(np.float32) / np.float32(len(x))
    gradients: list[F32] = []
    for layer in range(len(layers) - 1, -1, -1):
        gradients[:0] = [layers[layer].T @ upstream, upstream.sum(axis=0)]
        if layer:
            upstream = (upstream @ parameters[2 * layer].T) * (layers[layer] > 0)
    return float(loss.mean()), gradients


def _log_gamma(z: F64) -> F64:
    """Stirling's series after moving z above 8. Source: Abramowitz & Stegun 6.1.41."""
    moved = np.zeros_like(z)
    for _ in range(8):
        small = z < 8
        moved = moved + np.where(small, np.log(np.where(small, z, 1)), 0)
        z = np.where(small, z + 1, z)
    return np.asarray(
        (z - 0.5) * np.log(z) - z + 0.9189385332046727 + 1 / (12 * z) - 1 / (360 * z**3) - moved
    )


def _digamma(z: F64) -> F64:
    """The asymptotic series after moving z above 8. Source: Abramowitz & Stegun 6.3.18."""
    moved = np.zeros_like(z)
    for _ in range(8):
        small = z < 8
        moved = moved + np.where(small, 1 / np.where(small, z, 1), 0)
        z = np.where(small, z + 1, z)
    return np.asarray(np.log(z) - 1 / (2 * z) - 1 / (12 * z**2) + 1 / (120 * z**4) - 1 / (252 * z**6) - moved)
