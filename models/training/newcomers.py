"""SKUs that nobody has sold yet: how far off forecasts of them are, measured on SKUs that are shown as if they were new.

What a new SKU will sell is mostly a matter of its level, which is the same on all its days: its bands are wider, and its
days err together far more than those of a SKU with a history. Both are set on evenings within the training span: for the
days after each a part of the known series is hidden (half of them in every shop, as a SKU that is new to the chain), and
those join them that were listed only then.
"""

from dataclasses import replace

import numpy as np

from models.arrays import F32, F64
from models.panel import Panel
from models.panel_features import unseen
from models.paths import window_quantiles
from models.quantile_network import DAY_LEVELS
from models.scores import pinball
from models.training.heavy import DailyModel, Newcomers, asked
from models.training.hidden_history import as_if_new
from models.training.spreads import stretched

SPREADS = tuple(round(1.0 + 0.1 * step, 1) for step in range(21))
"""Never narrower: networks have seen the days after these evenings, if not these series."""
CORRELATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_EVENINGS = 3
_HIDDEN_SHARE, _MOST_HIDDEN = 0.1, 400
"""Of the series, at each evening: the others are what a new one is forecast from."""
_LEAST_SERIES = 20
_LOSS_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_MEDIAN = DAY_LEVELS.index(0.5)


def measured_newcomers(panel: Panel, model: DailyModel, horizon_days: int, seed: int) -> Newcomers:
    """The stretch of bands and the correlation of days with the least pinball loss; the usual ones of a small panel."""
    days = min(horizon_days, panel.n_days // 3)
    if days < 2:
        return Newcomers()
    plain = replace(model, newcomers=Newcomers(spread=(1.0, 1.0)))
    random = np.random.default_rng(seed)
    said: list[F32] = []
    sold: list[F64] = []
    for number in range(_EVENINGS):
        origin = panel.n_days - days * (number + 1)
        if origin >= max(days, panel.n_days // 3):
            quantiles, units = _shown(panel, plain, origin, days, random)
            said.append(quantiles)
            sold.append(units)
    if not said or sum(len(each) for each in said) < _LEAST_SERIES:
        return Newcomers()
    return _fitted(np.concatenate(said), np.concatenate(sold))


def _shown(
    panel: Panel, model: DailyModel, origin: int, days: int, random: np.random.Generator
) -> tuple[F32, F64]:
    """Quantiles (n, days, K) of series that the evening before day `origin` knows nothing of, and units (n, days)."""
    after = panel.demand(origin, origin + days).astype(np.float64)
    new = unseen(panel.before(origin))
    whole = np.flatnonzero(~np.isnan(after).any(axis=1) & ~new)
    size = min(_MOST_HIDDEN, int(_HIDDEN_SHARE * len(whole)))
    hidden = np.sort(random.permutation(whole)[:size])
    listed = np.flatnonzero(new & ~np.isnan(after).all(axis=1))[:_MOST_HIDDEN]
    shown = as_if_new(panel, origin, hidden, np.zeros(size, np.int64), random.random(size) < 0.5)
    rows = np.concatenate([hidden, listed]).astype(np.int64)
    if not len(rows):
        return np.empty((0, days, len(DAY_LEVELS)), np.float32), np.empty((0, days))
    return asked(model, shown.before(origin), rows, days).quantiles, after[rows]


def _fitted(said: F32, sold: F64) -> Newcomers:
    # By what was said, not by what sold: the weight of a series must not tell how it turned out.
    weight = 1 / (said.mean(axis=(1, 2), dtype=np.float64) + 0.1)
    losses = np.array([_loss_by_side(stretched(said, width, width), sold, weight) for width in SPREADS])
    low, high = (SPREADS[int(place)] for place in losses.argmin(axis=0))
    whole = np.flatnonzero(~np.isnan(sold).any(axis=1))
    if len(whole) < _LEAST_SERIES:
        return Newcomers(spread=(low, high))
    daily, totals = stretched(said[whole], low, high), np.cumsum(sold[whole], axis=1)
    lengths = [n for n in (3, 7, 14, 28) if n <= totals.shape[1]] or [totals.shape[1]]
    of_sums = [_loss_of_sums(daily, totals, weight[whole], value, lengths) for value in CORRELATIONS]
    return Newcomers((low, high), CORRELATIONS[int(np.argmin(of_sums))])


def _loss_by_side(quantiles: F32, sold: F64, weight: F64) -> tuple[float, float]:
    """Pinball loss of the levels below the median and of those above."""
    known = ~np.isnan(sold)
    loss = pinball(sold[known], np.rint(quantiles[known]).astype(np.float64), DAY_LEVELS)
    loss = loss * np.broadcast_to(weight[:, None], sold.shape)[known][:, None]
    return float(loss[:, :_MEDIAN].sum()), float(loss[:, _MEDIAN + 1 :].sum())


def _loss_of_sums(daily: F32, totals: F64, weight: F64, correlation: float, lengths: list[int]) -> float:
    window = window_quantiles(daily, DAY_LEVELS, correlation, _LOSS_LEVELS)
    each = [pinball(totals[:, n - 1], window[:, n - 1].astype(float), _LOSS_LEVELS) / n for n in lengths]
    return float(sum((loss.sum(axis=1) * weight).mean() for loss in each))
