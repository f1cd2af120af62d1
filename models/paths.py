"""Demand over a window from quantiles of its days: paths whose days keep their own quantiles and move together.

Each path draws one standing per day (a normal with equal correlation between days), looks it up in the day's quantiles,
rounds to whole units and adds up. So a window of one day has that day's quantiles, a longer window never needs less than
a shorter one, and the quantiles of a sum are not sums of quantiles. The standings are one fixed, stratified table for all
series: equal inputs give equal results, and the look-up is one matrix product a day.
"""

from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from models.arrays import F32, F64

PATHS = 256
_SEED = 20_170_901
_SHUFFLES = 200
"""Tried for each day."""
_TAIL_RATE = 1 / np.log(2.5)
"""Beyond the highest level the tail is exponential, with the rate of the stretch between .975 and .99."""


def window_quantiles(
    daily: F32, day_levels: tuple[float, ...], correlation: float, levels: tuple[float, ...]
) -> F32:
    """Quantiles of the sum over the first 1, 2, ... days, shape (n, days, len(levels)), whole units, rising both ways.

    daily: (n, days, K) quantiles at day_levels, units, not falling; the last two levels are .975 and .99.
    correlation: of two days' standings, 0 to 1. Sums over one day are `daily` itself, rounded, where levels agree.
    """
    n, days, _ = daily.shape
    table = _look_up(days, round(correlation, 3), day_levels)
    out = np.empty((n, days, len(levels)), np.float32)
    # Midpoints of 256 strata: the smallest path that `level` of them do not exceed.
    picks = np.clip(np.ceil(np.asarray(levels) * PATHS).astype(int) - 1, 0, PATHS - 1)
    for start in range(0, n, 1024):
        part = daily[start : start + 1024]
        total = np.zeros((len(part), PATHS), np.float32)
        for day in range(days):
            total += np.maximum(np.rint(part[:, day] @ table[day]), 0)
            out[start : start + 1024, day] = np.sort(total, axis=1)[:, picks]
    for place, level in enumerate(levels):
        if level in day_levels:
            out[:, 0, place] = np.rint(daily[:, 0, day_levels.index(level)])
    return np.asarray(np.maximum.accumulate(np.maximum.accumulate(out, axis=1), axis=2), dtype=np.float32)


@lru_cache(maxsize=16)
def _look_up(days: int, correlation: float, day_levels: tuple[float, ...]) -> F32:
    """(days, K, PATHS): the weights that read a path's units of a day out of its quantiles."""
    standings = _standings(days, correlation)
    return np.stack([_weights(day, day_levels) for day in standings]).astype(np.float32)


def _standings(days: int, correlation: float) -> F64:
    """Probabilities (days, PATHS): each day's are near to evenly spread, two days' normals are correlated."""
    common, own = _normals(days)
    mixed = np.sqrt(correlation) * common[None, :] + np.sqrt(1 - correlation) * own
    # Ranks put back the even spread that a finite mixture has lost.
    ranks = np.argsort(np.argsort(mixed, axis=1), axis=1)
    return np.asarray((ranks + 0.5) / PATHS)


@lru_cache(maxsize=4)
def _normals(days: int) -> tuple[F64, F64]:
    """One normal of all days, (PATHS,), and one of each day, (days, PATHS), evenly spread each and in all their sums.

    Shuffled blindly, 256 paths put the tenth of a sum's distribution up to three hundredths off, and the same way for all
    series. So each day takes, of many shuffles, the one after which the days' sum so far lies best: by itself, beside the
    normal of all days, and as a sum of waiting times, which are as skewed as the days of a slow SKU.
    """
    random = np.random.default_rng(_SEED)
    grid = np.array([NormalDist().inv_cdf((place + 0.5) / PATHS) for place in range(PATHS)])
    waits = -np.log(1 - (np.arange(PATHS) + 0.5) / PATHS)
    common = random.permutation(grid)
    own = np.empty((days, PATHS))
    normal_sum, wait_sum = np.zeros(PATHS), np.zeros(PATHS)
    for day in range(days):
        count = day + 1
        tries = random.permuted(np.tile(np.arange(PATHS), (_SHUFFLES, 1)), axis=1)
        normals, waited = normal_sum + grid[tries], wait_sum + waits[tries]
        # Gamma quantiles by the cube-root normal: Wilson & Hilferty 1931.
        gamma = count * np.maximum(1 - 1 / (9 * count) + grid / (3 * np.sqrt(count)), 0) ** 3
        off = (
            _off(normals / np.sqrt(count), grid)
            + _off((normals / np.sqrt(count) + common) / np.sqrt(2), grid)
            + _off((waited - count) / np.sqrt(count), (gamma - count) / np.sqrt(count))
        )
        best = int(np.argmin(off))
        own[day], normal_sum, wait_sum = grid[tries[best]], normals[best], waited[best]
    return common, own


def _off(sums: F64, wanted: F64) -> F64:
    """(n,): how far the sorted paths of each try lie from the quantiles that they should be, the middle as the tails."""
    density = np.exp(-(np.linspace(-2.5, 2.5, PATHS) ** 2) / 8)
    return np.asarray((density * (np.sort(sums, axis=1) - wanted) ** 2).mean(axis=1))


def _weights(standing: F64, day_levels: tuple[float, ...]) -> F64:
    levels = np.asarray(day_levels)
    out = np.zeros((len(levels), len(standing)))
    for path, chance in enumerate(standing):
        above = int(np.searchsorted(levels, chance))
        if above == 0:
            # Between nothing at probability 0 and the lowest level.
            out[0, path] = chance / levels[0]
        elif above == len(levels):
            stretch = _TAIL_RATE * np.log((1 - levels[-1]) / (1 - chance))
            out[-1, path], out[-2, path] = 1 + stretch, -stretch
        else:
            share = (chance - levels[above - 1]) / (levels[above] - levels[above - 1])
            out[above - 1, path], out[above, path] = 1 - share, share
    return out


def whole_units(quantiles: npt.NDArray[np.float32]) -> F32:
    """Quantiles of counts: the nearest whole number, never falling with the level."""
    return np.asarray(np.maximum.accumulate(np.maximum(np.rint(quantiles), 0), axis=-1), dtype=np.float32)
