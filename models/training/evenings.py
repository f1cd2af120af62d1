"""Scores of several methods on the same evenings, with intervals: what a card says and what two models are compared by.

Each score is a ratio of sums over (series, evening). Its interval comes from drawing series and evenings anew, each by
itself (Owen 2007, "The pigeonhole bootstrap"): all series share an evening's weather, and an evening's error is one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.errors import TrainingDataError
from models.panel import Panel
from models.quantile_network import DAY_LEVELS, DayQuantiles
from models.scores import SCORED_LEVELS, pinball

STEP_DAYS = 7
MEASURES = ("wql", "wape", "bias", "inside 80 %", "inside 95 %")
PIT_BINS = 20
_DRAWS = 400
_SEED = 20_240_101

DayMethod = Callable[[Panel, int], DayQuantiles]
"""(what is known on the evening, days ahead) -> mean and quantiles of all series."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One method's sums, (n_series, n_evenings) each: what its measures are ratios of.

    by_day: (horizon, 2), pinball loss and units of each day ahead. pit: (PIT_BINS,), how many days fell in each part of
    the forecast's distribution.
    """

    units: F64
    pinball: F64
    absolute_error: F64
    mean_units: F64
    inside_80: F64
    inside_95: F64
    days: F64
    by_day: F64
    pit: F64


@dataclass(frozen=True, slots=True)
class Interval:
    """A score and the central 95 % of what other series and evenings would have given."""

    value: float
    low: float
    high: float


def evenings_from(panel: Panel, first_day: int, horizon_days: int) -> list[int]:
    """Day numbers of the evenings, a week apart, that have horizon_days of sales after them.

    Raises TrainingDataError when there is none.
    """
    found = list(range(first_day, panel.n_days - horizon_days + 1, STEP_DAYS))
    if first_day < 1 or not found:
        raise TrainingDataError(
            f"the history ends {panel.day(panel.n_days - 1)}; {horizon_days} days from {panel.day(first_day)} on are needed"
            " to score: give an earlier --test-from or more history"
        )
    return found


def scored_evenings(
    panel: Panel,
    evenings: Sequence[int],
    horizon_days: int,
    methods: dict[str, DayMethod],
    say: Callable[[str], None] | None = None,
) -> dict[str, Scored]:
    """Every method asked on every evening with what was known then; days that sold out or were not seen do not count.

    say: told which is asked, before it is.
    """
    parts: dict[str, list[_Sums]] = {name: [] for name in methods}
    for place, evening in enumerate(evenings, start=1):
        known, sold = panel.before(evening), panel.demand(evening, evening + horizon_days).astype(np.float64)
        for name, method in methods.items():
            if say is not None:
                say(f"evening {place} of {len(evenings)}, {panel.day(evening)}: {name}")
            parts[name].append(_sums(method(known, horizon_days), sold, _SEED + evening))
    return {name: _joined(each) for name, each in parts.items()}


def measured(scored: Scored) -> dict[str, Interval]:
    """Each of MEASURES with its interval."""
    totals = _totals(scored)
    return {name: _interval(_measure(totals, name)) for name in MEASURES}


def difference(a: Scored, b: Scored) -> dict[str, Interval]:
    """Each of MEASURES: b less a, on the same draws of series and evenings; of the bias, of its size."""
    first, second = _totals(a), _totals(b)
    out = {}
    for name in MEASURES:
        of_a, of_b = _measure(first, name), _measure(second, name)
        out[name] = _interval(np.abs(of_b) - np.abs(of_a) if name == "bias" else of_b - of_a)
    return out


_Sums = tuple[F64, ...]


def _sums(found: DayQuantiles, sold: F64, seed: int) -> _Sums:
    known = ~np.isnan(sold)
    actual = np.where(known, sold, 0.0)
    quantiles = np.rint(np.maximum(found.quantiles, 0)).astype(np.float64)
    loss = pinball(actual, _at(quantiles, SCORED_LEVELS), SCORED_LEVELS).sum(-1) * known
    low_80, high_80 = _at(quantiles, (0.1, 0.9))[..., 0], _at(quantiles, (0.1, 0.9))[..., 1]
    low_95, high_95 = _at(quantiles, (0.025, 0.975))[..., 0], _at(quantiles, (0.025, 0.975))[..., 1]
    median = _at(quantiles, (0.5,))[..., 0]
    return (
        actual.sum(1),
        loss.sum(1),
        (np.abs(actual - median) * known).sum(1),
        (found.mean * known).sum(1),
        ((actual >= low_80) & (actual <= high_80) & known).sum(1).astype(np.float64),
        ((actual >= low_95) & (actual <= high_95) & known).sum(1).astype(np.float64),
        known.sum(1).astype(np.float64),
        np.stack([loss.sum(0), actual.sum(0)], axis=1),
        np.histogram(pit_values(quantiles[known], actual[known], seed), PIT_BINS, (0, 1))[0].astype(
            np.float64
        ),
    )


def pit_values(quantiles: F64, sold: F64, seed: int) -> F64:
    """Where each day fell in its forecast, 0 to 1, spread at random over whole units: even when it is calibrated.

    quantiles: (n, K) at DAY_LEVELS, whole units. Source: Czado, Gneiting & Held 2009.
    """
    grid = np.concatenate([[0.0], DAY_LEVELS, [1.0]])
    low = _probability(grid, (quantiles < sold[:, None]).sum(1))
    high = _probability(grid, (quantiles <= sold[:, None]).sum(1))
    return np.asarray(low + np.random.default_rng(seed).random(len(sold)) * (high - low))


def _probability(grid: F64, count: I64) -> F64:
    middle = (grid[count] + grid[np.minimum(count + 1, len(grid) - 1)]) / 2
    return np.asarray(np.where(count == 0, 0.0, np.where(count == len(grid) - 2, 1.0, middle)))


def _joined(parts: list[_Sums]) -> Scored:
    units, loss, absolute, mean, inside_80, inside_95, days = (
        np.stack([part[place] for part in parts], axis=1) for place in range(7)
    )
    by_day, pit = (np.sum([part[place] for part in parts], axis=0) for place in (7, 8))
    return Scored(units, loss, absolute, mean, inside_80, inside_95, days, by_day, pit)


def _totals(scored: Scored) -> dict[str, F64]:
    """Of each table its sum and then its sums over the draws, (1 + _DRAWS,)."""
    tables = {
        "units": scored.units, "pinball": scored.pinball, "absolute_error": scored.absolute_error,
        "mean_units": scored.mean_units, "inside_80": scored.inside_80, "inside_95": scored.inside_95, "days": scored.days,
    }  # fmt: skip
    random = np.random.default_rng(_SEED)
    series, evenings = scored.units.shape
    stacked = np.stack(list(tables.values()), axis=2).reshape(series, -1)
    out = np.empty((1 + _DRAWS, len(tables)))
    out[0] = stacked.sum(axis=0).reshape(evenings, -1).sum(axis=0)
    for draw in range(1, 1 + _DRAWS):
        of_series = np.bincount(random.integers(0, series, series), minlength=series).astype(np.float64)
        of_evening = np.bincount(random.integers(0, evenings, evenings), minlength=evenings)
        out[draw] = of_evening @ (of_series @ stacked).reshape(evenings, -1)
    return {name: out[:, place] for place, name in enumerate(tables)}


def _measure(totals: dict[str, F64], name: str) -> F64:
    units, days = np.maximum(totals["units"], 1e-9), np.maximum(totals["days"], 1e-9)
    if name == "wql":
        return 2 * totals["pinball"] / len(SCORED_LEVELS) / units
    if name == "wape":
        return totals["absolute_error"] / units
    if name == "bias":
        return totals["mean_units"] / units - 1
    return totals["inside_80" if name == "inside 80 %" else "inside_95"] / days


def _interval(values: F64) -> Interval:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))


def _at(quantiles: F64, levels: tuple[float, ...]) -> F64:
    return np.asarray(quantiles[..., [DAY_LEVELS.index(level) for level in levels]])
