"""Rolling-origin evaluation: each method forecasts from the same evenings and is scored on what then sold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from models.arrays import F64
from models.baseline import BASELINE_NAME, SeasonalBaseline, moment_dispersion, moving_average
from models.features import HISTORY_DAYS, DemandInputs, inputs_from
from models.forecast import Forecast, Forecaster
from models.manifest import HeldOut, Score
from models.scores import Tally
from models.training.examples import category_levels, known_days_at, price_ratios
from models.training.series import DailySeries

ORIGIN_STEP_DAYS = 7
HORIZON_DAYS = 14


@dataclass(frozen=True, slots=True)
class KnownThen:
    """What is known of every series on the evening before first_day; shapes as in models.features.DemandInputs.

    served: of history's shape, the share of each day's demand that the shelf could serve; None: all of it.
    """

    history: F64
    served: F64 | None
    first_day: date
    price_ratio: F64
    category_level: F64
    known_days: Mapping[str, F64] = field(default_factory=dict)


Method = Callable[[KnownThen], Forecast]
"""What is known -> forecast of HORIZON_DAYS."""


def held_out_scores(series: DailySeries, first_day: date, model: Forecaster | None) -> HeldOut:
    """Scores over weekly origins from `first_day` to the end of `series`, of the peers and of `model`.

    The first score of the model is without prices (what a gateway knows at least), the second with them, the third also
    with what is known beforehand of days, where the series tell it.
    """
    methods: dict[str, Method] = {}
    if model is not None:
        methods[model.name] = lambda known: _asked(model, known, None)
        methods[f"{model.name} with prices"] = lambda known: _asked(model, known, known.price_ratio)
        if series.known_days:
            methods[f"{model.name} with prices and calendar"] = lambda known: _asked(
                model, known, known.price_ratio, known.known_days
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
    """Days on which the shelf ran empty are no truth to be scored by; what forecasts make of them is theirs."""
    tallies = {name: Tally() for name in methods}
    start = (first_day - series.first_day).days
    rows = np.arange(len(series.units))
    for origin in range(start, series.n_days - HORIZON_DAYS + 1, ORIGIN_STEP_DAYS):
        past = slice(max(0, origin - HISTORY_DAYS), origin)
        known = KnownThen(
            series.units[:, past].astype(np.float64),
            None if series.served is None else series.served[:, past].astype(np.float64),
            series.first_day + timedelta(days=origin),
            price_ratios(series, rows, origin, HORIZON_DAYS),
            category_levels(series, rows, origin),
            known_days_at(series, rows, origin, HORIZON_DAYS),
        )
        # Closed days are known beforehand to everyone alike: they are NaN in `sold` and not scored.
        sold = series.demand(origin, origin + HORIZON_DAYS).astype(np.float64)
        for name, method in methods.items():
            tallies[name].add(method(known), sold)
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


def _asked(
    model: Forecaster,
    known: KnownThen,
    price_ratio: F64 | None,
    known_days: Mapping[str, F64] | None = None,
) -> Forecast:
    return model.forecast(
        known.history, known.first_day, price_ratio=price_ratio, category_level=known.category_level,
        served_share=known.served, known_days=known_days,
    )  # fmt: skip


def _moving_average_negbin(known: KnownThen) -> Forecast:
    """MA28 + NegBin of the series' own moments."""
    inputs = _whole_days(known)
    return _flat_days(moving_average(inputs, 28)[:, None], inputs.history, known.first_day, "ma28-negbin")


def _seasonal_naive(known: KnownThen) -> Forecast:
    """Last week again, with NegBin of the series' own moments; unknown days take the 28-day mean."""
    inputs = _whole_days(known)
    week = inputs.history[:, -7:]
    week = np.where(np.isnan(week), moving_average(inputs, 28)[:, None], week)
    return _flat_days(week, inputs.history, known.first_day, "seasonal-naive-negbin")


def _baseline(known: KnownThen) -> Forecast:
    return _asked(SeasonalBaseline("evaluation"), known, None)


def _whole_days(known: KnownThen) -> DemandInputs:
    """The simple peers leave out days on which the shelf ran empty, as whoever knows of them would."""
    history = known.history if known.served is None else np.where(known.served < 1, np.nan, known.history)
    return inputs_from(
        history, known.first_day, category_level=known.category_level, horizon_days=HORIZON_DAYS
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
