"""Quantiles at the levels that really cover, by what the core keeps of the days that are over."""

from dataclasses import dataclass

from contract.records import QUANTILE_LEVELS
from edge.core.calibration import Evidence
from models.arrays import F64, I64
from models.forecast import Forecast
from models.recalibration import (
    CLASS_NAMES,
    DRIFT_LIMIT,
    Recalibration,
    recalibrated_quantiles,
    recalibrated_window,
)


@dataclass(frozen=True, slots=True)
class ClassDrift:
    """Of one class of SKUs. levels: the largest gap between a level asked for and the level that covered, 0 to 1.

    bias: (expected - sold) / sold. is_over: levels are off by more than DRIFT_LIMIT.
    """

    levels: float
    bias: float
    is_over: bool


def drift_of(found: Recalibration | None) -> dict[str, ClassDrift]:
    """By the class's name; nothing was seen: all are as they should be."""
    state = found or Recalibration.start()
    return {
        name: ClassDrift(round(float(drift), 4), round(float(bias), 4), bool(drift > DRIFT_LIMIT))
        for name, drift, bias in zip(CLASS_NAMES, state.drift(), state.bias(), strict=True)
    }


def recalibration_from(numbers: Evidence) -> Recalibration | None:
    """None where nothing is known, also for numbers of another version's form: levels are then asked for as they are."""
    if not numbers:
        return None
    try:
        found = Recalibration.from_numbers(numbers)
    except ValueError:
        return None
    return None if found.is_empty else found


def evidence_from(found: Recalibration) -> Evidence:
    return tuple(tuple(row) for row in found.to_numbers())


def daily_quantiles(forecast: Forecast, levels: Recalibration | None) -> F64:
    """(n_sku, horizon_days, 9), whole units, never falling with the level."""
    return (
        forecast.quantiles() if levels is None else recalibrated_quantiles(forecast, levels, QUANTILE_LEVELS)
    )


def window_quantiles(
    forecast: Forecast, levels: Recalibration | None, window_days: I64, *, first_day_share: float | F64
) -> F64:
    """(n_sku, 9), of the demand over each SKU's window."""
    if levels is None:
        return forecast.over_window(window_days, first_day_share=first_day_share).quantiles
    return recalibrated_window(
        forecast, levels, window_days, QUANTILE_LEVELS, first_day_share=first_day_share
    )
