"""Answers the core's questions with the models of a bundle, or with the baseline when the bundle is bad."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.core.replenish import ForecastAnswer, ForecastDone, ForecastJob, ForecastLine
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.inference import Models, open_models


def models_from_settings(bundle_dir: str, public_key_file: str) -> Models:
    """The bundle's models; the baseline with its reason as `doubt` when the bundle is missing or refused."""
    path = Path(bundle_dir) if bundle_dir else DEMO_BUNDLE
    return open_models(path, Path(public_key_file) if public_key_file else DEMO_PUBLIC_KEY)


def answer(job: ForecastJob, models: Models) -> ForecastDone:
    """Demand and order quantity of each line of the job."""
    forecast = models.demand.forecast(
        np.array([line.history for line in job.lines], dtype=np.float64),
        job.first_day,
        price_ratio=np.array([line.price_ratio for line in job.lines], dtype=np.float64),
        category_level=np.array([line.category_level for line in job.lines], dtype=np.float64),
        closed_days=job.closed_days,
        horizon_days=job.horizon_days,
    )
    window = forecast.over_window(
        np.array([line.window_days for line in job.lines], dtype=np.int64),
        first_day_share=job.first_day_share,
    )
    proposals = models.replenishment.propose(
        window.quantiles,
        service_level=[line.supply.service_level if line.supply else 0.95 for line in job.lines],
        on_hand_units=[_or_nan(line.on_hand_units) for line in job.lines],
        on_order_units=[line.supply.on_order_units if line.supply else 0 for line in job.lines],
        pack_units=[line.supply.pack_units if line.supply else 1 for line in job.lines],
        min_order_units=[line.supply.min_order_units if line.supply else 0 for line in job.lines],
        shelf_life_units=_shelf_life_units(
            job.lines, forecast.expected_units(_shelf_life_days(job.lines)).tolist()
        ),
        max_stock_units=[_or_nan(line.supply.max_stock_units if line.supply else None) for line in job.lines],
    )
    # The daily quantiles are the dear part, and only the day's first answer tells them.
    daily = [place for place, line in enumerate(job.lines) if line.daily]
    quantiles = forecast.quantiles() if daily else None
    answers = tuple(
        ForecastAnswer(
            sku=line.sku,
            mean=tuple(map(float, forecast.mean[place])),
            quantiles=tuple(tuple(map(float, row)) for row in quantiles[place])
            if line.daily and quantiles is not None
            else (),
            cumulative_quantiles=tuple(map(float, window.quantiles[place])),
            quantity_units=int(proposals.quantity_units[place]),
            target_units=float(proposals.target_units[place]),
            expected_stock_out_units=float(proposals.expected_stock_out_units[place]),
            reasons=tuple(proposals.reasons(place)),
        )
        for place, line in enumerate(job.lines)
    )
    return ForecastDone(job, answers, models.name, forecast.doubt)


def _or_nan(units: int | None) -> float:
    return float("nan") if units is None else float(units)


def _shelf_life_days(lines: Sequence[ForecastLine]) -> list[float]:
    return [float(line.supply.shelf_life_days or 0) if line.supply else 0.0 for line in lines]


def _shelf_life_units(lines: Sequence[ForecastLine], expected: Sequence[float]) -> list[float]:
    """NaN, no limit, where there is no shelf life."""
    return [
        float(units) if line.supply is not None and line.supply.shelf_life_days else float("nan")
        for line, units in zip(lines, expected, strict=True)
    ]
