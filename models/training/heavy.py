"""The centre's heavy form, trained and asked: networks, the level's latest drift, and how days move together."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from models.arrays import F32, F64, I64
from models.panel import Panel
from models.panel_features import features_at
from models.paths import whole_units, window_quantiles
from models.quantile_network import DAY_LEVELS, DayQuantiles, QuantileNetwork, ensemble_forecast
from models.scores import pinball
from models.training.panel_examples import Draw, PanelExamples, panel_examples
from models.training.quantile_fit import QuantileFit, fit_ensemble

Say = Callable[[str], None]
WINDOW_LEVELS = DAY_LEVELS
CORRELATIONS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)
CLASS_LEVELS = (0.3, 2.0)
"""Units a day that part slow, middling and busy series: their days move together differently."""
_SERIES_TO_SET_CORRELATION = 3000
_LEAST_SERIES_A_CLASS = 20
_USUAL_CORRELATION = 0.1
_LOSS_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All choices of a training run; equal recipes on equal panels give equal models."""

    draw: Draw = field(default_factory=Draw)
    fit: QuantileFit = field(default_factory=QuantileFit)


@dataclass(frozen=True, slots=True)
class HeavyModel:
    """correlations: between two days' standings, for the classes of CLASS_LEVELS, slow first."""

    networks: tuple[QuantileNetwork, ...]
    correlations: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class HeavyForecast:
    """mean: (n, days). quantiles, window: (n, days, K) at DAY_LEVELS, whole units; window[:, d] of the sum through day d."""

    mean: F32
    quantiles: F32
    window: F32


def train_heavy(panel: Panel, recipe: Recipe, say: Say, examples: PanelExamples | None = None) -> HeavyModel:
    """Fits on the whole panel. examples: drawn before by recipe.draw. Raises TrainingDataError when it holds too little."""
    if examples is None:
        examples = draw_examples(panel, recipe, say)
    say(f"{len(examples.units)} examples of {examples.rows.shape[1]} features")
    total = recipe.fit.networks * recipe.fit.epochs
    networks = fit_ensemble(examples, recipe.fit, lambda n, loss: say(f"epoch {n}/{total}: loss {loss:.5f}"))
    correlations = _correlations(panel, networks, recipe.draw.horizon_days, recipe.draw.seed)
    say(f"correlation between days, slow to busy: {', '.join(f'{value:g}' for value in correlations)}")
    return HeavyModel(networks, correlations)


def draw_examples(panel: Panel, recipe: Recipe, say: Say) -> PanelExamples:
    """The training rows of recipe.draw: the long part of a training run, for those who keep them."""
    return panel_examples(panel, recipe.draw, _counting(say, "features of evening"))


def day_forecast(model: HeavyModel, panel: Panel, horizon_days: int, rows: I64 | None = None) -> DayQuantiles:
    """Mean and quantiles of the days after the panel's last, of all series or of `rows`; units not rounded."""
    if rows is None:
        rows = np.arange(panel.n_series, dtype=np.int64)
    return _asked(model.networks, panel, panel.n_days, rows, horizon_days)


def heavy_forecast(model: HeavyModel, panel: Panel, horizon_days: int) -> HeavyForecast:
    """As day_forecast, in whole units, and the quantiles of the sums over the first 1, 2, ... days."""
    daily = day_forecast(model, panel, horizon_days)
    window = np.empty_like(daily.quantiles)
    for rows, correlation in _classes(daily.mean, model.correlations):
        window[rows] = window_quantiles(daily.quantiles[rows], DAY_LEVELS, correlation, WINDOW_LEVELS)
    return HeavyForecast(daily.mean, whole_units(daily.quantiles), window)


def _asked(
    networks: tuple[QuantileNetwork, ...], panel: Panel, origin: int, rows: I64, days: int
) -> DayQuantiles:
    # Features of a few thousand series at once: 28 days of all 30,000 would take gigabytes.
    chunks = np.array_split(rows, max(1, len(rows) * days // 200_000))
    parts = [
        ensemble_forecast(networks, features_at(panel, origin, np.arange(days), chunk)) for chunk in chunks
    ]
    return DayQuantiles(
        np.concatenate([part.mean for part in parts]), np.concatenate([part.quantiles for part in parts])
    )


def _correlations(
    panel: Panel, networks: tuple[QuantileNetwork, ...], horizon_days: int, seed: int
) -> tuple[float, ...]:
    """For each class the correlation with the least pinball loss over sums of 3, 7, 14 and 28 days before the end."""
    origin = panel.n_days - min(horizon_days, panel.n_days // 3)
    days = panel.n_days - origin
    sold = panel.demand(origin, panel.n_days).astype(np.float64)
    known = np.flatnonzero(~np.isnan(sold).any(axis=1))
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(known)[:_SERIES_TO_SET_CORRELATION]).astype(np.int64)
    if len(rows) < _LEAST_SERIES_A_CLASS or days < 2:
        return (_USUAL_CORRELATION,) * (len(CLASS_LEVELS) + 1)
    daily = _asked(networks, panel, origin, rows, days)
    totals = np.cumsum(sold[rows], axis=1)
    lengths = [length for length in (3, 7, 14, 28) if length <= days] or [days]
    found = []
    for members, _ in _classes(daily.mean, CORRELATIONS[: len(CLASS_LEVELS) + 1]):
        if len(members) < _LEAST_SERIES_A_CLASS:
            found.append(_USUAL_CORRELATION)
            continue
        losses = [_window_loss(daily.quantiles[members], totals[members], c, lengths) for c in CORRELATIONS]
        found.append(CORRELATIONS[int(np.argmin(losses))])
    return tuple(found)


def _window_loss(daily: F32, totals: F64, correlation: float, lengths: list[int]) -> float:
    window = window_quantiles(daily, DAY_LEVELS, correlation, _LOSS_LEVELS)
    scale = totals[:, -1:] / totals.shape[1] + 0.1
    each = [pinball(totals[:, n - 1], window[:, n - 1].astype(float), _LOSS_LEVELS) / n for n in lengths]
    return float(sum((loss / scale).mean() for loss in each))


def _classes(mean: F32, correlations: tuple[float, ...]) -> list[tuple[I64, float]]:
    place = np.searchsorted(CLASS_LEVELS, mean.mean(axis=1))
    return [(np.flatnonzero(place == number), value) for number, value in enumerate(correlations)]


def _counting(say: Say, what: str) -> Callable[[int, int], None]:
    def progress(done: int, of: int) -> None:
        if done == of or done % max(1, of // 8) == 0:
            say(f"{what} {done}/{of}")

    return progress
