"""Columns for the plain LightGBM: what a practitioner's first table has, and nothing of ours behind it.

Lags and rolling means of the series and of its groups, the weekday, the day of the month and what is known of the day
beforehand. A peer must not get better or worse, nor be computed anew, because our own features change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LOOK_BACK_DAYS = 112
_MEAN_DAYS = (7, 14, 28, 56, 112)
_GROUP_DAYS = (7, 28)
_WEEKS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Known:
    """units: (n, days), NaN where not all demand was served. covariates: name -> (n or 1, known days).

    groups: name -> code of each series.
    """

    first_day: date
    units: Array
    covariates: Mapping[str, Array]
    groups: Mapping[str, Array]


def plain_rows(known: Known, origin: int, ahead: Array, rows: Array) -> Array:
    """(len(rows) * len(ahead), columns), float32, NaN unknown: the days origin + ahead, seen on the evening before `origin`."""
    past = _past(known.units, origin)
    of_series = _series_columns(past[rows])
    of_groups = [
        _means(past, days, codes)[codes[rows]] for codes in known.groups.values() for days in _GROUP_DAYS
    ]
    of_groups += [codes[rows] for codes in known.groups.values() if codes.max(initial=0) < 255]
    fixed = np.column_stack([*of_series, *of_groups]).astype(np.float32)
    days = [_day_columns(known, past[rows], origin, int(day), rows) for day in ahead]
    of_day = np.stack([np.column_stack(columns) for columns in days], axis=1).astype(np.float32)
    wide = np.broadcast_to(fixed[:, None, :], (len(rows), len(ahead), fixed.shape[1]))
    return np.concatenate([wide, of_day], axis=2).reshape(len(rows) * len(ahead), -1)


def _past(units: Array, origin: int) -> Array:
    """(n, LOOK_BACK_DAYS), ending with the day before `origin`."""
    found = units[:, max(0, origin - LOOK_BACK_DAYS) : origin]
    missing = LOOK_BACK_DAYS - found.shape[1]
    return np.pad(found, ((0, 0), (missing, 0)), constant_values=np.nan)


def _series_columns(past: Array) -> list[Array]:
    known = ~np.isnan(past)
    sold = np.where(known, past, 0)
    columns = [_mean(sold[:, -days:], known[:, -days:]) for days in _MEAN_DAYS]
    columns += [past[:, -lag] for lag in range(1, 8)]
    selling = (sold > 0)[:, -28:].sum(1) / np.maximum(known[:, -28:].sum(1), 1)
    spread = np.sqrt(np.maximum(_mean(sold[:, -28:] ** 2, known[:, -28:]) - columns[2] ** 2, 0))
    last = np.where(sold > 0, np.arange(LOOK_BACK_DAYS), -1).max(1)
    return [*columns, selling, spread, sold[:, -28:].max(1), LOOK_BACK_DAYS - 1 - last, known.sum(1)]


def _day_columns(known: Known, past: Array, origin: int, ahead: int, rows: Array) -> list[Array]:
    """Horizon, calendar, the same weekday of the last four weeks and of eight, each covariate there and usually."""
    day = known.first_day + timedelta(days=origin + ahead)
    n, place = len(rows), ahead % 7
    same = past[:, place::7]
    weekday = [past[:, LOOK_BACK_DAYS - 7 * weeks + place] for weeks in _WEEKS]
    weekday.append(_mean(np.nan_to_num(same[:, -8:]), ~np.isnan(same[:, -8:])))
    columns = [np.full(n, value) for value in (ahead, day.weekday(), day.day)]
    for values in known.covariates.values():
        of_rows = values if len(values) == 1 else values[rows]
        usual = of_rows[:, max(0, origin - 28) : origin].mean(axis=1)
        columns += [np.broadcast_to(each, n) for each in (of_rows[:, origin + ahead], usual)]
    return columns + weekday


def _means(past: Array, days: int, codes: Array) -> Array:
    recent = past[:, -days:]
    known = ~np.isnan(recent)
    count = int(codes.max(initial=0)) + 1
    units = np.bincount(codes, np.where(known, recent, 0).sum(1), count)
    return units / np.maximum(np.bincount(codes, known.sum(1), count), 1)


def _mean(sold: Array, known: Array) -> Array:
    """NaN where nothing is known."""
    count = known.sum(1)
    return np.where(count > 0, sold.sum(1) / np.maximum(count, 1), np.nan)
