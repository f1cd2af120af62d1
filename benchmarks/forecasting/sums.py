"""Sums over lead times: what an order is made of. The heavy form's own, and a moving average whose days err apart."""

from typing import Any

import numpy as np

from benchmarks.forecasting.measures import Found
from benchmarks.forecasting.peers import moments
from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.quantiles import negbin_quantiles
from models.training.heavy import HeavyModel, heavy_forecast

Array = np.ndarray[Any, Any]
SUM_DAYS = (7, 28)


def heavy_sums(model: HeavyModel, panel: Panel, days: int, rows: Array) -> Found:
    """Of the first 7 and the first 28 days: Found's second axis is SUM_DAYS, as far as `days` reach."""
    found = heavy_forecast(model, panel, days)
    chosen = _reached(days)
    mean = np.cumsum(found.mean, axis=1)[:, chosen]
    return Found(mean[rows], found.window[:, chosen][rows])


def moving_average_sums(panel: Panel, days: int, rows: Array) -> Found:
    """Negative binomial of the series' own moments, as for a day; days apart, so that variances add up."""
    usual, spread = moments(panel, rows)
    lengths = np.array([length for length in SUM_DAYS if length <= days], dtype=np.float64)
    mean, of_sum = usual[:, None] * lengths, spread[:, None] / lengths
    quantiles = negbin_quantiles(mean.ravel(), of_sum.ravel(), DAY_LEVELS).reshape(*mean.shape, -1)
    return Found(mean, quantiles.astype(np.float32))


def sold_sums(sold: Array) -> Array:
    """(n, SUM_DAYS): NaN where a day of the sum is unknown."""
    return np.cumsum(sold, axis=1, dtype=np.float64)[:, _reached(sold.shape[1])]


def _reached(days: int) -> list[int]:
    return [length - 1 for length in SUM_DAYS if length <= days]
