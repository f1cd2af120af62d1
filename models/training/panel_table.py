"""Panels from long tables: what each column means, and what happens to rows that no shop could have written."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.arrays import F32, F64, I64
from models.errors import TrainingDataError
from models.panel import Panel
from models.training.panel_categories import groups_from
from models.training.panel_cleaning import Cleaned, cleaned_units

KEYS = ("store", "sku", "date")
MAX_DAYS = 3660
MAX_COVARIATES = 12
MOST_PRICE_RATIO = 4.0
"""Of a SKU's median price; beyond, a price is a slip of the pen, a cent for a euro."""
_NOT_COVARIATES = frozenset({*KEYS, "units", "stockout_hours", "open_hours", "first_seen"})
_FLAGS = frozenset({"price", "discount", "promotion", "holiday"})
_DENSE_SHARE = 0.02
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class PanelTable:
    """panel: one series a (store, sku). stores, skus: their names. cleaned: what was changed or set aside, and how often.
    ignored: what of the tables says nothing, in words.
    """

    panel: Panel
    stores: pa.Array
    skus: pa.Array
    cleaned: Cleaned
    ignored: tuple[str, ...] = ()


def panel_from_tables(history: pa.Table, future: pa.Table, horizon_days: int) -> PanelTable:
    """Series of both tables: history's columns store, sku, date, units and optionally
    price, stockout_hours, first_seen, categories (words, codes whose name ends in _id, whole numbers that never change
    within a series) and numbers known ahead (discount, promotion, holiday, weather: those that `future` has too).

    Several rows of a series and day: the last one counts. A day without a row sold nothing when the table holds sales
    only (fewer than 2 % of its rows say 0) and the shop was open, else it is unknown. Days before the first sale are unknown.
    Raises TrainingDataError that names the column, the limit and what to give.
    """
    _require(history, (*KEYS, "units"), "history")
    if history.num_rows == 0:
        raise TrainingDataError("history has no rows; give at least a few weeks of sales")
    rows = _Rows(history, future, horizon_days)
    units = rows.matrix(_numbers(history, "units"), rows.history, rows.n_days)
    written = rows.written
    dense = _zero_share(history) >= _DENSE_SHARE
    if not dense:
        shop_open = np.zeros((int(rows.store_of.max(initial=0)) + 1, rows.n_days), dtype=bool)
        np.logical_or.at(shop_open, rows.store_of, written)
        units[~written & shop_open[rows.store_of] & written.any(axis=1, keepdims=True)] = 0.0
    listed_from = _first_seen(history, rows)
    units, cleaned = cleaned_units(units, listed_from)
    cleaned.counts["duplicated days"] = rows.duplicates
    served = _served(history, rows, units)
    categories = _categories(history, future, rows)
    covariates = _covariates(history, future, rows, cleaned, frozenset(categories))
    groups = groups_from(rows.store_of, rows.sku_of, categories, np.unique(rows.history[0]))
    panel = Panel(rows.first_day, units, served, covariates, groups)
    ignored = _ignored(history, future, rows, frozenset(categories)) if future.num_rows else ()
    return PanelTable(panel, rows.stores, rows.skus, cleaned, ignored)


def _ignored(
    history: pa.Table, future: pa.Table, rows: "_Rows", categories: frozenset[str]
) -> tuple[str, ...]:
    """Columns that only one table has, and rows of what is known ahead that lie on no day of the forecast."""
    named = {"the history": set(history.column_names), "what is known ahead": set(future.column_names)}
    out = []
    for which, other in (("the history", "what is known ahead"), ("what is known ahead", "the history")):
        alone = sorted(named[which] - named[other] - _NOT_COVARIATES - categories)
        if alone:
            out.append(f"columns {', '.join(alone)}: only {which} has them, not {other}")
    day = rows.future[1]
    outside = int(((day < 0) | (day >= rows.n_known_days)).sum())
    if outside:
        out.append(
            f"{outside} of {len(day)} rows known ahead lie outside the history and the days of the forecast"
        )
    ahead = (day >= rows.n_days) & (day < rows.n_known_days)
    if not ahead.any():
        out.append("what is known ahead: no row lies on a day of the forecast")
        return tuple(out)
    told = np.zeros((rows.n_series if rows.keyed_future else 1, rows.n_known_days - rows.n_days), dtype=bool)
    told[rows.future[0][ahead], day[ahead] - rows.n_days] = True
    untold = int((~told).sum())
    if untold:
        what = "days of a series" if rows.keyed_future else "days"
        out.append(
            f"{untold} of the {told.size} {what} to forecast have no row in what is known ahead: nothing is known of them"
        )
    return tuple(out)


def _zero_share(history: pa.Table) -> float:
    """Of rows that say 0 of their own accord: one that tells of a stock-out alone says nothing of the days without rows."""
    zero = _numbers(history, "units") == 0
    if "stockout_hours" in history.column_names:
        zero &= ~(_numbers(history, "stockout_hours") > 0)
    return float(zero.mean())


class _Rows:
    """Where each row of both tables belongs: (series, day)."""

    def __init__(self, history: pa.Table, future: pa.Table, horizon_days: int) -> None:
        days = _days(history, "history")
        first, last = int(days.min()), int(days.max())
        if last - first >= MAX_DAYS:
            raise TrainingDataError(
                f"history spans {last - first + 1} days; the limit is {MAX_DAYS}: a date is probably wrong"
            )
        self.first_day = _EPOCH + timedelta(days=first)
        self.n_days, self.n_known_days = last - first + 1, last - first + 1 + horizon_days
        self.keyed_future = all(name in future.column_names for name in ("store", "sku"))
        tables = [(history, "history"), *([(future, "future")] if self.keyed_future else [])]
        keys = pa.chunked_array(
            [chunk for table, which in tables for chunk in _keys(table, which).chunks], type=pa.string()
        ).combine_chunks().dictionary_encode()  # fmt: skip
        codes = keys.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        self.n_series = len(keys.dictionary)
        parts = pc.split_pattern(keys.dictionary, "\x1f", max_splits=1)
        self.stores, self.skus = pc.list_element(parts, 0), pc.list_element(parts, 1)
        self.store_of, self.sku_of = _codes(self.stores), _codes(self.skus)
        self.history = codes[: history.num_rows], (days - first).astype(np.int64)
        future_days = (
            (_days(future, "future") - first).astype(np.int64) if future.num_rows else np.zeros(0, np.int64)
        )
        self.future = (
            codes[history.num_rows :] if self.keyed_future else np.zeros(len(future_days), np.int64),
            future_days,
        )
        self.written = np.zeros((self.n_series, self.n_days), dtype=bool)
        self.written[self.history] = True
        self.duplicates = history.num_rows - int(self.written.sum())

    def matrix(self, values: F64, where: tuple[I64, I64], n_days: int) -> F32:
        out = np.full((self.n_series, n_days), np.nan, dtype=np.float32)
        # What no float32 holds is infinite, and cleaned as that.
        with np.errstate(over="ignore"):
            out[where] = values
        return out


def _require(table: pa.Table, names: Iterable[str], which: str) -> None:
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise TrainingDataError(f"{which} lacks the columns {missing}; it has {table.column_names}")


def _days(table: pa.Table, which: str) -> I64:
    _require(table, ("date",), which)
    try:
        column = table["date"]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.cast(pa.date32())
        days = column.cast(pa.timestamp("s")).cast(pa.date32()).cast(pa.int32())
    except pa.ArrowException as error:
        raise TrainingDataError(f"{which}: {error}; date is ISO (2017-09-01)") from None
    if days.null_count:
        raise TrainingDataError(f"{which}: {days.null_count} rows have no date; leave them out")
    return np.asarray(days.to_numpy(), dtype=np.int64)


def _keys(table: pa.Table, which: str) -> pa.ChunkedArray:
    store, sku = (table[name].cast(pa.string()) for name in ("store", "sku"))
    for name, column in (("store", store), ("sku", sku)):
        if column.null_count:
            row = pc.index(pc.is_null(column), pa.scalar(value=True)).as_py()
            raise TrainingDataError(
                f"{which}: {column.null_count} rows have no {name}, the first is row {row + 1}; leave such rows out"
            )
    return pc.binary_join_element_wise(store, sku, "\x1f")


def _codes(names: pa.Array) -> I64:
    return np.asarray(names.dictionary_encode().indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _numbers(table: pa.Table, name: str, which: str = "history") -> F64:
    try:
        return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        raise TrainingDataError(f"{which}, column {name}: {error}; it must hold numbers") from None


def _first_seen(history: pa.Table, rows: _Rows) -> I64 | None:
    """Day number from which each series was listed."""
    if "first_seen" not in history.column_names:
        return None
    named = history.select(["first_seen"]).rename_columns(["date"])
    known = pc.is_valid(named["date"]).to_numpy()
    out = np.full(rows.n_series, rows.n_days, dtype=np.int64)
    start = (rows.first_day - _EPOCH).days
    np.minimum.at(out, rows.history[0][known], _days(named.filter(pa.array(known)), "history") - start)
    return np.where(out < rows.n_days, np.maximum(out, 0), 0)


def _served(history: pa.Table, rows: _Rows, units: F32) -> F32 | None:
    """The share of a usual day that was served, by hours sold out: learned from the table's own sales.

    Sales of days with so many hours sold out, over what the same series sells on whole days. It holds what a
    profile of the hours cannot: days that sell out are days of high demand.
    """
    if "stockout_hours" not in history.column_names:
        return None
    hours = np.nan_to_num(rows.matrix(_numbers(history, "stockout_hours"), rows.history, rows.n_days))
    return served_share(units, np.clip(np.ceil(hours), 0, 24).astype(np.int64))


def served_share(units: F32, hours: npt.NDArray[np.int64]) -> F32:
    whole = np.where(hours == 0, units, np.nan)
    known = ~np.isnan(whole)
    usual = np.where(known, whole, 0).sum(1) / np.maximum(known.sum(1), 1)
    counted = ~np.isnan(units) & (known.sum(1) >= 5)[:, None]
    sold = np.bincount(hours[counted], units[counted].astype(np.float64), 25)
    expected = np.bincount(hours[counted], np.broadcast_to(usual[:, None], units.shape)[counted], 25)
    # As by a hundred days' evidence that a day of sixteen hours loses its share of them.
    prior = 100 * max(float(usual.mean()), 0.1)
    by_hours = (sold + prior * np.clip(1 - np.arange(25) / 16, 0, 1)) / (expected + prior)
    share = np.clip(by_hours[hours], 0.0, 1.2)
    return np.where(hours == 0, 1.0, np.minimum(share, 0.999)).astype(np.float32)


def _covariates(
    history: pa.Table, future: pa.Table, rows: _Rows, cleaned: Cleaned, categories: frozenset[str]
) -> dict[str, F32]:
    """Numbers that both tables have; words (the name of a holiday) count as one flag. Prices enter as logarithms."""
    names = [n for n in history.column_names if n in future.column_names and n not in _NOT_COVARIATES]
    names = [n for n in names if n not in categories]
    if len(names) > MAX_COVARIATES:
        raise TrainingDataError(f"{len(names)} columns known ahead: {names}; the limit is {MAX_COVARIATES}")
    out = {}
    for name in names:
        values = rows.matrix(_known_ahead(history, name, "history"), rows.history, rows.n_known_days)
        ahead = _known_ahead(future, name, "future") if future.num_rows else np.zeros(0)
        inside = (rows.future[1] >= 0) & (rows.future[1] < rows.n_known_days)
        if rows.keyed_future:
            values[rows.future[0][inside], rows.future[1][inside]] = ahead[inside]
        else:
            values[:, rows.future[1][inside]] = ahead[inside].astype(np.float32)[None, :]
        if name == "price":
            told = np.concatenate([_known_ahead(history, name, "history"), ahead])
            cleaned.counts["prices unknown or not above 0"] = int((~(told > 0)).sum())
            values, cleaned.counts["prices far from the SKU's usual one, taken as unknown"] = _log_prices(
                values
            )
        out[name] = _one_row_when_equal(values)
    return out


def _log_prices(values: F32) -> tuple[F32, int]:
    """Logarithms, each unknown one the last known, and how many were slips of the pen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(values > 0, np.log(values), np.nan).astype(np.float32)
    far = _forget_far(logs)
    place = np.where(np.isnan(logs), -1, np.arange(logs.shape[1])[None, :])
    last = np.maximum.accumulate(place, axis=1)
    filled = np.take_along_axis(logs, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, filled, np.float32(np.nan)), far


def _forget_far(log_prices: F32) -> int:
    """Sets prices more than MOST_PRICE_RATIO from the series' median unknown, in place; how many."""
    limit = np.float32(np.log(MOST_PRICE_RATIO))
    span = np.fmax.reduce(log_prices, axis=1) - np.fmin.reduce(log_prices, axis=1)
    rows = np.flatnonzero(span > limit)
    if not len(rows):
        return 0
    far = np.abs(log_prices[rows] - np.nanmedian(log_prices[rows], axis=1, keepdims=True)) > limit
    log_prices[rows] = np.where(far, np.float32(np.nan), log_prices[rows])
    return int(far.sum())


def _one_row_when_equal(values: F32) -> F32:
    """One row for a column that says the same of all series, such as a holiday: it costs a series' worth of work."""
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=0)
    high = np.where(known, values, -np.inf).max(axis=0)
    if np.all((low == high) | ~known.any(axis=0)):
        return np.where(known.any(axis=0), high, np.nan).astype(np.float32)[None, :]
    return values


def _is_number(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )


def _known_ahead(table: pa.Table, name: str, which: str) -> F64:
    if _is_number(table, name):
        values = _numbers(table, name, which)
        return np.where(np.isfinite(values), values, np.nan)
    words = pc.fill_null(table[name].cast(pa.string()), "")
    none = pc.is_in(words, value_set=pa.array(["", "0", "none", "None", "no", "false", "False"]))
    return np.asarray(~none.to_numpy().astype(bool), dtype=np.float64)


def _categories(history: pa.Table, future: pa.Table, rows: _Rows) -> dict[str, I64]:
    """Columns of words, codes (`…_id`), and whole numbers that never change within a series."""
    out = {}
    for name in history.column_names:
        if name in _NOT_COVARIATES or name in _FLAGS:
            continue
        kind = history.schema.field(name).type
        if (
            not _is_number(history, name)
            or name.endswith("_id")
            or (pa.types.is_integer(kind) and _never_changes(_numbers(history, name), rows))
        ):
            out[name] = _category_of(history, future, rows, name)
    return out


def _never_changes(values: F64, rows: _Rows) -> bool:
    of_series = np.zeros(rows.n_series)
    of_series[rows.history[0]] = values
    return bool(np.array_equal(of_series[rows.history[0]], values, equal_nan=True))


def _category_of(history: pa.Table, future: pa.Table, rows: _Rows, name: str) -> I64:
    tables = [history, future] if rows.keyed_future and name in future.column_names else [history]
    words = pa.chunked_array(
        [c for t in tables for c in pc.fill_null(t[name].cast(pa.string()), "").chunks], type=pa.string()
    )
    codes = words.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    series = np.concatenate([rows.history[0], rows.future[0]]) if len(tables) == 2 else rows.history[0]
    out = np.full(rows.n_series, int(codes.max(initial=0)) + 1, dtype=np.int64)
    out[series] = codes
    return out
