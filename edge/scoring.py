"""Answers the core's questions about days that have passed: what a bundle would have forecast, against what was sold."""

import numpy as np

from contract.records import QUANTILE_LEVELS
from edge.calibrated import daily_quantiles, evidence_from, recalibration_from
from edge.core.score_job import ScoreJob, ScoreSums
from edge.inference import known_days_of, served_shares
from models.arrays import F32, F64
from models.inference import Models
from models.recalibration import evidence_of
from models.scores import pinball

MAX_UNITS_A_DAY = 100_000.0
"""What no SKU sells in a shop in a day: beyond it a forecast is out of range."""
RANGE_FACTOR = 50.0
"""How far above the busiest known day a mean may lie, of SKUs that sold at least a few."""
_BAND_80 = (QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9))
_BAND_95 = (QUANTILE_LEVELS.index(0.025), QUANTILE_LEVELS.index(0.975))


def score(models: Models, job: ScoreJob) -> ScoreSums:
    """Sums over the job's lines whose demand is known: what sold, where the shelf was never empty. What the models cannot answer is a problem, not an error.

    Quantiles are taken as a shop is told them: at the levels that the job's calibration of these models says.
    """
    if not job.lines:
        return ScoreSums()
    inputs = [line.inputs for line in job.lines]
    try:
        forecast = models.demand.forecast(
            np.array([each.history for each in inputs], dtype=np.float64),
            job.day,
            price_ratio=np.array([each.price_ratio[:1] for each in inputs], dtype=np.float64),
            category_level=np.array([each.category_level for each in inputs], dtype=np.float64),
            served_share=served_shares(inputs),
            known_days=known_days_of(inputs, 2),
            horizon_days=1,
        )
    except ValueError as error:
        return ScoreSums(problem=f"it refuses the shop's inputs: {error}"[:200])
    mean, dispersion = forecast.mean[:, 0], forecast.dispersion[:, 0]
    problem = _problem(mean, dispersion, inputs_max=np.array([_busiest(each.history) for each in inputs]))
    if problem:
        return ScoreSums(problem=problem)
    if forecast.doubt and not models.doubt:
        return ScoreSums(problem=f"it cannot stand alone: {forecast.doubt}"[:200])
    sold = np.array([line.sold_units for line in job.lines], dtype=np.float64)
    is_cut = np.array([line.is_cut for line in job.lines])
    evidence = evidence_of(mean.astype(float), dispersion.astype(float), sold, is_cut)
    known = np.isfinite(sold) & ~is_cut
    if not known.any():
        return ScoreSums(evidence=evidence_from(evidence))
    levels = recalibration_from(job.calibration_of(models.name))
    quantiles = daily_quantiles(forecast, levels)[:, 0, :][known]
    sold, mean = sold[known], mean[known]
    return ScoreSums(
        skus=int(known.sum()),
        units=int(sold.sum()),
        mean_units=float(mean.sum()),
        pinball=float(pinball(sold, quantiles, QUANTILE_LEVELS).sum()),
        inside_80=_inside(sold, quantiles, _BAND_80),
        inside_95=_inside(sold, quantiles, _BAND_95),
        evidence=evidence_from(evidence),
    )


def _problem(mean: F32, dispersion: F32, inputs_max: F64) -> str:
    if not (np.isfinite(mean).all() and np.isfinite(dispersion).all()):
        return f"{int((~np.isfinite(mean) | ~np.isfinite(dispersion)).sum())} of {len(mean)} forecasts are no numbers"
    if (mean < 0).any() or (dispersion < 0).any():
        return f"{int(((mean < 0) | (dispersion < 0)).sum())} of {len(mean)} forecasts are negative"
    limit = np.minimum(MAX_UNITS_A_DAY, RANGE_FACTOR * np.maximum(inputs_max, 2.0))
    if (mean > limit).any():
        worst = int(np.argmax(mean - limit))
        return f"a forecast of {mean[worst]:.0f} units a day lies out of range: the limit there is {limit[worst]:.0f}"
    return ""


def _busiest(history: tuple[float, ...]) -> float:
    return max((units for units in history if units == units), default=MAX_UNITS_A_DAY)  # noqa: PLR0124 - NaN


def _inside(sold: F64, quantiles: F64, band: tuple[int, int]) -> int:
    return int(((sold >= quantiles[:, band[0]]) & (sold <= quantiles[:, band[1]])).sum())
