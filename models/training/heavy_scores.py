"""The heavy form, bundles and simple methods on the same evenings of one panel, for cards and comparisons."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.baseline import BASELINE_NAME, SeasonalBaseline
from models.bundle import load_bundle
from models.inference import DemandModel
from models.panel import Panel
from models.quantile_network import DAY_LEVELS, DayQuantiles
from models.quantiles import negbin_quantiles
from models.training.evenings import DayMethod
from models.training.forecast_files import ready_days
from models.training.heavy import HeavyModel, day_forecast
from models.training.heavy_files import is_heavy, learned_by, load_heavy, require_fit
from models.training.partitions import panel_part, parts_of_stores
from models.training.workers import ThisProcess, Workers

LIMITS = (
    "It knows what the columns named above say; what no column says (a neighbour's price, a strike) it does not.",
    "Scores are of the days named here. Another season, range or price level may be forecast worse: compare again.",
    "Forecasts reach 28 days. Quantiles of sums over a window take one correlation for each of three classes of series and one for new SKUs.",
    "Days on which the shelf was empty count neither as targets nor in scores: demand that nobody saw is not measured.",
)
GATEWAY_LIMITS = (
    "Of coming days it knows weekday, price, and what the calendar says of holidays, promotions and weather; what its training never saw of these changes nothing.",
    "It looks back 56 days: a yearly season is not in it, and a holiday's effect on one SKU only where another lay in those days.",
    "Days are negative binomial, and all days of all SKUs err together by one correlation: sums over a window are no better than that.",
    "Of other SKUs it knows the mean of the category in the same shop, and of other shops nothing.",
    "Scores are of the days named here, before a gateway's own recalibration. Another season, range or price level may be forecast worse.",
    "Days on which the shelf was empty count neither as targets nor in scores: demand that nobody saw is not measured.",
)
WITHOUT_CALENDAR = "Of coming days it knows weekday and price. It was trained on features of revision 1: holidays, promotions and weather change nothing."
_TRUSTED_DAYS = 112


@dataclass(frozen=True, slots=True)
class InParts:
    """A method that is asked of parts of whole stores, each part by one of the workers.

    Of a series that is new, a part knows nothing of other parts' shops: partitions decide the numbers, workers do not.
    """

    method: DayMethod
    partitions: int
    workers: Workers

    def __call__(self, known: Panel, days: int) -> DayQuantiles:
        parts = parts_of_stores(known, self.partitions)
        if len(parts) == 1:
            return self.method(known, days)
        method = self.workers.shared(self.method)
        found: list[DayQuantiles] = self.workers.map(
            _asked, [(method, panel_part(known, rows), days) for rows in parts]
        )
        mean = np.empty((known.n_series, days), np.float32)
        quantiles = np.empty((known.n_series, days, len(DAY_LEVELS)), np.float32)
        for rows, each in zip(parts, found, strict=True):
            mean[rows], quantiles[rows] = each.mean, each.quantiles
        return DayQuantiles(mean, quantiles)


def _asked(method: DayMethod, part: Panel, days: int) -> DayQuantiles:
    return method(part, days)


def method_of(
    folder: Path,
    public_key: Path,
    panel: Panel,
    workers: Workers | None = None,
    partitions: int | None = None,
) -> tuple[str, DayMethod]:
    """The name and the answers of a heavy model's folder or of a signed bundle.

    partitions: parts of whole stores that `workers` compute; None: as the model was trained, and one for a bundle. Raises HeavyModelError or BundleError when it is neither, or was made for other columns than the panel's.
    """
    if is_heavy(folder):
        model, manifest = load_heavy(folder)
        require_fit(manifest, panel)
        parted = model if partitions is None else replace(model, partitions=partitions)
        return folder.name, heavy_method(parted, workers)
    demand = DemandModel(load_bundle(folder, public_key))
    return demand.name, InParts(
        lambda known, days: ready_days(demand, known, days), partitions or 1, workers or ThisProcess()
    )


def learned_from(folder: Path, public_key: Path) -> dict[str, str]:
    """What the folder's manifest says of its making, for a card."""
    if is_heavy(folder):
        return learned_by(load_heavy(folder)[1])
    manifest = load_bundle(folder, public_key).manifest
    training = manifest.training
    return {
        "form": "gateway: a network that gives mean and dispersion of a day, negative binomial",
        "learned from": f"{training.source}, {training.series} series, {training.first_day} to {training.last_day}",
        "examples": str(training.rows),
        "features": ", ".join(manifest.features.names),
        "forecasts": f"1 to {manifest.horizon_days} days",
        "recipe": f"{training.epochs} epochs, seed {training.seed}",
    }


def limits_of(folder: Path, public_key: Path) -> tuple[str, ...]:
    """Where the model of `folder` ends, for its card."""
    if is_heavy(folder):
        return LIMITS
    revision = load_bundle(folder, public_key).features_revision
    return GATEWAY_LIMITS if revision >= 2 else (WITHOUT_CALENDAR, *GATEWAY_LIMITS[1:])


def heavy_method(model: HeavyModel, workers: Workers | None = None) -> DayMethod:
    return lambda known, days: day_forecast(model, known, days, workers=workers)


def peers(workers: Workers | None = None, partitions: int | None = None) -> dict[str, DayMethod]:
    """What every model must beat: the seasonal baseline, the 28-day mean and last week again."""
    alone = {BASELINE_NAME: _baseline, "ma28-negbin": _month_again, "seasonal-naive-negbin": _last_week}
    return {
        name: InParts(method, partitions or 1, workers or ThisProcess()) for name, method in alone.items()
    }


def _baseline(known: Panel, days: int) -> DayQuantiles:
    return ready_days(SeasonalBaseline("evaluation"), known, days)


def _month_again(known: Panel, days: int) -> DayQuantiles:
    return _with_moments(known, np.repeat(_month(known)[:, None], days, axis=1))


def _last_week(known: Panel, days: int) -> DayQuantiles:
    week = known.demand(max(0, known.n_days - 7), known.n_days)
    week = np.where(np.isnan(week), _month(known)[:, None], week)
    return _with_moments(known, week[:, np.arange(days) % week.shape[1]])


def _month(known: Panel) -> np.ndarray:
    recent = known.demand(max(0, known.n_days - 28), known.n_days)
    seen = ~np.isnan(recent)
    return np.asarray(np.where(seen, recent, 0).sum(1) / np.maximum(seen.sum(1), 1))


def _with_moments(known: Panel, mean: np.ndarray) -> DayQuantiles:
    """Negative binomial about `mean` with the dispersion of the last 112 known days."""
    past = known.demand(max(0, known.n_days - _TRUSTED_DAYS), known.n_days).astype(np.float64)
    seen = ~np.isnan(past)
    count = np.maximum(seen.sum(1), 1)
    usual = np.where(seen, past, 0).sum(1) / count
    variance = np.where(seen, (past - usual[:, None]) ** 2, 0).sum(1) / count
    spread = np.clip((variance - usual) / np.maximum(usual, 0.02) ** 2, 0, 20)
    different = mean.shape[1] if np.ptp(mean, axis=1).any() else 1
    flat = mean[:, :different].astype(np.float64)
    found = negbin_quantiles(flat.ravel(), np.repeat(spread, different), DAY_LEVELS).reshape(*flat.shape, -1)
    quantiles = np.broadcast_to(found, (*mean.shape, len(DAY_LEVELS)))
    return DayQuantiles(mean.astype(np.float32), quantiles.astype(np.float32))
