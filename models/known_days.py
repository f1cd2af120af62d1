"""What is known beforehand of days (holidays, promotions, weather) as features: one code for training and serving.

Each column is compared with what the SKU's own level is made of: a level that was reached on promoted days is less on an
ordinary one. How the SKU answered to a column in its own history stands beside it.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.arrays import F32, F64, row_sum

KnownDays: TypeAlias = Mapping[str, npt.ArrayLike]
"""Column -> (n_sku, days) or (1, days) for the whole shop, the history's days and then the horizon's; NaN unknown. A day
more than the horizon tells its last day what follows it."""

FLAGS = ("holiday", "school_holiday", "event", "payday", "promotion")
KNOWN_DAY_LIMITS = {
    **dict.fromkeys(FLAGS, (0.0, 1.0)),
    "discount": (0.0, 0.95),
    "rain_mm": (0.0, 500.0),
    "temperature_c": (-60.0, 60.0),
}
"""Columns and what their values may be: flags 0 or 1, discount as the share of the price that is taken off."""
KNOWN_DAY_COLUMNS = tuple(KNOWN_DAY_LIMITS)
COLUMN_GROUPS = (FLAGS[:4], ("promotion", "discount"), ("rain_mm", "temperature_c"))
"""Known or unknown together: the shop's calendar, its promotions, its weather."""

KNOWN_DAY_FEATURES = (
    "calendar_known", "holiday", "holiday_eve", "holiday_after", "holiday_answer", "school_holiday", "event",
    "event_answer", "payday", "payday_answer", "promotion_known", "promotion", "promotion_change", "promotion_week",
    "promotion_answer", "discount", "discount_change", "discount_week", "discount_answer", "weather_known", "rain",
    "temperature_change", "temperature_answer",
)  # fmt: skip
_HALF_LIFE_DAYS = 14.0
"""As of the level, so that a column's usual value is that of the days which the level is made of."""
_WEEK_DAYS = 7
_SOFT = 0.1
_USUAL_PRIOR_DAYS = 1.0
_ANSWER_PRIOR = {"discount": 0.05, "temperature_c": 2.0}
"""Squared distance from the usual that an answer is drawn to none by, else 2.0: as by two promoted days."""
_ANSWER_LIMITS = (-0.7, 4.0)
"""Of the level: what a day may sell less or more by its SKU's own answer."""
_DEGREES = 10.0


def known_days_from(
    given: KnownDays | None, n_sku: int, history_days: int, horizon_days: int
) -> tuple[dict[str, F64], int]:
    """The columns that say anything, cleaned, and how many values were no value of theirs (unknown since).

    Raises ValueError when a column has no such name or a wrong shape; the message says which.
    """
    kept: dict[str, F64] = {}
    cleaned = 0
    for name, values in (given or {}).items():
        if name not in KNOWN_DAY_LIMITS:
            raise ValueError(f"known_days: {name!r} is no column; known are {', '.join(KNOWN_DAY_COLUMNS)}")
        array = np.asarray(values, dtype=np.float64)
        days = history_days + horizon_days
        if array.ndim != 2 or array.shape[0] not in {1, n_sku} or array.shape[1] < days:
            raise ValueError(
                f"known_days {name} must have shape (1 or {n_sku}, {days} or more), got {array.shape}"
            )
        array = array[:, : days + 1]
        low, high = KNOWN_DAY_LIMITS[name]
        good = (array >= low) & (array <= high)
        cleaned += int((~good & ~np.isnan(array)).sum())
        if good.any():
            kept[name] = np.where(good, array, np.nan)
    return kept, cleaned


def write_known_day_features(
    out: F32, columns: Mapping[str, F64], history: F64, level: F64, ahead: npt.NDArray[np.int64]
) -> None:
    """Fills `out`, (n_sku, len(ahead), len(KNOWN_DAY_FEATURES)), with finite features; 0 where nothing is known.

    columns: as known_days_from gives them. history: (n_sku, days), level: (n_sku,), units a day.
    """
    out[:] = 0
    if not columns or not len(level):
        return
    days = history.shape[1]
    found = {name: _Column(name, values, history, level) for name, values in columns.items()}
    for place, days_ahead in enumerate(ahead.tolist()):
        for number, values in _of_day(found, days + days_ahead):
            out[:, place, number] = values


def _of_day(found: Mapping[str, "_Column"], day: int) -> list[tuple[int, F64]]:
    named: dict[str, F64] = {}
    for group, known in zip(
        COLUMN_GROUPS, ("calendar_known", "promotion_known", "weather_known"), strict=True
    ):
        flags = [found[name].known(day) for name in group if name in found]
        if flags:
            named[known] = np.maximum.reduce(np.broadcast_arrays(*flags))
    for name in ("holiday", "school_holiday", "event", "payday", "promotion", "discount"):
        if name in found:
            named[name] = found[name].value(day)
    if "holiday" in found:
        named["holiday_eve"], named["holiday_after"] = (
            found["holiday"].value(day + 1),
            found["holiday"].value(day - 1),
        )
    for name in ("promotion", "discount"):
        if name in found:
            named[f"{name}_change"], named[f"{name}_week"] = found[name].change(day), found[name].week_change
    for name in ("holiday", "event", "payday", "promotion", "discount"):
        if name in found:
            named[f"{name}_answer"] = found[name].answer(day)
    if "rain_mm" in found:
        named["rain"] = np.log1p(found["rain_mm"].value(day)) / 3
    if "temperature_c" in found:
        column = found["temperature_c"]
        named["temperature_change"], named["temperature_answer"] = column.change(day), column.answer(day)
    return [(KNOWN_DAY_FEATURES.index(name), values) for name, values in named.items()]


class _Column:
    """One column beside the SKU's own history: values, their usual, and how demand answered to what was unusual."""

    def __init__(self, name: str, values: F64, history: F64, level: F64) -> None:
        days = history.shape[1]
        self._is_known = ~np.isnan(values)
        scaled = values / _DEGREES if name == "temperature_c" else values
        self._values = np.where(self._is_known, scaled, 0.0)
        sold = ~np.isnan(history)
        both = self._is_known[:, :days] & sold
        weight = 0.5 ** (np.arange(days - 1, -1, -1, dtype=np.float64) / _HALF_LIFE_DAYS)
        past = self._values[:, :days]
        # Of a flag or a discount the usual is none; what is usual of the weather, only days can say.
        prior = 0.0 if name == "temperature_c" else _USUAL_PRIOR_DAYS
        counted = row_sum(both * weight) + prior
        self._usual = row_sum(both * past * weight) / np.maximum(counted, 1e-9)
        self._has_usual = (counted > 0).astype(np.float64)
        apart = np.where(both, past - self._usual[:, None], 0.0)
        relative = np.where(sold, history, 0.0) / (level + _SOFT)[:, None] - 1
        together = row_sum(apart * relative)
        self._slope = together / (row_sum(apart**2) + _ANSWER_PRIOR.get(name, 2.0))
        recent = both[:, -_WEEK_DAYS:]
        week = row_sum(recent * past[:, -_WEEK_DAYS:]) / np.maximum(row_sum(recent), 1)
        self.week_change = np.where(row_sum(recent) > 0, week - self._usual, 0.0)

    def known(self, day: int) -> F64:
        return self._is_known[:, day].astype(np.float64)

    def value(self, day: int) -> F64:
        """Of the day, (n_sku,) or (1,); 0 where unknown or past the last known day."""
        return self._values[:, day] if day < self._values.shape[1] else np.zeros(1)

    def change(self, day: int) -> F64:
        """The day's value less the usual one, (n_sku,)."""
        return (self._values[:, day] - self._usual) * self._is_known[:, day] * self._has_usual

    def answer(self, day: int) -> F64:
        """Logarithm of what the SKU's own history says that this change makes of its level, (n_sku,)."""
        return np.log1p(np.clip(self._slope * self.change(day), *_ANSWER_LIMITS))
