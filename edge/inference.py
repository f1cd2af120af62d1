"""Answers the core's questions with the models of a bundle, or with the baseline when the bundle is bad."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from edge.calibrated import daily_quantiles, recalibration_from, window_quantiles
from edge.core.replenish import ForecastAnswer, ForecastDone, ForecastJob, ForecastLine, SkuInputs
from edge.proposing import proposed
from models.arrays import F32, F64
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.forecast import Forecast
from models.inference import Models, open_models
from models.recalibration import Recalibration

_LINES_AT_ONCE = 64
"""Of a job: features, quantiles and questions of a whole job are 2 MB more of a gateway's 120."""


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
        levels = recalibration_from(job.calibration if job.bundle == self.models.name else ())
        answers: list[ForecastAnswer] = []
        for start in range(0, len(job.lines), _LINES_AT_ONCE):
            answers += self._answers(job, job.lines[start : start + _LINES_AT_ONCE], levels)
        return ForecastDone(job, tuple(answers), self.models.name, self._doubt, self.models.order_graph)

    def _answers(
        self, job: ForecastJob, lines: Sequence[ForecastLine], levels: Recalibration | None
    ) -> list[ForecastAnswer]:
        forecast = self._forecast(job, lines)
        shares = np.array(
            [job.first_day_share if line.share_left is None else line.share_left for line in lines]
        )
        window = window_quantiles(
            forecast,
            levels,
            np.array([line.window_days for line in lines], dtype=np.int64),
            first_day_share=shares,
        )
        proposals = proposed(self.models, forecast, levels, lines, window, first_day_share=shares)
        # The daily quantiles are the dear part, and only the day's first answer tells them.
        quantiles = daily_quantiles(forecast, levels) if any(line.daily for line in lines) else None
        return [
            ForecastAnswer(
                sku=line.sku,
                mean=tuple(forecast.mean[place].tolist()),
                quantiles=tuple(map(tuple, quantiles[place].tolist()))
                if line.daily and quantiles is not None
                else (),
                cumulative_quantiles=tuple(window[place].tolist()),
                quantity_units=order.quantity_units,
                target_units=order.target_units,
                expected_stock_out_units=order.expected_stock_out_units,
                reasons=order.reasons,
                expected_unmet_units=order.expected_unmet_units,
                expected_waste_units=order.expected_waste_units,
                least_missing_units=order.least_missing_units,
                question=order.question,
            )
            for place, (line, order) in enumerate(zip(lines, proposals, strict=True))
        ]

    def _forecast(self, job: ForecastJob, lines: Sequence[ForecastLine]) -> Forecast:
        key = (job.first_day, job.closed_days, job.horizon_days)
        stale = [
            line.inputs
            for line in lines
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
                known_days=known_days_of(stale, job.horizon_days + 1),
                closed_days=job.closed_days,
                horizon_days=job.horizon_days,
            )
            self._correlation, self._doubt = fresh.correlation, fresh.doubt
            for place, inputs in enumerate(stale):
                self._known[inputs.sku] = _Known(
                    inputs, key, fresh.mean[place].copy(), fresh.dispersion[place].copy()
                )
        rows = [self._known[line.sku] for line in lines]
        return Forecast(
            job.first_day,
            np.stack([row.mean for row in rows]),
            np.stack([row.dispersion for row in rows]),
            self._correlation,
            self.models.name,
            self._doubt,
        )


@dataclass(frozen=True, slots=True)
class _Known:
    inputs: SkuInputs
    key: tuple[date, tuple[date, ...], int]
    mean: F32
    dispersion: F32


def known_days_of(inputs: Sequence[SkuInputs], days_ahead: int) -> dict[str, list[tuple[float, ...]]] | None:
    """Columns of models.known_days over the history and `days_ahead` days; all inputs are of one day and share one calendar."""
    if not inputs or inputs[0].known_days is None:
        return None
    skus = [each.sku for each in inputs]
    return inputs[0].known_days.columns(skus, len(inputs[0].history) + days_ahead)


def served_shares(inputs: Sequence[SkuInputs]) -> F64 | None:
    """(n_sku, days) of the histories, None where all demand was served."""
    if not any(each.served for each in inputs):
        return None
    return np.array([each.served or (1.0,) * len(each.history) for each in inputs], dtype=np.float64)
