"""The centre's heavy form, asked: quantiles of the coming days and of their sums."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F32, I64
from models.panel import Panel
from models.panel_features import features_at, unseen
from models.paths import whole_units, window_quantiles
from models.quantile_network import DAY_LEVELS, DayQuantiles, QuantileNetwork, ensemble_forecast
from models.training.group_totals import drawn_to_totals, has_totals
from models.training.median_trees import MedianTrees, drawn_to_medians
from models.training.pace import Pace
from models.training.partitions import panel_part, parts_of_stores
from models.training.spreads import CLASS_LEVELS, Spread, stretched, with_spreads
from models.training.workers import ThisProcess, Workers

WINDOW_LEVELS = DAY_LEVELS


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Of series of which nothing was seen yet: how far quantiles lie from the median beside what they are for others (below
    it, above it), and the correlation of two days' standings.
    """

    spread: Spread = (1.2, 1.2)
    correlation: float = 0.6


@dataclass(frozen=True, slots=True)
class HeavyModel:
    """trees: beside the networks; None for a model of networks alone.

    spreads, correlations: of each class of CLASS_LEVELS, slow first: how far quantiles lie from the median beside what
    the networks say (below it, above it); between two days' standings. partitions: see partitions.parts_of_stores; what a
    series knows of other shops is what its part holds.
    """

    networks: tuple[QuantileNetwork, ...]
    spreads: tuple[Spread, ...]
    correlations: tuple[float, ...]
    partitions: int = 1
    trees: MedianTrees | None = None
    newcomers: Newcomers = Newcomers()

    @property
    def daily(self) -> "DailyModel":
        return DailyModel(self.networks, self.spreads, self.trees, self.newcomers)


@dataclass(frozen=True, slots=True)
class DailyModel:
    """What single days are asked of; fields as of HeavyModel."""

    networks: tuple[QuantileNetwork, ...]
    spreads: tuple[Spread, ...]
    trees: MedianTrees | None = None
    newcomers: Newcomers = Newcomers()


@dataclass(frozen=True, slots=True)
class HeavyForecast:
    """mean: (n, days). quantiles, window: (n, days, K) at DAY_LEVELS, whole units; window[:, d] of the sum through day d."""

    mean: F32
    quantiles: F32
    window: F32


def day_forecast(
    model: HeavyModel,
    panel: Panel,
    horizon_days: int,
    rows: I64 | None = None,
    workers: Workers | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> DayQuantiles:
    """Mean and quantiles of the days after the panel's last, of all series or of `rows`; units not rounded.

    say: told every few seconds how far it is.
    """
    if model.partitions == 1 and rows is not None and not has_totals(panel):
        return asked(model.daily, panel, rows, horizon_days, say)
    whole = drawn_to_totals(panel, _whole(model, panel, horizon_days, workers or ThisProcess(), say))
    return whole if rows is None else DayQuantiles(whole.mean[rows], whole.quantiles[rows])


def heavy_forecast(
    model: HeavyModel,
    panel: Panel,
    horizon_days: int,
    workers: Workers | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> HeavyForecast:
    """As day_forecast, in whole units, and the quantiles of the sums over the first 1, 2, ... days."""
    daily = day_forecast(model, panel, horizon_days, workers=workers, say=say)
    say(f"sums over 1 to {horizon_days} days")
    window = np.empty_like(daily.quantiles)
    new = unseen(panel)
    classes = [(rows[~new[rows]], value) for rows, value in by_class(daily.mean, model.correlations)]
    for rows, correlation in [*classes, (np.flatnonzero(new), model.newcomers.correlation)]:
        window[rows] = window_quantiles(daily.quantiles[rows], DAY_LEVELS, correlation, WINDOW_LEVELS)
    return HeavyForecast(daily.mean, whole_units(daily.quantiles), window)


def asked(
    model: DailyModel, panel: Panel, rows: I64, days: int, say: Callable[[str], None] = lambda _text: None
) -> DayQuantiles:
    """What networks and trees say of the series `rows` for the days after the panel's last, totals aside."""
    # Features of a few thousand series at once: 28 days of all 30,000 would take gigabytes.
    chunks = np.array_split(rows, max(1, len(rows) * days // 200_000))
    parts = []
    pace, done = Pace(say, "forecasting", len(rows), "series"), 0
    for chunk in chunks:
        features = features_at(panel, panel.n_days, np.arange(days), chunk)
        found = ensemble_forecast(model.networks, features)
        found = DayQuantiles(found.mean, with_spreads(found.quantiles, features.level, model.spreads))
        if model.trees is not None:
            found = drawn_to_medians(model.trees, features, found)
        found.quantiles[features.is_new] = stretched(
            found.quantiles[features.is_new], *model.newcomers.spread
        )
        parts.append(found)
        done += len(chunk)
        pace.at(done)
    return DayQuantiles(
        np.concatenate([part.mean for part in parts]), np.concatenate([part.quantiles for part in parts])
    )


def by_class(mean: F32, values: tuple[float, ...]) -> list[tuple[I64, float]]:
    """Rows of each class of CLASS_LEVELS, by their mean units a day, with its value."""
    place = np.searchsorted(CLASS_LEVELS, mean.mean(axis=1))
    return [(np.flatnonzero(place == number), value) for number, value in enumerate(values)]


def _whole(
    model: HeavyModel, panel: Panel, days: int, workers: Workers, say: Callable[[str], None]
) -> DayQuantiles:
    parts = parts_of_stores(panel, model.partitions)
    if len(parts) == 1:
        return asked(model.daily, panel, parts[0], days, say)
    daily = workers.shared(model.daily)
    found: list[DayQuantiles] = workers.map(
        _asked_all, [(daily, panel_part(panel, rows), days) for rows in parts]
    )
    mean = np.empty((panel.n_series, days), np.float32)
    quantiles = np.empty((panel.n_series, days, len(DAY_LEVELS)), np.float32)
    for rows, each in zip(parts, found, strict=True):
        mean[rows], quantiles[rows] = each.mean, each.quantiles
    return DayQuantiles(mean, quantiles)


def _asked_all(model: DailyModel, part: Panel, days: int) -> DayQuantiles:
    return asked(model, part, np.arange(part.n_series, dtype=np.int64), days)
