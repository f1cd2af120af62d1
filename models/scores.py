"""How good a forecast is: pinball losses, coverage, bias. Used by training, evaluation and the benchmark alike."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import F64
from models.forecast import Forecast

SCORED_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
COVERAGE_LEVELS = (0.025, 0.1, 0.9, 0.975)
WINDOW_DAYS = 7


@dataclass(slots=True)
class Tally:
    """Sums over forecasts and what then sold; `add` as often as there are origins."""

    pinball: float = 0.0
    window_pinball: float = 0.0
    units: float = 0.0
    window_units: float = 0.0
    mean_units: float = 0.0
    absolute_error: float = 0.0
    rows: int = 0
    inside_80: float = 0.0
    inside_95: float = 0.0

    def add(self, forecast: Forecast, sold: F64) -> None:
        """sold: (n_sku, horizon_days), NaN unknown: not scored."""
        sold = np.asarray(sold, dtype=np.float64)
        known = np.asarray(np.isfinite(sold), dtype=np.bool_)
        actual = np.where(known, sold, 0.0)
        quantiles = forecast.quantiles(SCORED_LEVELS)
        self.pinball += float((pinball(actual, quantiles, SCORED_LEVELS).sum(axis=-1) * known).sum())
        self.units += float(actual.sum())
        self.mean_units += float((forecast.mean * known).sum())
        median = quantiles[..., SCORED_LEVELS.index(0.5)]
        self.absolute_error += float((np.abs(actual - median) * known).sum())
        self.rows += int(known.sum())
        band = forecast.quantiles(COVERAGE_LEVELS)
        self.inside_80 += _covered(actual, band[..., 1], band[..., 2], known)
        self.inside_95 += _covered(actual, band[..., 0], band[..., 3], known)
        whole = np.asarray(known[:, :WINDOW_DAYS].all(axis=1), dtype=np.float64)
        window = forecast.over_window(WINDOW_DAYS, levels=SCORED_LEVELS)
        total = actual[:, :WINDOW_DAYS].sum(axis=1)
        self.window_pinball += float((pinball(total, window.quantiles, SCORED_LEVELS) * whole[:, None]).sum())
        self.window_units += float((total * whole).sum())

    @property
    def wql(self) -> float:
        return 2 * self.pinball / (len(SCORED_LEVELS) * max(self.units, 1e-9))

    @property
    def window_wql(self) -> float:
        return 2 * self.window_pinball / (len(SCORED_LEVELS) * max(self.window_units, 1e-9))

    @property
    def wape(self) -> float:
        return self.absolute_error / max(self.units, 1e-9)

    @property
    def bias(self) -> float:
        return (self.mean_units - self.units) / max(self.units, 1e-9)

    @property
    def coverage_80(self) -> float:
        return self.inside_80 / max(self.rows, 1)

    @property
    def coverage_95(self) -> float:
        return self.inside_95 / max(self.rows, 1)


def pinball(actual: F64, quantiles: F64, levels: tuple[float, ...]) -> F64:
    """Loss of each quantile, the shape of `quantiles`. Source: Koenker & Bassett 1978."""
    error = actual[..., None] - quantiles
    level = np.asarray(levels)
    return np.asarray(np.maximum(level * error, (level - 1) * error))


def _covered(actual: F64, low: F64, high: F64, known: npt.NDArray[np.bool_]) -> float:
    return float((((actual >= low) & (actual <= high)) & known).sum())
