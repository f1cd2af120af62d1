"""The measures of the table: pinball losses by several scales, WRMSSE over twelve levels, coverage by randomised PIT."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.quantile_network import DAY_LEVELS

Array = np.ndarray[Any, Any]
SPL_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
WQL_LEVELS = SPL_LEVELS[:-1]
BANDS = {80: (0.1, 0.9), 90: (0.05, 0.95), 95: (0.025, 0.975)}


@dataclass(frozen=True, slots=True)
class Found:
    """One method's answer. mean: (n, days). quantiles: (n, days, K) at DAY_LEVELS."""

    mean: Array
    quantiles: Array


def at(quantiles: Array, levels: tuple[float, ...]) -> Array:
    return quantiles[..., [DAY_LEVELS.index(level) for level in levels]]


def losses(sold: Array, quantiles: Array, levels: tuple[float, ...]) -> Array:
    """Pinball loss averaged over the levels, the shape of `sold`, NaN where that is."""
    error = sold[..., None] - at(quantiles, levels)
    level = np.asarray(levels)
    return np.asarray(np.maximum(level * error, (level - 1) * error).mean(-1))


def spl(sold: Array, quantiles: Array, scale: Array) -> float:
    """Mean over series of the loss at .1-.9 and .95 over the mean absolute change from day to day."""
    known = ~np.isnan(sold)
    # A series that never changed has no scale and is left out.
    with np.errstate(divide="ignore", invalid="ignore"):
        of_series = np.nansum(losses(sold, quantiles, SPL_LEVELS), 1) / np.maximum(known.sum(1), 1) / scale
    usable = known.any(1) & np.isfinite(of_series)
    return float(of_series[usable].mean())


def wql(sold: Array, quantiles: Array, levels: tuple[float, ...] = WQL_LEVELS) -> float:
    return float(2 * np.nansum(losses(sold, quantiles, levels)) / np.nansum(sold))


def wape(sold: Array, quantiles: Array) -> float:
    return float(np.nansum(np.abs(sold - at(quantiles, (0.5,))[..., 0])) / np.nansum(sold))


def bias(sold: Array, mean: Array) -> float:
    return float((mean * ~np.isnan(sold)).sum() / np.nansum(sold) - 1)


def pit(sold: Array, quantiles: Array, seed: int) -> Array:
    """Randomised probability integral transform of each known day: uniform when the forecasts are calibrated.

    The distribution function of whole units is read off the quantiles: between two levels at which the quantile is the
    same number, all of that probability is that number's. Source: Czado, Gneiting & Held 2009.
    """
    known = ~np.isnan(sold)
    actual = sold[known]
    grid = np.concatenate([[0.0], DAY_LEVELS, [1.0]])
    table = quantiles[known]
    # P(D < y): the share of levels whose quantile lies below y; P(D <= y) likewise. Read at the middles of jumps.
    below = (table < actual[:, None] - 1e-6).sum(1)
    upto = (table <= actual[:, None] + 1e-6).sum(1)
    low, high = _probability(grid, below), _probability(grid, upto)
    return np.asarray(low + np.random.default_rng(seed).random(len(actual)) * (high - low))


def _probability(grid: Array, count: Array) -> Array:
    """Between the last level that lies below and the next one: their middle; nothing below is 0, all below is 1."""
    lower, upper = grid[count], grid[np.minimum(count + 1, len(grid) - 1)]
    middle = (lower + upper) / 2
    return np.where(count == 0, 0.0, np.where(count == len(grid) - 2, 1.0, middle))


def coverage(values: Array) -> dict[int, float]:
    """Share of the PIT inside each central band, and under 0 the largest gap of a tenth from its tenth."""
    out = {band: float(((values >= low) & (values < high)).mean()) for band, (low, high) in BANDS.items()}
    tenths = np.histogram(values, bins=10, range=(0, 1))[0] / len(values)
    out[0] = float(np.abs(tenths - 0.1).max())
    return out


LEVELS = {
    "Level1": (), "Level2": ("state",), "Level3": ("store",), "Level4": ("cat",), "Level5": ("dept",),
    "Level6": ("state", "cat"), "Level7": ("state", "dept"), "Level8": ("store", "cat"), "Level9": ("store", "dept"),
    "Level10": ("item",), "Level11": ("state", "item"), "Level12": ("item", "store"),
}  # fmt: skip


def wrmsse(
    history: Array,
    sold: Array,
    mean: Array,
    words: dict[str, Array],
    weights: dict[str, dict[tuple[str, str], float]],
) -> dict[str, float]:
    """WRMSSE of each of the twelve levels of M5 and, under "mean", of all. Source: Makridakis et al. 2022.

    Weights of series that are not in `words` are left out and the rest made to sum to 1.
    """
    out = {}
    for level, names in LEVELS.items():
        joined = (
            np.array(["|".join(parts) for parts in zip(*(words[n] for n in names), strict=True)])
            if names
            else np.zeros(len(sold), "U1")
        )
        keys, code = np.unique(joined, return_inverse=True)
        past, real, said = (
            _summed(np.nan_to_num(values), code, len(keys)) for values in (history, sold, mean)
        )
        started = np.cumsum(past, axis=1) > 0
        change = np.where(started[:, :-1], np.diff(past, axis=1) ** 2, 0)
        scale = change.sum(1) / np.maximum(started[:, :-1].sum(1), 1)
        error = np.sqrt(((real - said) ** 2).mean(1) / np.maximum(scale, 1e-9))
        weight = np.array([_weight(weights[level], key.split("|") if key else []) for key in keys])
        usable = scale > 0
        out[level] = float((error * weight)[usable].sum() / weight[usable].sum())
    out["mean"] = float(np.mean(list(out.values())))
    return out


def _summed(values: Array, code: Array, count: int) -> Array:
    """(count, days): sums over the members of each code; every code below `count` has some."""
    order = np.argsort(code, kind="stable")
    first = np.searchsorted(code[order], np.arange(count))
    return np.asarray(np.add.reduceat(values[order], first, axis=0, dtype=np.float64))


def _weight(weights: dict[tuple[str, str], float], names: list[str]) -> float:
    """The weights' file names one word and "X", or two words."""
    key = ("Total", "X") if not names else (names[0], "X") if len(names) == 1 else (names[0], names[1])
    if key not in weights:
        raise SystemExit(f"no weight for {key}; the weights' file has keys like {next(iter(weights))}")
    return weights[key]
