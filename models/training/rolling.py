"""Rolling-origin evaluation: each method forecasts from the same evenings and is scored on what then sold."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from models.arrays import F64
from models.baseline import BASELINE_NAME, SeasonalBaseline, moment_dispersion, moving_average
from models.features import HISTORY_DAYS, inputs_from
from models.forecast import Forecast, Forecaster
from models.manifest import HeldOut, Score
from models.scores import Tally
from models.training.examples import category_levels, price_ratios
from models.training.series import DailySeries

ORIGIN_STEP_DAYS = 7
HORIZON_DAYS = 14

Method = Callable[[npt.ArrayLike, date, F64, F64], Forecast]
"""(history, first day, price ratio, category level) -> forecast of HORIZON_DAYS."""


def held_out_scores(series: DailySeries, first_day: date, model: Forecaster | None) -> HeldOut:
    """Scores over weekly origins from `first_day` to the end of `series`, of the peers and of `model`.

    The first score of the model is without prices (what a gateway knows at least), the second with them.
    """
    methods: dict[str, Method] = {}
    if model is not None:
        methods[model.name] = lambda history, day, _price, level: model.forecast(
            history, day, category_level=level
        )
        methods[f"{model.name} with prices"] = lambda history, day, price, level: model.forecast(
            history, day, price_ratio=price, category_level=level
        )
    methods |= PEERS
    tallies = rolled(series, first_day, methods)
    return HeldOut(
        first_day=first_day.isoformat(),
        last_day=series.last_day.isoformat(),
        series=len(series.units),
        horizon_days=HORIZON_DAYS,
        scores=[score_from(name, tally) for name, tally in tallies.items()],
    )


def rolled(series: DailySeries, first_day: date, methods: dict[str, Method]) -> dict[str, Tally]:
    tallies = {name: Tally() for name in methods}
    start = (first_day - series.first_day).days
    rows = np.arange(len(series.units))
    for origin in range(start, series.n_days - HORIZON_DAYS + 1, ORIGIN_STEP_DAYS):
        history = series.units[:, max(0, origin - HISTORY_DAYS) : origin].astype(np.float64)
        sold = series.units[:, origin : origin + HORIZON_DAYS].astype(np.float64)
        price = price_ratios(series, rows, origin, HORIZON_DAYS)
        level = category_levels(series, rows, origin)
        # Closed days are known beforehand to everyone alike: they are NaN in `sold` and not scored.
        for name, method in methods.items():
            tallies[name].add(method(history, series.first_day + timedelta(days=origin), price, level), sold)
    return tallies


def score_from(name: str, tally: Tally) -> Score:
    return Score(
        method=name,
        wql=round(tally.wql, 4),
        window_wql=round(tally.window_wql, 4),
        wape=round(tally.wape, 4),
        bias=round(tally.bias, 4),
        coverage_80=round(tally.coverage_80, 4),
        coverage_95=round(tally.coverage_95, 4),
    )


def _moving_average_negbin(history: npt.ArrayLike, day: date, _price: F64, level: F64) -> Forecast:
    """MA28 + NegBin of the series' own moments."""
    inputs = inputs_from(history, day, category_level=level, horizon_days=HORIZON_DAYS)
    return _flat_days(moving_average(inputs, 28)[:, None], inputs.history, day, "ma28-negbin")


def _seasonal_naive(history: npt.ArrayLike, day: date, _price: F64, level: F64) -> Forecast:
    """Last week again, with NegBin of the series' own moments; unknown days take the 28-day mean."""
    inputs = inputs_from(history, day, category_level=level, horizon_days=HORIZON_DAYS)
    week = inputs.history[:, -7:]
    week = np.where(np.isnan(week), moving_average(inputs, 28)[:, None], week)
    return _flat_days(week, inputs.history, day, "seasonal-naive-negbin")


def _baseline(history: npt.ArrayLike, day: date, _price: F64, level: F64) -> Forecast:
    return SeasonalBaseline("evaluation").forecast(
        history, day, category_level=level, horizon_days=HORIZON_DAYS
    )


PEERS: dict[str, Method] = {
    BASELINE_NAME: _baseline,
    "ma28-negbin": _moving_average_negbin,
    "seasonal-naive-negbin": _seasonal_naive,
}


def _flat_days(week: F64, history: F64, day: date, name: str) -> Forecast:
    mean = np.stack([week[:, ahead % week.shape[1]] for ahead in range(HORIZON_DAYS)], axis=1).astype(
        np.float32
    )
    spread = np.repeat(moment_dispersion(history)[:, None], HORIZON_DAYS, axis=1).astype(np.float32)
    return Forecast(day, mean, spread, 0.05, name)
