"""The centre's heavy form, trained: examples drawn, networks fitted, bands and sums set on days they did not see."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from models.arrays import F32, F64
from models.panel import Panel
from models.paths import window_quantiles
from models.quantile_network import DAY_LEVELS
from models.scores import pinball
from models.training.heavy import DailyModel, HeavyModel, asked, by_class
from models.training.median_trees import TreeFit, at_level, fitted_trees, with_measured_share
from models.training.newcomers import measured_newcomers
from models.training.panel_examples import Draw, PanelExamples, joined_examples, panel_examples
from models.training.partitions import panel_part, parts_of_stores
from models.training.quantile_fit import QuantileFit, fit_ensemble, settled
from models.training.spreads import CLASS_LEVELS, fitted_spreads
from models.training.workers import ThisProcess, Workers

Say = Callable[[str], None]
CORRELATIONS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.3, 0.4, 0.5, 0.6)
_SERIES_TO_SET_CORRELATION = 3000
_LEAST_SERIES_A_CLASS = 20
_USUAL_CORRELATION = 0.1
_LOSS_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All choices of a training run; equal recipes on equal panels give equal models, wherever the parts are computed.

    partitions: into how many parts of whole stores the examples are drawn and forecasts are made.
    """

    draw: Draw = field(default_factory=Draw)
    fit: QuantileFit = field(default_factory=QuantileFit)
    partitions: int = 1
    trees: TreeFit = field(default_factory=TreeFit)


def train_heavy(
    panel: Panel,
    recipe: Recipe,
    say: Say,
    examples: PanelExamples | None = None,
    workers: Workers | None = None,
) -> HeavyModel:
    """Fits on the whole panel. examples: drawn before by recipe.draw. Raises TrainingDataError when it holds too little."""
    workers = workers or ThisProcess()
    if examples is None:
        examples = draw_examples(panel, recipe, say, workers)
    say(f"{len(examples.units)} examples of {examples.rows.shape[1]} features")
    # Before the networks: they standardise the rows in place, and forecasts ask trees as the rows are.
    beside = fitted_trees(examples, recipe.trees, recipe.fit.networks)
    total = recipe.fit.networks * settled(recipe.fit, examples).epochs
    networks = fit_ensemble(
        examples, recipe.fit, lambda n, loss: say(f"epoch {n}/{total}: loss {loss:.5f}"), workers
    )
    trees = None
    if beside is not None:
        trees = with_measured_share(beside, examples, networks[-1], recipe.fit.scale_power)
        trees = None if trees is None else at_level(trees, panel, recipe.trees)
        say(
            f"drawn to the median of {recipe.trees.rounds} trees: {0.0 if trees is None else trees.share:g} of the way"
        )
    spreads = fitted_spreads(examples, networks)
    say("width of the bands, slow to busy: " + ", ".join(f"{low:.2f} / {high:.2f}" for low, high in spreads))
    daily = DailyModel(networks, spreads, trees)
    correlations = _correlations(panel, daily, recipe.draw.horizon_days, recipe.draw.seed)
    say(f"correlation between days, slow to busy: {', '.join(f'{value:g}' for value in correlations)}")
    newcomers = measured_newcomers(panel, daily, recipe.draw.horizon_days, recipe.draw.seed)
    low, high = newcomers.spread
    say(
        f"new SKUs: bands {low:g} / {high:g} times as wide, correlation between days {newcomers.correlation:g}"
    )
    return HeavyModel(networks, spreads, correlations, recipe.partitions, trees, newcomers)


def draw_examples(panel: Panel, recipe: Recipe, say: Say, workers: Workers | None = None) -> PanelExamples:
    """The training rows of recipe.draw: the long part of a training run, for those who keep them."""
    parts = parts_of_stores(panel, recipe.partitions)
    if len(parts) == 1:
        return panel_examples(panel, recipe.draw, _counting(say, "features of evening"))
    say(f"drawing examples in {len(parts)} parts of whole stores")
    jobs = []
    for number, rows in enumerate(parts):
        share = recipe.draw.rows * len(rows) // panel.n_series
        jobs.append(
            (panel_part(panel, rows), replace(recipe.draw, rows=share, seed=recipe.draw.seed + 1000 * number))
        )
    return joined_examples((workers or ThisProcess()).map(_drawn, jobs))


def _drawn(part: Panel, draw: Draw) -> PanelExamples:
    return panel_examples(part, draw, lambda _done, _of: None)


def _correlations(panel: Panel, model: DailyModel, horizon_days: int, seed: int) -> tuple[float, ...]:
    """For each class the correlation with the least pinball loss over sums of 3, 7, 14 and 28 days before the end."""
    origin = panel.n_days - min(horizon_days, panel.n_days // 3)
    days = panel.n_days - origin
    sold = panel.demand(origin, panel.n_days).astype(np.float64)
    known = np.flatnonzero(~np.isnan(sold).any(axis=1))
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(known)[:_SERIES_TO_SET_CORRELATION]).astype(np.int64)
    if len(rows) < _LEAST_SERIES_A_CLASS or days < 2:
        return (_USUAL_CORRELATION,) * (len(CLASS_LEVELS) + 1)
    daily = asked(model, panel.before(origin), rows, days)
    totals = np.cumsum(sold[rows], axis=1)
    lengths = [length for length in (3, 7, 14, 28) if length <= days] or [days]
    found = []
    for members, _ in by_class(daily.mean, CORRELATIONS[: len(CLASS_LEVELS) + 1]):
        if len(members) < _LEAST_SERIES_A_CLASS:
            found.append(_USUAL_CORRELATION)
            continue
        usual = daily.mean[members].mean(axis=1, dtype=np.float64)
        losses = [
            window_loss(daily.quantiles[members], usual, totals[members], c, lengths) for c in CORRELATIONS
        ]
        found.append(CORRELATIONS[int(np.argmin(losses))])
    return tuple(found)


def window_loss(daily: F32, usual: F64, totals: F64, correlation: float, lengths: list[int]) -> float:
    """Pinball loss of sums of the first so many days, a day and relative to `usual`, the mean units of a day, (n,).

    `usual` is what was said, not what sold: the weight of a series must not tell how it turned out. By what sold, the
    series that sold less than was said count most, and bands come out too wide.
    """
    window = window_quantiles(daily, DAY_LEVELS, correlation, _LOSS_LEVELS)
    scale = usual[:, None] + 0.1
    each = [pinball(totals[:, n - 1], window[:, n - 1].astype(float), _LOSS_LEVELS) / n for n in lengths]
    return float(sum((loss / scale).mean() for loss in each))


def _counting(say: Say, what: str) -> Callable[[int, int], None]:
    def progress(done: int, of: int) -> None:
        if done == of or done % max(1, of // 8) == 0:
            say(f"{what} {done}/{of}")

    return progress
