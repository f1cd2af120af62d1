"""Quantiles of whole units: negative binomial, for one day and for the sum over a window. numpy only.

The distribution has mean `m` and variance `m + a * m**2`; `a` is the dispersion, and `a = 0` is Poisson.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from models.arrays import F64

MAX_MEAN_UNITS = 1e6
MAX_DISPERSION = 25.0
_LARGEST_TABLE = 2048
"""Counts whose masses are summed one by one; items that sell more are counted in lots, or by the normal."""
_PRODUCT_TABLE = 128
"""Tables up to so many counts multiply masses up from p(0), which is far from underflow there: no logarithm a cell."""
_CELLS_AT_ONCE = 2**16
"""Of a table in memory: half a megabyte, which stays in a core's cache."""


def negbin_quantiles(mean: F64, dispersion: F64, levels: Sequence[float]) -> F64:
    """The smallest whole number of units whose distribution function reaches each level.

    mean, dispersion: shape (n,), units and dimensionless, clipped to [0, 1e6] and [0, 25].
    levels: inside (0, 1). Returns shape (n, len(levels)), whole, rising with the level, never NaN.
    Raises ValueError when a mean, dispersion or level is NaN or the shapes differ.
    """
    ordered = np.asarray(levels, dtype=np.float64)
    if not np.all((ordered > 0) & (ordered < 1)):
        raise ValueError(f"levels must lie inside (0, 1), got {list(levels)}")
    mean, dispersion = np.asarray(mean, dtype=np.float64), np.asarray(dispersion, dtype=np.float64)
    if mean.ndim != 1 or mean.shape != dispersion.shape:
        raise ValueError(
            f"mean and dispersion must be of one shape (n,), got {mean.shape} and {dispersion.shape}"
        )
    if np.isnan(mean).any() or np.isnan(dispersion).any():
        raise ValueError("mean and dispersion must not be NaN")
    mean, dispersion = np.clip(mean, 0, MAX_MEAN_UNITS), np.clip(dispersion, 0, MAX_DISPERSION)
    lot = np.maximum(_reach(mean, dispersion) / _LARGEST_TABLE, 1)
    if lot.max(initial=1) == 1:
        return _counted_quantiles(mean, dispersion, ordered)
    # Lots of `lot` units with the same variance: var / lot**2 = m / lot + a' * (m / lot)**2.
    lot_dispersion = dispersion - (lot - 1) / np.maximum(mean, 1e-9)
    smooth = lot_dispersion < 0
    out = np.empty((len(mean), len(ordered)))
    out[smooth] = _skewed_normal_quantiles(mean[smooth], dispersion[smooth], ordered)
    counted = np.flatnonzero(~smooth)
    lots = _counted_quantiles(mean[counted] / lot[counted], lot_dispersion[counted], ordered)
    out[counted] = np.rint(lots * lot[counted, None])
    return out


def negbin_cdf(mean: F64, dispersion: F64, units: F64) -> F64:
    """P(D <= units) of each row, shape (n,); 0 below nothing. Means whose table would be too long by the normal."""
    mean, dispersion = np.clip(mean, 0, MAX_MEAN_UNITS), np.clip(dispersion, 0, MAX_DISPERSION)
    count = np.floor(units)
    spread = np.sqrt(np.maximum(mean + dispersion * mean**2, 1e-12))
    out = np.asarray([NormalDist().cdf(z) for z in (count + 0.5 - mean) / spread], dtype=np.float64)
    sizes = 2.0 ** np.ceil(np.log2(np.maximum(count + 2, 2)))
    for size in np.unique(sizes[sizes <= _LARGEST_TABLE]):
        rows = np.flatnonzero(sizes == size)
        step = max(1, int(_CELLS_AT_ONCE // size))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            cumulated = _cumulated(mean[part], dispersion[part], int(size))
            out[part] = cumulated[np.maximum(count[part], 0).astype(int), np.arange(len(part))]
    return np.where(count < 0, 0.0, np.minimum(out, 1.0))


def _counted_quantiles(mean: F64, dispersion: F64, levels: F64) -> F64:
    out = np.empty((len(mean), len(levels)))
    spread = np.sqrt(mean + dispersion * mean**2)
    open_rows, reach = np.arange(len(mean)), np.asarray(mean + 2.5 * spread + 3)
    # First tables that are long enough for most; the few rows whose highest level they do not reach take longer ones.
    while len(open_rows):
        sizes = np.minimum(2.0 ** np.ceil(np.log2(reach)), _LARGEST_TABLE)
        reached = np.ones(len(open_rows), dtype=bool)
        # Rows of one table size share one table: a quiet item does not pay for a busy one.
        for size in np.unique(sizes):
            members = np.flatnonzero(sizes == size)
            step = int(_CELLS_AT_ONCE // size)
            for start in range(0, len(members), step):
                part = members[start : start + step]
                rows = open_rows[part]
                out[rows], enough = _exact_quantiles(mean[rows], dispersion[rows], levels, int(size))
                reached[part] = enough | (size >= _LARGEST_TABLE)
        open_rows, reach = open_rows[~reached], sizes[~reached] * 4
    return out


def window_moments(mean: F64, dispersion: F64, weights: F64, correlation: float) -> tuple[F64, F64]:
    """Mean and dispersion of the demand over a window of days, shape (n,) each.

    mean, dispersion: shape (n, days). weights: shape (n, days), the share of each day inside the window.
    correlation: between any two days' forecast errors, 0 to 1; it widens the sum, since a level that is wrong
    today is wrong tomorrow. Var(S) = (1 - c) * sum(v) + c * sum(sqrt(v))**2, then moment-matched.
    """
    # Summed day by day: numpy's own sum over a row groups by the array's size, and bits would depend on it.
    total, variance, deviation = (np.zeros(mean.shape[0]) for _ in range(3))
    for day in range(mean.shape[1]):
        day_mean = mean[:, day] * weights[:, day]
        day_variance = weights[:, day] * (mean[:, day] + dispersion[:, day] * mean[:, day] ** 2)
        total = total + day_mean
        variance = variance + day_variance
        deviation = deviation + np.sqrt(day_variance)
    variance = (1 - correlation) * variance + correlation * deviation**2
    excess = np.maximum(variance - total, 0)
    return total, np.where(total > 0, excess / np.maximum(total, 1e-9) ** 2, 0.0)


def _reach(mean: F64, dispersion: F64) -> F64:
    """Units above every quantile up to 0.9999, by the mean, the spread and the tail's rate."""
    spread = np.sqrt(mean + dispersion * mean**2)
    return np.asarray(mean + 5 * spread + 5 * dispersion * mean + 8)


def _exact_quantiles(mean: F64, dispersion: F64, levels: F64, size: int) -> tuple[F64, npt.NDArray[np.bool_]]:
    """The quantiles, and whether the table reached the highest of them."""
    cumulated = _cumulated(mean, dispersion, size)
    quantiles = np.empty((len(mean), len(levels)))
    for place, level in enumerate(levels):
        # A sliver of tolerance: the sum of masses ends at 1 - 1e-15, and a level of exactly p(0) is reached by 0.
        below = (cumulated < level - 1e-12).view(np.int8)
        quantiles[:, place] = np.minimum(below.sum(axis=0, dtype=np.int16), size - 1)
    return quantiles, np.asarray(cumulated[-1] >= levels.max() - 1e-12)


def _cumulated(mean: F64, dispersion: F64, size: int) -> F64:
    """P(D <= 0), P(D <= 1), ..., shape (size, n): steps over counts are then steps over whole rows."""
    counts = np.arange(size, dtype=np.float64)[:, None]
    m, a = mean[None, :], dispersion[None, :]
    # log p(0) = -log(1 + a m) / a; its limit for a -> 0 is -m.
    log_first = np.where(a > 1e-9, -np.log1p(a * m) / np.maximum(a, 1e-9), -m)
    ratios = (1 + a * counts[:-1]) * m / ((1 + a * m) * (counts[:-1] + 1))
    if size <= _PRODUCT_TABLE:
        first = np.exp(log_first)
        mass = np.concatenate([first, first * np.cumprod(ratios, axis=0)], axis=0)
        return np.asarray(np.cumsum(mass, axis=0))
    with np.errstate(divide="ignore"):  # m = 0 puts all mass on 0
        log_steps = np.log(ratios)
    log_mass = np.concatenate([log_first, log_first + np.cumsum(log_steps, axis=0)], axis=0)
    return np.asarray(np.cumsum(np.exp(log_mass), axis=0))


def _skewed_normal_quantiles(mean: F64, dispersion: F64, levels: F64) -> F64:
    """Cornish-Fisher with the negative binomial's skewness (Abramowitz & Stegun 26.2.49, first term), for large regular counts."""
    order = np.argsort(levels)
    normal = np.array([NormalDist().inv_cdf(level) for level in levels])
    spread = np.sqrt(mean + dispersion * mean**2)
    skewness = np.where(spread > 0, (1 + 2 * dispersion * mean) / np.maximum(spread, 1e-9), 0.0)
    shifted = normal[None, :] + skewness[:, None] * (normal[None, :] ** 2 - 1) / 6
    units = np.floor(np.maximum(mean[:, None] + spread[:, None] * shifted + 0.5, 0))
    # With a strong skew the expansion is not monotone: quantiles never cross, so carry the highest upward.
    units[:, order] = np.maximum.accumulate(units[:, order], axis=1)
    return np.asarray(units)
