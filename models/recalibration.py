"""Keeping stated coverage true while the world drifts: a map of probability levels per class of SKU, learned online.

Each evening every day that is over says where in its forecast the sales fell (the probability integral transform, PIT).
A class keeps a fading histogram of them: flat while the forecasts are calibrated. The level that then really covers
`level` is read off the histogram, and quantiles are asked at it. The state is small, and every step is a pure function.
Sources: Kuleshov, Fenner & Ermon 2018 (recalibrated levels); Czado, Gneiting & Held 2009 (PIT of counts, without dice).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import F64, I64
from models.forecast import Forecast
from models.quantiles import negbin_cdf, negbin_quantiles

BINS = 40
CLASS_EDGES = (0.3, 2.0)
"""Units a day that part slow, middling and busy SKUs."""
CLASSES = len(CLASS_EDGES) + 1
CLASS_NAMES = ("slow", "middling", "busy")
_PRIOR_DAYS = 400.0
"""SKU-days of evidence for the model as it came: the map moves when more than that speaks against it."""
_FADE_DAYS = 7.0
"""Half-life. In simulated shops whose demand became restless, by the day, by SKU or for half a month, 7 days kept the 80 % band within
six points of its level, 14 days within ten: the models take new demand in by themselves, and old evidence then widens too much."""
KEPT_A_DAY = 0.5 ** (1 / _FADE_DAYS)
"""Of all older evidence, each day that brings new."""
DRIFT_LIMIT = 0.05
"""A class whose levels are off by more is reported: coverage of a band is then off by up to twice that."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """counts: (CLASSES, BINS), SKU-days seen with their PIT in each bin, faded. sold, said: (CLASSES,), units, faded."""

    counts: F64
    sold: F64
    said: F64

    @classmethod
    def start(cls) -> "Recalibration":
        return cls(np.zeros((CLASSES, BINS)), np.zeros(CLASSES), np.zeros(CLASSES))

    def observed(self, mean: F64, dispersion: F64, sold: F64) -> "Recalibration":
        """After one more day: its forecast of each SKU and what sold, (n_sku,), NaN where demand was not seen."""
        return self.after_day(evidence_of(mean, dispersion, sold))

    def after_day(self, day: "Recalibration") -> "Recalibration":
        """After a day of this evidence; a gateway adds it up part by part (`edge.core.calibration`)."""
        return Recalibration(
            self.counts * KEPT_A_DAY + day.counts,
            self.sold * KEPT_A_DAY + day.sold,
            self.said * KEPT_A_DAY + day.said,
        )

    @property
    def is_empty(self) -> bool:
        """Nothing was ever seen: levels are asked for as they are."""
        return not self.counts.any()

    def levels(self, levels: Sequence[float]) -> F64:
        """The level to ask for in each class so that `level` is covered, (CLASSES, len(levels)), never falling."""
        edges = np.linspace(0, 1, BINS + 1)
        out = np.empty((CLASSES, len(levels)))
        for place, counts in enumerate(self.counts):
            weighed = counts + _PRIOR_DAYS / BINS
            reached = np.concatenate([[0.0], np.cumsum(weighed) / weighed.sum()])
            out[place] = np.interp(levels, reached, edges)
        return np.clip(out, 0.001, 0.999)

    def drift(self) -> F64:
        """How far off the levels of each class are, (CLASSES,): the largest gap of the histogram's distribution from flat."""
        weighed = self.counts + _PRIOR_DAYS / BINS
        reached = np.cumsum(weighed, axis=1) / weighed.sum(axis=1, keepdims=True)
        return np.asarray(np.abs(reached - np.arange(1, BINS + 1) / BINS).max(axis=1))

    def bias(self) -> F64:
        """(said - sold) / sold of each class, (CLASSES,); 0 before anything sold."""
        return np.asarray(np.where(self.sold > 0, self.said / np.maximum(self.sold, 1e-9) - 1, 0.0))

    def doubts(self) -> list[str]:
        """One sentence for each class that has drifted past DRIFT_LIMIT."""
        return [
            f"demand of {name} SKUs drifts: levels are off by {drift:.2f} (limit {DRIFT_LIMIT}), the mean by {bias:+.0%};"
            " quantiles are recalibrated, train on newer days"
            for name, drift, bias in zip(CLASS_NAMES, self.drift(), self.bias(), strict=True)
            if drift > DRIFT_LIMIT
        ]

    def to_numbers(self) -> list[list[float]]:
        """For a state file: one row a class, its bins, then sold and said."""
        return [
            [round(float(value), 4) for value in (*counts, sold, said)]
            for counts, sold, said in zip(self.counts, self.sold, self.said, strict=True)
        ]

    @classmethod
    def from_numbers(cls, rows: Sequence[Sequence[float]]) -> "Recalibration":
        """Raises ValueError when the rows are not those of to_numbers."""
        table = np.asarray(rows, dtype=np.float64)
        if table.shape != (CLASSES, BINS + 2) or not np.isfinite(table).all() or (table < 0).any():
            raise ValueError(
                f"recalibration state has shape {table.shape}, expected {(CLASSES, BINS + 2)}, finite and >= 0"
            )
        return cls(table[:, :BINS], table[:, BINS], table[:, BINS + 1])


def evidence_of(
    mean: F64, dispersion: F64, sold: F64, is_cut: npt.NDArray[np.bool_] | None = None
) -> Recalibration:
    """What one day, or a part of its SKUs, says of its forecasts: (n_sku,) each, NaN where demand was not seen.

    is_cut: where the shelf was empty for a part of the day, so that demand was what sold or more: such a day's PIT lies
    anywhere above that of its sales. Left out, days of high demand would be missing, for they empty shelves.
    """
    known = np.isfinite(sold) & np.isfinite(mean)
    m, a, units = mean[known], dispersion[known], np.maximum(sold[known], 0)
    cut = np.zeros(len(m), dtype=bool) if is_cut is None else np.asarray(is_cut, dtype=bool)[known]
    counts, real, said = np.zeros((CLASSES, BINS)), np.zeros(CLASSES), np.zeros(CLASSES)
    classes = classes_of(m)
    high = np.where(cut, 1.0, negbin_cdf(m, a, units))
    np.add.at(counts, classes, _spread(negbin_cdf(m, a, units - 1), high))
    np.add.at(real, classes, np.where(cut, 0.0, units))
    np.add.at(said, classes, np.where(cut, 0.0, m))
    return Recalibration(counts, real, said)


def recalibrated_quantiles(forecast: Forecast, state: Recalibration, levels: Sequence[float]) -> F64:
    """As Forecast.quantiles, (n_sku, horizon_days, n_levels), at the levels that really cover."""
    return _at_levels(forecast.mean.astype(float), forecast.dispersion.astype(float), state, levels)


def recalibrated_window(
    forecast: Forecast,
    state: Recalibration,
    window_days: int | I64,
    levels: Sequence[float],
    *,
    first_day_share: float | F64 = 1.0,
) -> F64:
    """As Forecast.over_window(...).quantiles, (n_sku, n_levels), at the levels that really cover.

    The map is learned on single days; a level that is wrong for a day is as wrong for a week, so it serves both.
    """
    window = forecast.over_window(window_days, first_day_share=first_day_share, levels=(0.5,))
    return _at_levels(
        window.mean[:, None], window.dispersion[:, None], state, levels, forecast.mean.mean(axis=1)
    )[:, 0]


def recalibrated_span(
    forecast: Forecast,
    state: Recalibration | None,
    start_days: F64,
    end_days: F64,
    levels: Sequence[float],
    *,
    first_day_share: float | F64 = 1.0,
) -> tuple[F64, F64]:
    """Mean (n_sku,) and quantiles (n_sku, n_levels) of demand over a span (Forecast.span_moments), at the levels that really
    cover; state None: at the levels as they are.
    """
    mean, dispersion = forecast.span_moments(start_days, end_days, first_day_share=first_day_share)
    if state is None:
        return mean, negbin_quantiles(mean, dispersion, levels)
    daily = forecast.mean.mean(axis=1)
    return mean, _at_levels(mean[:, None], dispersion[:, None], state, levels, daily)[:, 0]


def classes_of(mean: F64) -> I64:
    return np.asarray(np.searchsorted(CLASS_EDGES, mean), dtype=np.int64)


def _at_levels(
    mean: F64, dispersion: F64, state: Recalibration, levels: Sequence[float], daily: F64 | None = None
) -> F64:
    asked = state.levels(levels)
    out = np.zeros((*mean.shape, len(levels)))
    classes = classes_of(mean if daily is None else np.broadcast_to(np.asarray(daily)[:, None], mean.shape))
    for place in range(CLASSES):
        members = classes == place
        out[members] = negbin_quantiles(mean[members], dispersion[members], asked[place].tolist())
    return out


def _spread(low: F64, high: F64) -> F64:
    """Each SKU's one day over the bins that lie between P(D < sold) and P(D <= sold), (n, BINS), rows summing to 1."""
    edges = np.linspace(0, 1, BINS + 1)
    width = np.maximum(high - low, 1e-9)[:, None]
    inside = np.minimum(edges[None, 1:], high[:, None]) - np.maximum(edges[None, :-1], low[:, None])
    share = np.maximum(inside, 0) / width
    total = share.sum(axis=1, keepdims=True)
    at = np.minimum((high * BINS).astype(int), BINS - 1)
    single = np.arange(BINS)[None, :] == at[:, None]
    return np.asarray(np.where(total > 0.5, share / np.maximum(total, 1e-9), single))
