"""The heavy form of the demand model: small networks that give mean and quantiles of a day at once. numpy only.

    x = (features - centre) / scale;  layers of ReLU;  (d, b, a_2 .. a_K) = output
    mean = level * exp(d),  q_1 = s * b,  q_k = q_(k-1) + s * softplus(a_k),  s = sqrt(0.7 level + 0.3 level**2)

Quantiles cannot cross by construction. Several networks of different seeds are averaged, quantile by quantile.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.arrays import F32
from models.panel_features import Features

DAY_LEVELS = (0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99)
MAX_LOG_STEP = 3.0
INPUT_LIMIT = 6.0
_SERIES_AT_ONCE = 2048


@dataclass(frozen=True, slots=True)
class QuantileNetwork:
    """centre, scale: of the inputs, series columns first. weights[i]: (n_in, n_out), biases[i]: (n_out,), float32."""

    centre: F32
    scale: F32
    weights: tuple[F32, ...]
    biases: tuple[F32, ...]

    def predict(self, rows: F32, level: F32) -> tuple[F32, F32]:
        """Mean (n,) and quantiles (n, K), units, of standardised rows (n, S + D): what the exported graph computes."""
        x = rows
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weight + bias, 0)
        mean, steps = heads(x @ self.weights[-1] + self.biases[-1], level)
        return mean, np.maximum(steps * spread_of(level)[:, None], 0)

    def standardised(self, rows: F32) -> F32:
        return np.asarray(np.clip((rows - self.centre) / self.scale, -INPUT_LIMIT, INPUT_LIMIT))


@dataclass(frozen=True, slots=True)
class DayQuantiles:
    """mean: (n, days), units. quantiles: (n, days, K) at DAY_LEVELS, units, not rounded, never falling."""

    mean: F32
    quantiles: F32


def ensemble_forecast(networks: tuple[QuantileNetwork, ...], features: Features) -> DayQuantiles:
    """The networks' average for each series and day."""
    n, days, _ = features.of_day.shape
    mean = np.empty((n, days), np.float32)
    quantiles = np.empty((n, days, len(DAY_LEVELS)), np.float32)
    for part in _parts(n):
        rows = joined_rows(features.of_series[part], features.of_day[part])
        level = np.repeat(features.level[part], days)
        found = [network.predict(network.standardised(rows), level) for network in networks]
        mean[part] = np.mean([each[0] for each in found], axis=0).reshape(-1, days)
        quantiles[part] = np.mean([each[1] for each in found], axis=0).reshape(-1, days, len(DAY_LEVELS))
    return DayQuantiles(mean, quantiles)


def joined_rows(of_series: F32, of_day: F32) -> F32:
    """(n * days, S + D)."""
    n, days, width = of_day.shape
    repeated = np.broadcast_to(of_series[:, None], (n, days, of_series.shape[1]))
    return np.concatenate([repeated, of_day], axis=2).reshape(n * days, of_series.shape[1] + width)


def heads(output: F32, level: F32) -> tuple[F32, F32]:
    """Mean in units and quantiles in units of spread_of(level), from the last layer's output."""
    mean = level * np.exp(np.clip(output[:, 0], -MAX_LOG_STEP, MAX_LOG_STEP))
    steps = np.concatenate([output[:, 1:2], np.logaddexp(np.float32(0), output[:, 2:])], axis=1)
    return mean, np.cumsum(steps, axis=1)


def spread_of(level: F32) -> F32:
    """The unit of the quantiles: between Poisson's and a proportional spread."""
    return np.sqrt(0.7 * level + 0.3 * level**2).astype(np.float32)


def _parts(n: int) -> Iterator[slice]:
    for start in range(0, n, _SERIES_AT_ONCE):
        yield slice(start, min(start + _SERIES_AT_ONCE, n))
