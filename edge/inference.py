"""Answers the core's questions with the models of a bundle, or with the baseline when the bundle is bad."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from edge.calibrated import daily_quantiles, recalibration_from, window_quantiles
from edge.core.replenish import ForecastAnswer, ForecastDone, ForecastJob, ForecastLine, SkuInputs
from models.arrays import F32, F64
from models.base_stock import Proposals
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.forecast import Forecast
from models.inference import Models, open_models


def models_from_settings(bundle_dir: str, public_key_file: str) -> Models:
    """The bundle's models; the baseline with its reason as `doubt` when the bundle is missing or refused."""
    path = Path(bundle_dir) if bundle_dir else DEMO_BUNDLE
    return open_models(path, Path(public_key_file) if public_key_file else DEMO_PUBLIC_KEY)


class Forecasting:
    """Answers jobs. The demand of a SKU is computed once for the same inputs; what changes by the hour is only the order.

    Equal inputs give equal bits whether SKUs come one by one or together, so what is kept is what would come again.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._correlation = 0.0
        self._doubt = models.doubt
        self._known: dict[str, _Known] = {}

    def answer(self, job: ForecastJob) -> ForecastDone:
        """Demand and order quantity of each line of the job. Raises ValueError when the models refuse the inputs."""
        forecast = self._forecast(job)
        levels = recalibration_from(job.calibration if job.bundle == self.models.name else ())
        window = window_quantiles(
            forecast,
            levels,
            np.array([line.window_days for line in job.lines], dtype=np.int64),
            first_day_share=job.first_day_share,
        )
        proposals = self._propose(job.lines, forecast, window)
        # The daily quantiles are the dear part, and only the day's first answer tells them.
        quantiles = daily_quantiles(forecast, levels) if any(line.daily for line in job.lines) else None
        answers = tuple(
            ForecastAnswer(
                sku=line.sku,
                mean=tuple(forecast.mean[place].tolist()),
                quantiles=tuple(map(tuple, quantiles[place].tolist()))
                if line.daily and quantiles is not None
                else (),
                cumulative_quantiles=tuple(window[place].tolist()),
                quantity_units=int(proposals.quantity_units[place]),
                target_units=float(proposals.target_units[place]),
                expected_stock_out_units=float(proposals.expected_stock_out_units[place]),
                reasons=tuple(proposals.reasons(place)),
            )
            for place, line in enumerate(job.lines)
        )
        return ForecastDone(job, answers, self.models.name, self._doubt)

    def _forecast(self, job: ForecastJob) -> Forecast:
        key = (job.first_day, job.closed_days, job.horizon_days)
        stale = [
            line.inputs
            for line in job.lines
            if (known := self._known.get(line.sku)) is None
            or known.inputs is not line.inputs
            or known.key != key
        ]
        if stale:
            fresh = self.models.demand.forecast(
                np.array([inputs.history for inputs in stale], dtype=np.float64),
                job.first_day,
                price_ratio=np.array([inputs.price_ratio for inputs in stale], dtype=np.float64),
                category_level=np.array([inputs.category_level for inputs in stale], dtype=np.float64),
                served_share=served_shares(stale),
                closed_days=job.closed_days,
                horizon_days=job.horizon_days,
            )
            self._correlation, self._doubt = fresh.correlation, fresh.doubt
            for place, inputs in enumerate(stale):
                self._known[inputs.sku] = _Known(
                    inputs, key, fresh.mean[place].copy(), fresh.dispersion[place].copy()
                )
        rows = [self._known[line.sku] for line in job.lines]
        return Forecast(
            job.first_day,
            np.stack([row.mean for row in rows]),
            np.stack([row.dispersion for row in rows]),
            self._correlation,
            self.models.name,
            self._doubt,
        )

    def _propose(self, lines: Sequence[ForecastLine], forecast: Forecast, quantiles: F64) -> Proposals:
        supplies = [line.supply for line in lines]
        life_days = [float(supply.shelf_life_days or 0) if supply else 0.0 for supply in supplies]
        expected = forecast.expected_units(life_days).tolist()
        return self.models.replenishment.propose(
            quantiles,
            service_level=[supply.service_level if supply else 0.95 for supply in supplies],
            on_hand_units=[_or_nan(line.on_hand_units) for line in lines],
            on_order_units=[supply.on_order_units if supply else 0 for supply in supplies],
            pack_units=[supply.pack_units if supply else 1 for supply in supplies],
            min_order_units=[supply.min_order_units if supply else 0 for supply in supplies],
            shelf_life_units=[
                units if days else float("nan") for units, days in zip(expected, life_days, strict=True)
            ],
            max_stock_units=[_or_nan(supply.max_stock_units if supply else None) for supply in supplies],
        )


@dataclass(frozen=True, slots=True)
class _Known:
    inputs: SkuInputs
    key: tuple[date, tuple[date, ...], int]
    mean: F32
    dispersion: F32


def served_shares(inputs: Sequence[SkuInputs]) -> F64 | None:
    """(n_sku, days) of the histories, None where all demand was served."""
    if not any(each.served for each in inputs):
        return None
    return np.array([each.served or (1.0,) * len(each.history) for each in inputs], dtype=np.float64)


def _or_nan(units: int | None) -> float:
    return float("nan") if units is None else float(units)
