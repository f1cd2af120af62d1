"""A second family beside the networks: boosted trees for the median of a day, and the networks' forecasts drawn to it.

Networks and trees learn from the same rows and err differently: trees follow steps (an offer's depth, a SKU's own quiet
weekday) that a small network smooths. Their weighted geometric mean is taken (Bates & Granger 1969): every quantile of a
day, and its mean, is scaled alike, so nothing crosses. Fitted by LightGBM; asked as an ONNX graph, without LightGBM.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import F32, I64
from models.graph import Graph
from models.panel import Panel
from models.panel_features import Features
from models.quantile_network import DAY_LEVELS, DayQuantiles, QuantileNetwork, joined_rows, spread_of
from models.scores import pinball
from models.training.panel_examples import PanelExamples
from models.training.quantile_fit import SHORT_DAYS, left_out
from models.training.tree_graph import TREES_OUTPUT, scaled_graph, tree_graph

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""How far forecasts may be drawn to the trees' median: the one with the least loss on days that neither family saw."""
LEAST_SOLD_OUT_SHARE = 0.1
"""Of the days of a short history, sold out in part: where fewer are, nothing was measured, and the level is left."""
USUAL_SHARE = 0.5
"""Where there are no such days, with a single network."""
SOFT_UNITS = 0.3
"""Added to both medians before their ratio: half of all SKUs sell nothing on half of their days."""
MOST_SCALING = 2.0
_SERIES_AT_ONCE = 2048
LEAST_UNSEEN, _MOST_UNSEEN = 5000, 60_000
_MEDIAN = DAY_LEVELS.index(0.5)


@dataclass(frozen=True, slots=True)
class TreeFit:
    """How to fit. rounds: trees of a set, 0 for none; with fewer than least_examples there are none either.

    sets: so many are fitted, each on examples and columns drawn by a seed of its own, and averaged.

    most_examples: so many are drawn of more: trees need fewer examples than networks, and the time of each.

    short_level: what the median is multiplied by after a short history that is often sold out: its forecasts lie above
    what then comes. Chosen on six evenings of FreshRetailNet: docs/models.md has the table.
    """

    rounds: int = 150
    sets: int = 3
    leaves: int = 63
    learning_rate: float = 0.08
    scale_power: float = 0.5
    least_examples: int = 30_000
    most_examples: int = 400_000
    short_level: float = 0.96
    seed: int = 1


@dataclass(frozen=True, slots=True)
class MedianTrees:
    """content: the ONNX graph, features (n, S + D), not standardised -> steps (n, 1), in units of spread_of(level).

    share: how far forecasts are drawn to the median, 0 to 1.
    """

    content: bytes
    share: float = USUAL_SHARE

    def median(self, rows: F32, level: F32) -> F32:
        """(n,), units, at least 0."""
        steps = _opened(self.content).run({"features": rows})[TREES_OUTPUT][:, 0]
        return np.maximum(steps * spread_of(level), np.float32(0))


@dataclass(frozen=True, slots=True)
class FittedTrees:
    """trees: of all examples. rows: of examples on days that `medians` were said of by trees that did not see them."""

    trees: MedianTrees
    rows: I64
    medians: F32


def fitted_trees(examples: PanelExamples, fit: TreeFit, networks: int) -> FittedTrees | None:
    """None when there are too few examples. examples.rows as drawn, not yet standardised.

    networks: how many are fitted beside; the days that the last of them leaves out are those the share is measured on.
    """
    if fit.rounds == 0 or len(examples.units) < fit.least_examples:
        return None
    trees = _trees(examples, np.arange(len(examples.units)), fit)
    out = left_out(examples, networks) == networks - 1
    unseen = np.flatnonzero(out)
    if networks == 1 or len(unseen) < LEAST_UNSEEN or len(unseen) == len(out):
        return FittedTrees(trees, np.zeros(0, np.int64), np.zeros(0, np.float32))
    others = _trees(examples, np.flatnonzero(~out), replace(fit, sets=1))
    rows = unseen[:: max(1, len(unseen) // _MOST_UNSEEN)]
    return FittedTrees(trees, rows, others.median(examples.rows[rows], examples.level[rows]))


def with_measured_share(
    fitted: FittedTrees, examples: PanelExamples, network: QuantileNetwork, scale_power: float
) -> MedianTrees | None:
    """The trees with the share of SHARES that has the least loss on the rows they were kept from; None where that is 0.

    network: the one that left out the same days. examples: standardised, as networks are asked.
    """
    rows = fitted.rows
    if not len(rows):
        return fitted.trees
    level, units = examples.level[rows], examples.units[rows].astype(np.float64)
    quantiles = network.predict(examples.rows[rows], level)[1]
    weight = 1 / (examples.scale[rows] + 0.1) ** scale_power
    losses = []
    for share in SHARES:
        scaling = scaling_to(fitted.medians, quantiles[:, _MEDIAN], share)
        said = np.rint(quantiles * scaling[:, None]).astype(np.float64)
        losses.append(float((pinball(units, said, DAY_LEVELS).sum(axis=1) * weight).sum()))
    share = SHARES[int(np.argmin(losses))]
    return replace(fitted.trees, share=share) if share > 0 else None


def at_level(trees: MedianTrees, panel: Panel, fit: TreeFit) -> MedianTrees:
    """The trees, their median times fit.short_level after a short history that is often sold out; else as they are."""
    if fit.short_level == 1 or panel.n_days >= SHORT_DAYS or panel.served is None:
        return trees
    known = ~np.isnan(panel.units)
    if ((panel.served < 1) & known).sum() < LEAST_SOLD_OUT_SHARE * known.sum():
        return trees
    return replace(trees, content=scaled_graph(trees.content, fit.short_level))


def _trees(examples: PanelExamples, rows: I64, fit: TreeFit) -> MedianTrees:
    dumped = [_one_set(examples, rows, replace(fit, seed=fit.seed + number)) for number in range(fit.sets)]
    return MedianTrees(tree_graph(dumped, examples.rows.shape[1]))


def _one_set(examples: PanelExamples, rows: I64, fit: TreeFit) -> dict[str, Any]:
    import lightgbm  # noqa: PLC0415 - slow to import, and forecasts do not need it

    chosen = rows
    if len(rows) > fit.most_examples:
        chosen = np.sort(np.random.default_rng(fit.seed).permutation(rows)[: fit.most_examples])
    spread = spread_of(examples.level[chosen])
    # The weights of the networks' pinball loss: quantile_fit.
    weight = spread / (examples.scale[chosen] + 0.1) ** fit.scale_power
    given = lightgbm.Dataset(
        examples.rows[chosen], examples.units[chosen] / spread, weight=weight, params={"max_bin": 63, "verbose": -1}
    )  # fmt: skip
    # One thread: equal bytes everywhere, and threads that wait for each other on a busy machine cost more than they give.
    settings = {
        "objective": "quantile", "alpha": 0.5, "learning_rate": fit.learning_rate, "num_leaves": fit.leaves,
        "min_data_in_leaf": 100, "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63,
        "use_missing": False, "seed": fit.seed, "num_threads": 1, "deterministic": True, "force_col_wise": True, "verbose": -1,
    }  # fmt: skip
    booster = lightgbm.train(settings, given, num_boost_round=fit.rounds)
    return dict(booster.dump_model())


def drawn_to_medians(trees: MedianTrees, features: Features, daily: DayQuantiles) -> DayQuantiles:
    """`daily` of the series and days of `features`, scaled towards the trees' median."""
    scaling = np.empty_like(daily.mean)
    n, days = scaling.shape
    for start in range(0, n, _SERIES_AT_ONCE):
        part = slice(start, min(start + _SERIES_AT_ONCE, n))
        rows = joined_rows(features.of_series[part], features.of_day[part])
        found = trees.median(rows, np.repeat(features.level[part], days)).reshape(-1, days)
        scaling[part] = scaling_to(found, daily.quantiles[part, :, _MEDIAN], trees.share)
    return DayQuantiles(daily.mean * scaling, daily.quantiles * scaling[:, :, None])


def scaling_to(trees_say: F32, networks_say: F32, share: float) -> F32:
    """By what forecasts with the median `networks_say` are multiplied; the shape of both."""
    ratio = (trees_say + np.float32(SOFT_UNITS)) / (networks_say + np.float32(SOFT_UNITS))
    limit = np.float32(MOST_SCALING)
    return np.asarray(np.clip(ratio, 1 / limit, limit) ** np.float32(share), dtype=np.float32)


@lru_cache(maxsize=4)
def _opened(content: bytes) -> Graph:
    return Graph(content, Path("trees.onnx"))
