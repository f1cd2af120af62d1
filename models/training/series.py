"""Daily sales of many SKUs in many shops, and the reader of the table they come in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from models.arrays import F32, I64
from models.errors import TrainingDataError
from models.training.known_columns import known_days_of
from models.training.panel_table import served_share
from runtime.errors import reason_of

REQUIRED_COLUMNS = ("store", "sku", "date", "units")
MAX_DAYS = 3660
_USUAL_OPEN_HOURS = 12.0
"""Of a day of which the table says hours sold out, and not how long the shop was open."""


@dataclass(frozen=True, slots=True)
class DailySeries:
    """units, price: (n_series, n_days) from first_day on, NaN unknown. group: shop x category of each series, a code.

    served: (n_series, n_days), the share of each day's demand that the shelf could serve, None: all of it.
    known_days: column of models.known_days -> (n_series or 1, n_known_days), known beforehand; n_known_days >= n_days.
    """

    first_day: date
    units: F32
    price: F32
    group: I64
    source: str
    served: F32 | None = None
    known_days: Mapping[str, F32] = field(default_factory=dict)

    @property
    def n_days(self) -> int:
        return int(self.units.shape[1])

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=self.n_days - 1)

    def demand(self, first: int, last: int) -> F32:
        """Units of the days first..last-1 on which all demand was served, NaN on others."""
        units = self.units[:, first:last]
        if self.served is None:
            return units
        return np.where(self.served[:, first:last] >= 1, units, np.float32(np.nan))

    def before(self, day: date) -> "DailySeries":
        """The part that ends the day before `day`; what is known beforehand stays known."""
        days = max(0, min(self.n_days, (day - self.first_day).days))
        return replace(
            self, units=self.units[:, :days], price=self.price[:, :days],
            served=None if self.served is None else self.served[:, :days],
        )  # fmt: skip

    def best_sellers(self, count: int, before: date) -> "DailySeries":
        """The `count` series with the most units before `before`: choosing by later sales would be foresight."""
        totals = np.nansum(self.before(before).units, axis=1)
        kept = np.sort(np.argsort(-totals, kind="stable")[:count])
        return self.rows(kept)

    def rows(self, kept: I64) -> "DailySeries":
        return replace(
            self, units=self.units[kept], price=self.price[kept], group=self.group[kept],
            served=None if self.served is None else self.served[kept],
            known_days={name: values if len(values) == 1 else values[kept] for name, values in self.known_days.items()},
        )  # fmt: skip


def thinned(series: DailySeries, share: float, seed: int) -> DailySeries:
    """A shop with `share` of the customers: each unit is kept with that probability."""
    random = np.random.default_rng(seed)
    known = ~np.isnan(series.units)
    counts = np.where(known, series.units, 0).astype(np.int64)
    kept = random.binomial(np.maximum(counts, 0), share).astype(np.float32)
    return replace(series, units=np.where(known, kept, np.nan).astype(np.float32))


def joined(parts: list[DailySeries]) -> DailySeries:
    """All series of parts that cover the same days; groups stay apart."""
    first = parts[0]
    groups, offset = [], 0
    for part in parts:
        if part.first_day != first.first_day or part.n_days != first.n_days:
            raise TrainingDataError("parts to join cover different days")
        groups.append(part.group + offset)
        offset += int(part.group.max(initial=0)) + 1
    served = None
    if any(part.served is not None for part in parts):
        served = np.concatenate(
            [np.ones_like(part.units) if part.served is None else part.served for part in parts]
        )
    return DailySeries(
        first.first_day,
        np.concatenate([part.units for part in parts]),
        np.concatenate([part.price for part in parts]),
        np.concatenate(groups),
        first.source,
        served,
        _known_days_of(parts),
    )


def _known_days_of(parts: list[DailySeries]) -> dict[str, F32]:
    """Of parts joined: a column that says the same of all stays one row; what a part does not know is unknown there."""
    out: dict[str, F32] = {}
    for name in sorted({name for part in parts for name in part.known_days}):
        columns = [part.known_days.get(name) for part in parts]
        first = columns[0]
        if (
            first is not None
            and len(first) == 1
            and all(
                column is not None and np.array_equal(column, first, equal_nan=True) for column in columns
            )
        ):
            out[name] = first
            continue
        days = max(column.shape[1] for column in columns if column is not None)
        unknown = np.full((1, days), np.nan, dtype=np.float32)
        out[name] = np.concatenate(
            [
                np.broadcast_to(unknown if column is None else column, (len(part.units), days))
                for part, column in zip(parts, columns, strict=True)
            ]
        )
    return out


def series_from_file(path: Path) -> DailySeries:
    """The series of a long CSV or Parquet table: store, sku, date (ISO), units; optionally category, price,
    stockout_hours and the columns of models.known_days (holiday, promotion, discount ...).

    Days inside a shop's span with no row of a SKU sold 0 of it; days on which a whole shop has no row are unknown
    (closed), and so are the days before a SKU's first row and those with empty units (sold out, not heard). Several
    rows of one day add up.
    Raises TrainingDataError that names the column or row that is wrong.
    """
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else pyarrow.csv.read_csv(path)
    except (OSError, pa.ArrowException) as error:
        raise TrainingDataError(
            f"cannot read {path}: {reason_of(error)}; give a CSV or .parquet table"
        ) from None
    missing = [name for name in REQUIRED_COLUMNS if name not in table.column_names]
    if missing:
        raise TrainingDataError(
            f"{path} lacks the columns {', '.join(missing)}; it needs {', '.join(REQUIRED_COLUMNS)}"
        )
    return series_from_table(table, path.name)


def series_from_table(table: pa.Table, source: str) -> DailySeries:
    """As series_from_file, from a table in memory."""
    if table.num_rows == 0:
        raise TrainingDataError(f"{source} has no rows")
    try:
        days = table["date"].cast(pa.string()).cast(pa.date32()).cast(pa.int32()).to_numpy()
        units = table["units"].cast(pa.float64()).to_numpy()
        keys = pc.binary_join_element_wise(
            table["store"].cast(pa.string()), table["sku"].cast(pa.string()), "\x1f"
        )
        stores = table["store"].cast(pa.string()).combine_chunks().dictionary_encode()
    except pa.ArrowException as error:
        raise TrainingDataError(f"{source}: {error}; date is ISO (2017-09-01), units a number") from None
    if np.isinf(units).any() or np.isnan(days.astype(float)).any():
        raise TrainingDataError(f"{source}: a row has no date, or infinite units")
    first, span = int(days.min()), int(days.max() - days.min()) + 1
    if span > MAX_DAYS:
        raise TrainingDataError(
            f"{source} spans {span} days; the limit is {MAX_DAYS}: a date is probably wrong"
        )
    encoded = keys.combine_chunks().dictionary_encode()
    series, store = encoded.indices.to_numpy(), stores.indices.to_numpy()
    n_series = len(encoded.dictionary)
    matrix = np.zeros((n_series, span), dtype=np.float64)
    np.add.at(matrix, (series, days - first), units)
    store_of = np.zeros(n_series, dtype=np.int64)
    store_of[series] = store
    shop_open = np.zeros((len(stores.dictionary), span), dtype=bool)
    shop_open[store, days - first] = True
    listed_from = np.full(n_series, span)
    np.minimum.at(listed_from, series, days - first)
    unknown = ~shop_open[store_of] | (np.arange(span)[None, :] < listed_from[:, None])
    matrix[unknown] = np.nan
    price = _daily_prices(table, series, days - first, n_series, span)
    group = _groups(table, series, store_of)
    origin = date(1970, 1, 1) + timedelta(days=first)
    served = _served(table, series, days - first, matrix.astype(np.float32))
    known_days = known_days_of(table, series, days - first, store_of, span)
    return DailySeries(origin, matrix.astype(np.float32), price, group, source, served, known_days)


def _served(table: pa.Table, series: I64, day: I64, units: F32) -> F32 | None:
    """What share of demand the shelf could serve: of the opening hours where the table tells them, as a gateway takes it
    of its own; else what so many hours sold out leave, as the heavy form learns it (panel_table).
    """
    if "stockout_hours" not in table.column_names:
        return None
    hours = np.zeros(units.shape)
    hours[series, day] = np.nan_to_num(table["stockout_hours"].cast(pa.float64()).to_numpy())
    if "open_hours" not in table.column_names:
        return served_share(units, np.clip(np.ceil(hours), 0, 24).astype(np.int64))
    open_hours = np.full(units.shape, np.nan)
    open_hours[series, day] = table["open_hours"].cast(pa.float64()).to_numpy()
    usual = np.where(open_hours > 0, open_hours, _USUAL_OPEN_HOURS)
    return np.clip(1 - hours / usual, 0, 1).astype(np.float32)


def _daily_prices(table: pa.Table, series: I64, day: I64, n_series: int, span: int) -> F32:
    """The last price seen of each series, carried forward; NaN before the first."""
    price = np.full((n_series, span), np.nan, dtype=np.float32)
    if "price" not in table.column_names:
        return price
    price[series, day] = table["price"].cast(pa.float64()).to_numpy()
    return carried_forward(price)


def carried_forward(values: F32) -> F32:
    """Each NaN replaced by the last known value to its left in the row."""
    place = np.where(np.isnan(values), -1, np.arange(values.shape[1])[None, :])
    last = np.maximum.accumulate(place, axis=1)
    taken = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, taken, np.nan).astype(np.float32)


def _groups(table: pa.Table, series: I64, store_of: I64) -> I64:
    if "category" not in table.column_names:
        return store_of
    categories = pc.fill_null(table["category"].cast(pa.string()), "").combine_chunks().dictionary_encode()
    category_of = np.zeros(len(store_of), dtype=np.int64)
    category_of[series] = categories.indices.to_numpy()
    return store_of * (len(categories.dictionary) + 1) + category_of
