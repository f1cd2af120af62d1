"""Keeping stated coverage true while the world drifts: a map of probability levels per class of SKU, learned online.

Each evening every day that is over says where in its forecast the sales fell (the probability integral transform, PIT).
A class keeps a fading histogram of them: flat while the forecasts are calibrated. The level that then really covers
`level` is read off the histogram, and quantiles are asked at it. A forecast learns of restless demand by itself, too, and widens;
what older days say of narrower ones is taken back by as much. The state is small, and every step is a pure function.
Sources: Kuleshov, Fenner & Ermon 2018 (recalibrated levels); Czado, Gneiting & Held 2009 (PIT of counts, without dice).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from models.arrays import F64, I64
from models.forecast import Forecast
from models.quantiles import negbin_cdf, negbin_quantiles

BINS = 36
LOWEST_LEVEL = 1e-4
"""No level below it, nor above 1 - LOWEST_LEVEL, is asked for."""
_NORMAL = NormalDist()
_REACH = -_NORMAL.inv_cdf(LOWEST_LEVEL)
EDGES: F64 = np.array([0.0, *map(_NORMAL.cdf, np.linspace(-_REACH, _REACH, BINS - 1)), 1.0])
"""Of the bins, even in normal deviates: how wide a band must be is decided in the tails. With 40 bins of equal width all days of a
restless shop fell into the two outermost, and where in them was not known."""
CLASS_EDGES = (0.3, 2.0)
"""Units a day that part slow, middling and busy SKUs."""
CLASSES = len(CLASS_EDGES) + 1
CLASS_NAMES = ("slow", "middling", "busy")
_PRIOR_DAYS = 60.0
"""SKU-days of evidence for the model as it came. 20 SKUs keep some 300 (_FADE_DAYS), two of them 30: with 400, bands of 80 %
held .71 of 40 SKUs that all sold half or one and a half times the usual each day, and .59 of 20."""
_DOUBT_DAYS = 400.0
"""As _PRIOR_DAYS, before drift is told: a map that errs a little costs little, an alert without a cause is not believed again."""
_FADE_DAYS = 10.0
"""Half-life. A shop that stays steady pays for the days' common chances: .4 % of its pinball loss with 10 days, .8 % with 7."""
KEPT_A_DAY = 0.5 ** (1 / _FADE_DAYS)
"""Of all older evidence, each day that brings new."""
KEPT_LATELY = 0.7
"""As KEPT_A_DAY, of how wide the forecasts have been lately: some three days."""
LATELY_NUMBERS = 2
"""At the end of each row of to_numbers, what fades by KEPT_LATELY."""
_LARGEST_CHANGE = 2.0
"""In how wide forecasts are, that is believed."""
DRIFT_LIMIT = 0.05
"""A class whose levels are off by more is reported: coverage of a band is then off by up to twice that."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """counts: (CLASSES, BINS), SKU-days seen with their PIT in each bin. sold, said: (CLASSES,), units. All faded.

    spread: (CLASSES,), sum over the same SKU-days of the forecast's standard deviation beside Poisson's of its mean.
    lately: (CLASSES, 2), the same sum and its SKU-days, faded by KEPT_LATELY.
    """

    counts: F64
    sold: F64
    said: F64
    spread: F64
    lately: F64

    @classmethod
    def start(cls) -> "Recalibration":
        sold, said, spread = np.zeros((3, CLASSES))
        return cls(np.zeros((CLASSES, BINS)), sold, said, spread, np.zeros((CLASSES, 2)))

    def observed(self, mean: F64, dispersion: F64, sold: F64) -> "Recalibration":
        """After one more day: its forecast of each SKU and what sold, (n_sku,), NaN where demand was not seen."""
        return self.after_day(evidence_of(mean, dispersion, sold))

    def after_day(self, day: "Recalibration") -> "Recalibration":
        """After a day of this evidence; a gateway adds it up part by part (`edge.core.calibration`)."""
        return Recalibration(
            self.counts * KEPT_A_DAY + day.counts,
            self.sold * KEPT_A_DAY + day.sold,
            self.said * KEPT_A_DAY + day.said,
            self.spread * KEPT_A_DAY + day.spread,
            self.lately * KEPT_LATELY + day.lately,
        )

    @property
    def is_empty(self) -> bool:
        """Nothing was ever seen: levels are asked for as they are."""
        return not self.counts.any()

    def levels(self, levels: Sequence[float]) -> F64:
        """The level to ask for in each class so that `level` is covered, (CLASSES, len(levels)), never falling."""
        out = np.empty((CLASSES, len(levels)))
        for place, (reached, narrower) in enumerate(
            zip(self._reached(_PRIOR_DAYS), self._narrower(), strict=True)
        ):
            asked = np.clip(np.interp(levels, reached, EDGES), LOWEST_LEVEL, 1 - LOWEST_LEVEL)
            if narrower != 1:
                asked = np.array([_NORMAL.cdf(_NORMAL.inv_cdf(level) * narrower) for level in asked])
            out[place] = asked
        return np.clip(out, LOWEST_LEVEL, 1 - LOWEST_LEVEL)

    def _narrower(self) -> F64:
        """How wide the forecasts were that the histogram tells of, by how wide they are now, (CLASSES,); 1 before anything was seen."""
        days = self.counts.sum(axis=1)
        seen = (days > 0) & (self.lately[:, 1] > 0) & (self.lately[:, 0] > 0)
        then = np.where(seen, self.spread / np.where(seen, days, 1), 1.0)
        now = np.where(seen, self.lately[:, 0] / np.where(seen, self.lately[:, 1], 1), 1.0)
        change = np.clip(then / now, 1 / _LARGEST_CHANGE, _LARGEST_CHANGE)
        return np.asarray(1 + days / (days + _PRIOR_DAYS) * (change - 1))

    def drift(self) -> F64:
        """How far off the levels of each class are, (CLASSES,): the largest gap of the histogram's distribution from flat."""
        return np.asarray(np.abs(self._reached(_DOUBT_DAYS) - EDGES).max(axis=1))

    def _reached(self, prior_days: float) -> F64:
        """What share of days fell below each edge, (CLASSES, BINS + 1), drawn to the model's own word."""
        weighed = self.counts + prior_days * np.diff(EDGES)
        below = np.cumsum(weighed, axis=1) / weighed.sum(axis=1, keepdims=True)
        return np.concatenate([np.zeros((CLASSES, 1)), below], axis=1)

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
        """For a state file: one row a class, its bins, then sold, said, spread and lately."""
        table = np.column_stack([self.counts, self.sold, self.said, self.spread, self.lately])
        return [[round(float(value), 4) for value in row] for row in table]

    @classmethod
    def from_numbers(cls, rows: Sequence[Sequence[float]]) -> "Recalibration":
        """Raises ValueError when the rows are not those of to_numbers."""
        table = np.asarray(rows, dtype=np.float64)
        if table.shape != (CLASSES, BINS + 5) or not np.isfinite(table).all() or (table < 0).any():
            raise ValueError(
                f"recalibration state has shape {table.shape}, expected {(CLASSES, BINS + 5)}, finite and >= 0"
            )
        sold, said, spread = table[:, BINS : BINS + 3].T
        return cls(table[:, :BINS], sold, said, spread, table[:, BINS + 3 :])


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
    day = Recalibration.start()
    classes = classes_of(m)
    high = np.where(cut, 1.0, negbin_cdf(m, a, units))
    np.add.at(day.counts, classes, _spread(negbin_cdf(m, a, units - 1), high))
    np.add.at(day.sold, classes, np.where(cut, 0.0, units))
    np.add.at(day.said, classes, np.where(cut, 0.0, m))
    np.add.at(day.spread, classes, np.sqrt(1 + np.maximum(a * m, 0)))
    day.lately[:] = np.column_stack([day.spread, day.counts.sum(axis=1)])
    return day


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
    width = np.maximum(high - low, 1e-9)[:, None]
    inside = np.minimum(EDGES[None, 1:], high[:, None]) - np.maximum(EDGES[None, :-1], low[:, None])
    share = np.maximum(inside, 0) / width
    total = share.sum(axis=1, keepdims=True)
    at = np.clip(np.searchsorted(EDGES, high) - 1, 0, BINS - 1)
    single = np.arange(BINS)[None, :] == at[:, None]
    return np.asarray(np.where(total > 0.5, share / np.maximum(total, 1e-9), single))
