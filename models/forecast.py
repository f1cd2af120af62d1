"""A forecast of several SKUs: what every model here gives back, whichever it is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from contract.records import MAX_HORIZON_DAYS, QUANTILE_LEVELS
from models.arrays import F32, F64
from models.known_days import KnownDays
from models.quantiles import negbin_quantiles, window_moments

DEFAULT_HORIZON_DAYS = 14


@dataclass(frozen=True, slots=True)
class WindowDemand:
    """Demand of each SKU over its window: moments shape (n_sku,), quantiles shape (n_sku, n_levels), whole units."""

    mean: F64
    dispersion: F64
    levels: tuple[float, ...]
    quantiles: F64


@dataclass(frozen=True, slots=True)
class Forecast:
    """Daily demand from `first_day` on.

    mean, dispersion: shape (n_sku, horizon_days); units a day, and variance = mean + dispersion * mean**2.
    correlation: between two days' errors of one SKU. model: `name@version` of the bundle, or of the baseline.
    doubt: "" for a trained model, else why a person should look.
    """

    first_day: date
    mean: F32
    dispersion: F32
    correlation: float
    model: str
    doubt: str = ""

    @property
    def horizon_days(self) -> int:
        return int(self.mean.shape[1])

    def quantiles(self, levels: Sequence[float] = QUANTILE_LEVELS) -> F64:
        """Whole units, shape (n_sku, horizon_days, n_levels), rising with the level."""
        flat = negbin_quantiles(
            self.mean.ravel().astype(float), self.dispersion.ravel().astype(float), levels
        )
        return flat.reshape(*self.mean.shape, len(levels))

    def over_window(
        self,
        window_days: int | npt.NDArray[np.int64],
        *,
        first_day_share: float | F64 = 1.0,
        levels: Sequence[float] = QUANTILE_LEVELS,
    ) -> WindowDemand:
        """Demand over the next `window_days` days, such as lead time plus review period.

        window_days: one for all or shape (n_sku,), 1 to horizon_days.
        first_day_share: what is still to come of `first_day`'s demand, 0 to 1, one for all or (n_sku,) (0.25: three
        quarters of today's demand is already sold); the window then ends as much later. A window that reaches past the horizon repeats the
        forecast of the same weekday of the last week.
        """
        share = self._share(first_day_share)
        days = np.broadcast_to(np.asarray(window_days, dtype=np.float64), (self.mean.shape[0],))
        if not np.all((days >= 1) & (days <= MAX_HORIZON_DAYS)):
            raise ValueError(f"window_days must lie in 1..{MAX_HORIZON_DAYS}, got {window_days}")
        mean, dispersion = self._reaching(int(days.max(initial=0)) + 1)
        day = np.arange(mean.shape[1], dtype=np.float64)[None, :]
        weights = np.clip(days[:, None] + (1 - share)[:, None] - day, 0, 1)
        weights[:, 0] = share
        total, spread = window_moments(mean, dispersion, weights, self.correlation)
        return WindowDemand(total, spread, tuple(levels), negbin_quantiles(total, spread, levels))

    def span_moments(
        self, start_days: F64, end_days: F64, *, first_day_share: float | F64
    ) -> tuple[F64, F64]:
        """Mean and dispersion of demand from start_days to end_days from now, (n_sku,) each, with what is left of today
        counted as its share of the day (first_day_share, one for all or (n_sku,)); 0 <= start_days <= end_days <= MAX_HORIZON_DAYS.
        """
        mean, dispersion = self._reaching(int(np.ceil(end_days.max(initial=0))) + 1)
        now = (1 - self._share(first_day_share))[:, None]
        day = np.arange(mean.shape[1], dtype=np.float64)[None, :]
        weights = np.clip(end_days[:, None] + now - day, 0, 1) - np.clip(
            start_days[:, None] + now - day, 0, 1
        )
        return window_moments(mean, dispersion, weights, self.correlation)

    def of_rows(self, rows: npt.NDArray[np.int64]) -> "Forecast":
        """The forecast of these SKUs."""
        return replace(self, mean=self.mean[rows], dispersion=self.dispersion[rows])

    def expected_units(self, days: npt.ArrayLike) -> F64:
        """Mean demand of each SKU over the next `days` days (one, or shape (n_sku,)), any number of them.

        Beyond the horizon the mean of the whole horizon goes on: for shelf lives, where a level is enough.
        """
        wanted = np.broadcast_to(np.asarray(days, dtype=np.float64), (self.mean.shape[0],))
        day = np.arange(self.horizon_days, dtype=np.float64)[None, :]
        inside = (self.mean * np.clip(wanted[:, None] - day, 0, 1)).sum(axis=1)
        beyond = np.maximum(wanted - self.horizon_days, 0) * self.mean.astype(float).mean(axis=1)
        return np.asarray(inside + beyond, dtype=np.float64)

    def _share(self, given: float | F64) -> F64:
        share = np.asarray(given, dtype=np.float64)
        if not np.all((share >= 0) & (share <= 1)):
            raise ValueError(f"first_day_share is {given}; it is a share, 0 to 1")
        return np.broadcast_to(share, (self.mean.shape[0],))

    def _reaching(self, days: int) -> tuple[F64, F64]:
        columns = list(range(self.horizon_days))
        while len(columns) < days:
            columns.append(columns[-7] if len(columns) >= 7 else columns[-1])
        return self.mean[:, columns].astype(np.float64), self.dispersion[:, columns].astype(np.float64)


class Forecaster(Protocol):
    """What the edge and the centre ask for demand: the trained model or the baseline."""

    @property
    def name(self) -> str: ...

    def forecast(
        self,
        history: npt.ArrayLike,
        first_day: date,
        *,
        price_ratio: npt.ArrayLike | None = None,
        category_level: npt.ArrayLike | None = None,
        served_share: npt.ArrayLike | None = None,
        known_days: KnownDays | None = None,
        closed_days: Collection[date] = (),
        horizon_days: int = DEFAULT_HORIZON_DAYS,
    ) -> Forecast: ...


def zero_closed_days(mean: F32, first_day: date, closed_days: Collection[date]) -> F32:
    """`mean` with nothing sold on the days on which the shop does not open."""
    if not closed_days:
        return mean
    is_open = [first_day + timedelta(days=day) not in closed_days for day in range(mean.shape[1])]
    return np.asarray(mean * np.asarray(is_open, dtype=np.float32)[None, :], dtype=np.float32)
