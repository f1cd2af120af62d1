"""Forecasts of a replay's days: those that gateways told, read back from their quantiles, or those of another bundle's graph."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from contract.records import QUANTILE_LEVELS
from models.arrays import F64
from models.quantiles import negbin_quantiles

_HIGH_FROM = QUANTILE_LEVELS.index(0.9)
_MEANS = np.geomspace(0.01, 400.0, 220)
_DISPERSIONS = np.concatenate([[0.0], np.geomspace(0.02, 12.0, 23)])
_ROWS_AT_ONCE = 4_096


def dispersion_of(mean: F64, quantiles: F64) -> F64:
    """The dispersion with which a negative binomial of these means has these upper quantiles, over all days of a SKU's forecast.

    mean: (n, days), units. quantiles: (n, days, 9) at QUANTILE_LEVELS, whole units as they were told. Returns (n,), 0 to 12. Told quantiles
    are at the levels that the gateway had found to cover, so what it knew of its own misses is in the dispersion.
    """
    table = _high_sums()
    found = np.zeros(len(mean))
    for start in range(0, len(mean), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        means = np.maximum(mean[rows], 1e-4)
        place = np.clip(np.searchsorted(_MEANS, means), 1, len(_MEANS) - 1)
        share = np.clip((means - _MEANS[place - 1]) / (_MEANS[place] - _MEANS[place - 1]), 0, 1)[..., None]
        # Busier than the table: quantiles grow with the mean.
        scale = np.maximum(means / _MEANS[-1], 1.0)[..., None]
        at = scale * ((1 - share) * table[place - 1] + share * table[place])
        curve = np.maximum.accumulate(at.sum(axis=1), axis=1)  # (rows, dispersions)
        told = quantiles[rows, :, _HIGH_FROM:].sum(axis=(1, 2))
        above = np.clip((curve < told[:, None]).sum(axis=1), 1, len(_DISPERSIONS) - 1)
        each = np.arange(len(told))
        low, high = curve[each, above - 1], curve[each, above]
        step = np.clip((told - low) / np.maximum(high - low, 1e-9), 0, 1)
        found[rows] = _DISPERSIONS[above - 1] + step * (_DISPERSIONS[above] - _DISPERSIONS[above - 1])
    return found


def lengthened(rows: Sequence[Sequence[float]], days: int) -> list[list[float]]:
    """Each row `days` long: a shorter one repeats its last week, as a forecast does past its horizon."""
    found = []
    for row in rows:
        long = list(row[:days])
        while len(long) < days:
            long.append(long[-7] if len(long) >= 7 else long[-1])
        found.append(long)
    return found


@lru_cache(maxsize=1)
def _high_sums() -> F64:
    """Sum of the upper quantiles by mean and dispersion, (means, dispersions); between whole units they jump, over days they even out."""
    means, spreads = (part.ravel() for part in np.meshgrid(_MEANS, _DISPERSIONS, indexing="ij"))
    sums = negbin_quantiles(means, spreads, QUANTILE_LEVELS[_HIGH_FROM:]).sum(axis=1)
    return np.asarray(sums.reshape(len(_MEANS), len(_DISPERSIONS)))
