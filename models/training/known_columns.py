"""What a table of sales says beforehand of its days: the columns of models.known_days, by series and day."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.arrays import F32, F64, I64
from models.errors import TrainingDataError
from models.known_days import COLUMN_GROUPS, KNOWN_DAY_COLUMNS, KNOWN_DAY_LIMITS

_NOTHING = ("", "0", "none", "None", "no", "false", "False")
_OF_SHOP = frozenset({*COLUMN_GROUPS[0], *COLUMN_GROUPS[2]})
"""Columns that say the same of all SKUs of a shop."""
_SHARE_LEFT_ABOVE = 0.5


def known_days_of(table: pa.Table, series: I64, day: I64, store_of: I64, n_days: int) -> dict[str, F32]:
    """(n_series, n_days) of each column that the table has, NaN unknown; (1, n_days) where it says the same of all.

    What a row tells of its shop's day (holidays, weather) holds for all SKUs there. What it tells of a SKU (promotion, discount)
    holds until the next row: a promotion without a sale ends with the next row that says so. Raises TrainingDataError.
    """
    out = {}
    for name in KNOWN_DAY_COLUMNS:
        if name not in table.column_names:
            continue
        values = np.full((len(store_of), n_days), np.nan, dtype=np.float32)
        told = in_unit(name, numbers_of(table, name))
        if name in _OF_SHOP:
            shops = np.full((int(store_of.max(initial=0)) + 1, n_days), -np.inf, dtype=np.float32)
            known = ~np.isnan(told)
            np.maximum.at(shops, (store_of[series][known], day[known]), told[known].astype(np.float32))
            values = np.where(np.isfinite(shops), shops, np.float32(np.nan))[store_of]
        else:
            values[series, day] = told
            values = _until_the_next(values, series, day)
        out[name] = (
            values[:1]
            if np.array_equal(values, np.broadcast_to(values[:1], values.shape), equal_nan=True)
            else values
        )
    return out


def numbers_of(table: pa.Table, name: str) -> F64:
    """A column's numbers, NaN where unknown; words (the name of a holiday) are 1, none and no are 0. Raises TrainingDataError."""
    kind = table.schema.field(name).type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        words = pc.fill_null(table[name].cast(pa.string()), "")
        return np.asarray(
            ~pc.is_in(words, value_set=pa.array(_NOTHING)).to_numpy().astype(bool), dtype=np.float64
        )
    try:
        values = np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        raise TrainingDataError(f"column {name}: {error}; it must hold numbers, or words as flags") from None
    return np.where(np.isfinite(values), values, np.nan)


def in_unit(name: str, values: F64) -> F64:
    """As models.known_days means it. A flag is any number above 0. A discount may be the share taken off, percent, or
    what remains of the price: mostly 1, and never far above it.
    """
    if KNOWN_DAY_LIMITS[name] == (0.0, 1.0):
        return np.where(np.isnan(values), np.nan, (values > 0).astype(np.float64))
    if name != "discount" or np.isnan(values).all():
        return values
    middle, high = float(np.nanmedian(values)), float(np.nanquantile(values, 0.99))
    if high > 2:
        values = values / 100
    elif middle > _SHARE_LEFT_ABOVE:
        values = 1 - values
    return np.clip(values, *KNOWN_DAY_LIMITS[name])


def usable(covariates: Mapping[str, F32]) -> dict[str, F32]:
    """Those covariates of a panel that a bundle knows, in its units."""
    return {
        name: in_unit(name, values.astype(np.float64)).astype(np.float32)
        for name, values in covariates.items()
        if name in KNOWN_DAY_LIMITS
    }


def _until_the_next(values: F32, series: I64, day: I64) -> F32:
    """Each day without a row as the series' last row before it: a row that tells nothing makes the days after it unknown, too."""
    place = np.full(values.shape, -1)
    place[series, day] = day
    last = np.maximum.accumulate(place, axis=1)
    taken = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, taken, np.float32(np.nan))
