"""`shelfloop models forecast`: from a table of sales and a table of what is known ahead to a table of quantiles."""

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from contract.records import MAX_HORIZON_DAYS
from models.arrays import F32, F64, I64
from models.errors import TrainingDataError
from models.features import HISTORY_DAYS, usual_price
from models.forecast import Forecast, Forecaster
from models.known_days import KNOWN_DAY_COLUMNS
from models.panel import Panel
from models.panel_features import unseen
from models.quantile_network import DAY_LEVELS, DayQuantiles
from models.training.examples import part_of_days
from models.training.heavy import HeavyForecast, Newcomers, heavy_forecast
from models.training.heavy_files import load_heavy, require_fit
from models.training.heavy_training import Recipe, Say, train_heavy
from models.training.known_columns import usable
from models.training.pace import Pace
from models.training.panel_table import PanelTable, panel_from_tables
from runtime.errors import reason_of

LEAST_TRAINING_DAYS = 28
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class ForecastJob:
    """What was asked: two tables in, one out. train: fit on the history first; else ask the heavy model in the folder
    `model`, else `forecaster`.
    """

    history: Path
    future: Path | None
    out: Path
    horizon_days: int
    train: bool
    recipe: Recipe
    model: Path | None = None


def forecast_files(job: ForecastJob, forecaster: Forecaster, say: Say) -> None:
    """Writes job.out: store, sku, date, mean, q0.025 … q0.99 of the day, sum_mean and sum_q0.025 … sum_q0.99 of the
    days from the first through that one; whole units, one row a series and day. Raises TrainingDataError on bad input.

    A history too short to train on is forecast by `forecaster`, and `say` tells so.
    """
    if not 1 <= job.horizon_days <= MAX_HORIZON_DAYS:
        raise TrainingDataError(f"--horizon is {job.horizon_days}; the limit is 1..{MAX_HORIZON_DAYS} days")
    if not job.out.parent.is_dir() or job.out.suffix.lower() not in (*PARQUET, ".csv"):
        raise TrainingDataError(
            f"--out is {job.out}; it must lie in a folder that is there, and end in .parquet, .pq or .csv"
        )
    start = time.monotonic()
    table = _read(job)
    panel = table.panel
    say(f"{panel.n_series} series x {panel.n_days} days, {panel.first_day} to {panel.day(panel.n_days - 1)}")
    for line in table.cleaned.lines():
        say(f"cleaned: {line}")
    for line in table.ignored:
        say(f"ignored: {line}")
    if job.future is None and panel.covariates:
        names = ", ".join(panel.covariates)
        say(
            f"without --future nothing is known of the coming days: {names} there unknown, a price stays the last one"
        )
    silent = int(np.isnan(panel.units).all(axis=1).sum())
    if silent:
        say(f"{silent} series have no history: forecast from their category, shop and SKU elsewhere")
    forecast = _forecast(job, panel, forecaster, say)
    _write(job.out, table, forecast)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    say(
        f"wrote {job.out}: {panel.n_series * job.horizon_days} rows in {time.monotonic() - start:.0f} s, peak {peak_gb:.1f} GB"
    )


def _read(job: ForecastJob) -> PanelTable:
    history = table_of(job.history)
    future = table_of(job.future) if job.future is not None else history.slice(0, 0)
    return panel_from_tables(history, future, job.horizon_days)


def table_of(path: Path) -> pa.Table:
    """A .parquet, .pq or CSV file. Raises TrainingDataError when it cannot be read."""
    if not path.is_file():
        raise TrainingDataError(f"there is no file {path}; give a .parquet or CSV table")
    try:
        return pq.read_table(path) if path.suffix.lower() in PARQUET else pyarrow.csv.read_csv(path)
    except (OSError, pa.ArrowException) as error:
        raise TrainingDataError(
            f"cannot read {path}: {reason_of(error)}; give a .parquet or CSV table"
        ) from None


def _forecast(job: ForecastJob, panel: Panel, forecaster: Forecaster, say: Say) -> HeavyForecast:
    if job.train and panel.n_days >= LEAST_TRAINING_DAYS:
        try:
            model = train_heavy(panel, job.recipe, say)
            say(f"forecasting {panel.n_series} series x {job.horizon_days} days")
            return heavy_forecast(model, panel, job.horizon_days, say=say)
        except TrainingDataError as error:
            say(f"not trained: {error}; {forecaster.name} takes over")
    elif job.train:
        say(
            f"not trained: {panel.n_days} days of history, at least {LEAST_TRAINING_DAYS} are needed; {forecaster.name} takes over"
        )
    elif job.model is not None:
        model, manifest = load_heavy(job.model)
        require_fit(manifest, panel)
        if job.horizon_days > manifest.horizon_days:
            raise TrainingDataError(
                f"--horizon is {job.horizon_days}; {job.model} was trained for 1..{manifest.horizon_days} days"
            )
        return heavy_forecast(model, panel, job.horizon_days, say=say)
    unused = sorted(set(panel.covariates) - {"price", *KNOWN_DAY_COLUMNS})
    if unused:
        say(
            f"ignored: columns {', '.join(unused)}: {forecaster.name} knows price, {', '.join(KNOWN_DAY_COLUMNS)}"
        )
    return ready_forecast(forecaster, panel, job.horizon_days, say)


def ready_forecast(
    forecaster: Forecaster, panel: Panel, horizon_days: int, say: Say = lambda _text: None
) -> HeavyForecast:
    """What a trained bundle, or the baseline, says of the same panel: sales, category level, price and the columns of
    models.known_days are what it takes. say: told every few seconds how far it is.
    """
    daily = ready_days(forecaster, panel, horizon_days)
    window = np.empty_like(daily.quantiles)
    new = unseen(panel)
    pace = Pace(say, "sums of days", panel.n_series, "series")
    for rows, found in _asked_of(forecaster, panel, horizon_days):
        # Whoever has no history errs by its level, which is the same on all its days.
        together = replace(found, correlation=max(found.correlation, Newcomers().correlation))
        for day in range(horizon_days):
            window[rows, day] = found.over_window(day + 1, levels=DAY_LEVELS).quantiles
            chosen = np.flatnonzero(new[rows])
            if len(chosen):
                of_new = together.of_rows(chosen).over_window(day + 1, levels=DAY_LEVELS).quantiles
                window[rows[chosen], day] = of_new
        pace.at(int(rows[-1]) + 1)
    window[:, 0] = daily.quantiles[:, 0]
    return HeavyForecast(daily.mean, daily.quantiles, np.maximum.accumulate(window, axis=1))


def ready_days(forecaster: Forecaster, panel: Panel, horizon_days: int) -> DayQuantiles:
    """As ready_forecast, of the days alone."""
    shape = (panel.n_series, horizon_days, len(DAY_LEVELS))
    mean, daily = np.empty(shape[:2], np.float32), np.empty(shape, np.float32)
    for rows, found in _asked_of(forecaster, panel, horizon_days):
        mean[rows], daily[rows] = found.mean, found.quantiles(DAY_LEVELS)
    return DayQuantiles(mean, daily)


def _asked_of(forecaster: Forecaster, panel: Panel, horizon_days: int) -> Iterator[tuple[I64, Forecast]]:
    history = panel.demand(max(0, panel.n_days - HISTORY_DAYS), panel.n_days).astype(np.float64)
    levels = _category_levels(panel)
    prices = panel.covariates.get("price")
    known = {
        name: part_of_days(each, panel.n_days, horizon_days)
        for name, each in usable(panel.covariates).items()
    }
    for rows in np.array_split(np.arange(panel.n_series), max(1, panel.n_series // 2000)):
        yield rows, forecaster.forecast(
            history[rows], panel.day(panel.n_days), horizon_days=horizon_days, category_level=levels[rows],
            price_ratio=None if prices is None else _price_ratio(prices, rows, panel.n_days, horizon_days),
            known_days={name: each if len(each) == 1 else each[rows] for name, each in known.items()},
        )  # fmt: skip


def _category_levels(panel: Panel) -> F64:
    """Mean units a day in the last 28 days of the series' narrowest group in its shop, NaN where nothing is known.

    A new series', and one of a new shop, are those of its narrowest group anywhere: the same SKU elsewhere, its category.
    """
    recent = panel.demand(max(0, panel.n_days - 28), panel.n_days)
    known = ~np.isnan(recent)
    sold, days = np.where(known, recent, 0).sum(1, dtype=np.float64), known.sum(1)
    elsewhere, here = np.full(panel.n_series, np.nan), np.full(panel.n_series, np.nan)
    for name, codes in panel.groups.items():
        total, count = np.bincount(codes, sold), np.bincount(codes, days)
        found, known = total[codes] / np.maximum(count[codes], 1), count[codes] > 0
        elsewhere = np.where(known, found, elsewhere)
        if name == "store" or name.startswith("store_"):
            here = np.where(known, found, here)
    return np.where(unseen(panel) | np.isnan(here), elsewhere, here)


def _price_ratio(log_prices: F32, rows: I64, origin: int, days: int) -> F64:
    chosen = (
        log_prices[rows]
        if len(log_prices) > 1
        else np.broadcast_to(log_prices, (len(rows), log_prices.shape[1]))
    ).astype(np.float64)
    past = np.exp(chosen[:, max(0, origin - 28) : origin])
    return np.asarray(np.exp(chosen[:, origin : origin + days]) / usual_price(past)[:, None])


def _write(path: Path, table: PanelTable, forecast: HeavyForecast) -> None:
    n, days = forecast.mean.shape
    first = table.panel.n_days
    dates = pa.array(
        [table.panel.first_day + timedelta(days=first + ahead) for ahead in range(days)] * n, pa.date32()
    )
    series = pa.array(np.repeat(np.arange(n), days))
    columns: dict[str, pa.Array] = {
        "store": table.stores.take(series), "sku": table.skus.take(series), "date": dates,
        "mean": pa.array(forecast.mean.ravel()),
    }  # fmt: skip
    for place, level in enumerate(DAY_LEVELS):
        columns[_name(level)] = pa.array(forecast.quantiles[..., place].ravel())
    columns["sum_mean"] = pa.array(
        np.cumsum(forecast.mean, axis=1, dtype=np.float64).astype(np.float32).ravel()
    )
    for place, level in enumerate(DAY_LEVELS):
        columns[f"sum_{_name(level)}"] = pa.array(forecast.window[..., place].ravel())
    written = pa.table(columns)
    partial = path.with_name(path.name + ".partial")
    if path.suffix.lower() == ".csv":
        pyarrow.csv.write_csv(written, partial)
    else:
        pq.write_table(written, partial, compression="zstd")
    partial.replace(path)


def _name(level: float) -> str:
    """q0.05, q0.1 … q0.975, as Python writes the number."""
    return f"q{level:g}"
