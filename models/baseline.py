"""The forecast that needs no bundle: weekday-shrunk moving average with a negative binomial. numpy only.

It takes over when a bundle is missing or refused, and says so in every forecast's `doubt`.
"""

from collections.abc import Collection
from datetime import date

import numpy as np
import numpy.typing as npt

from models.arrays import F32, F64
from models.features import DemandInputs, inputs_from, weekday_level
from models.forecast import DEFAULT_HORIZON_DAYS, Forecast, zero_closed_days
from models.known_days import KnownDays

BASELINE_NAME = "seasonal-baseline@1"
_CORRELATION = 0.05
_PRIOR_DAYS = 7.0
_PRIOR_DISPERSION = 0.5


class SeasonalBaseline:
    """Mean of the last 28 known days times the weekday's share, and the moment estimate of the dispersion."""

    def __init__(self, reason: str) -> None:
        """reason: why it stands in, shown to people."""
        self.reason = reason

    @property
    def name(self) -> str:
        return BASELINE_NAME

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
    ) -> Forecast:
        """As DemandModel.forecast; prices and known days are ignored."""
        inputs = inputs_from(
            history,
            first_day,
            price_ratio=price_ratio,
            category_level=category_level,
            served_share=served_share,
            known_days=known_days,
            horizon_days=horizon_days,
        )
        level = moving_average(inputs, days=28)
        weekday = np.stack([weekday_level(inputs, level, ahead % 7) for ahead in range(horizon_days)], axis=1)
        mean = zero_closed_days(np.asarray(weekday, dtype=np.float32), first_day, closed_days)
        spread = np.repeat(moment_dispersion(inputs.history)[:, None], horizon_days, axis=1)
        dispersion: F32 = np.asarray(spread, dtype=np.float32)
        return Forecast(
            first_day,
            mean,
            dispersion,
            _CORRELATION,
            self.name,
            f"baseline instead of a trained model: {self.reason}",
        )


def moving_average(inputs: DemandInputs, days: int) -> F64:
    """Mean units over the last `days` known days' span; the category's level (else 0.1) where nothing is known."""
    recent = inputs.history[:, -days:]
    known = ~np.isnan(recent)
    count = known.sum(axis=1)
    fallback = np.where(np.isnan(inputs.category_level), 0.1, inputs.category_level)
    return np.where(count > 0, np.where(known, recent, 0.0).sum(axis=1) / np.maximum(count, 1), fallback)


def moment_dispersion(history: F64) -> F64:
    """(variance - mean) / mean**2 of the known days, at least 0, drawn to 0.5 as by a week's evidence."""
    known = ~np.isnan(history)
    count = known.sum(axis=1)
    mean = np.where(known, history, 0.0).sum(axis=1) / np.maximum(count, 1)
    variance = np.where(known, (history - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(count - 1, 1)
    excess = np.clip((variance - mean) / np.maximum(mean, 0.02) ** 2, 0, 20)
    return np.asarray((excess * count + _PRIOR_DISPERSION * _PRIOR_DAYS) / (count + _PRIOR_DAYS))
