"""Training rows: what was known on an evening, and what sold on a later day."""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from contract.records import MAX_HORIZON_DAYS
from models.arrays import F32, F64, I64
from models.features import (
    FEATURES_BY_REVISION,
    FEATURES_REVISION,
    HISTORY_DAYS,
    demand_features,
    inputs_from,
    usual_price,
)
from models.known_days import COLUMN_GROUPS
from models.training.series import DailySeries

ORIGIN_STEP_DAYS = 3
DAYS_A_ORIGIN = 4
"""Days of the horizon drawn for each (series, evening)."""
FIRST_ORIGIN_DAY = 10
LEAST_WEATHER_DAYS = 300
"""With fewer a warming spring is a trend that would be taken for a rule (measured: FreshRetailNet, 48 to 62 days)."""
_DAYS_OF_NEW = 14
"""Of histories that are cut short are cut to nothing, as against one each for 1, 2, ... days: a fifth is as new as can be."""
_AS_NEW = 0.1
"""Share of examples that have no history at all, besides: with fewer a short fit does not learn how to take a category's level."""
_CATEGORY_WITHHELD, _CATEGORY_WITHHELD_OF_NEW = 0.5, 0.2
"""Share of examples that do not know their category's level. One without a history or a category is forecast far above its
features' level; half of the new ones so taught the others, which look like them, to sell more than their category."""
_WITHHELD = 0.5
"""Share of examples that know no calendar, no promotions, no weather: a shop may have none, and is to be served as well."""


@dataclass(frozen=True, slots=True)
class Examples:
    """features: (n_rows, n_features); units: (n_rows,), finite."""

    features: F32
    units: F32


def examples_from(
    series: DailySeries, *, rows: int, seed: int, revision: int = FEATURES_REVISION
) -> Examples:
    """About `rows` examples over evenings every three days, days ahead drawn at random.

    So that a gateway's poor hours are in distribution: a fifth of the histories is cut short (to nothing, too), a
    tenth is as new, a tenth has holes, prices are withheld half the time, category levels (of new SKUs a fifth of the
    time), and what is known of days, too.
    """
    random = np.random.default_rng(seed)
    if series.n_days < LEAST_WEATHER_DAYS:
        known = {name: values for name, values in series.known_days.items() if name not in COLUMN_GROUPS[2]}
        series = replace(series, known_days=known)
    origins = range(FIRST_ORIGIN_DAY, series.n_days - 1, ORIGIN_STEP_DAYS)
    each = max(1, rows // (len(origins) * DAYS_A_ORIGIN))
    features, units = [], []
    for origin in origins:
        # A series is listed from its first sale on: one that nobody saw before would teach that new SKUs sell at once.
        before = ~np.isnan(series.units[:, max(0, origin - HISTORY_DAYS) : origin]).all(axis=1)
        listed = np.flatnonzero(~np.isnan(series.units[:, origin]) & before)
        chosen = np.sort(random.choice(listed, size=min(each, len(listed)), replace=False))
        longest = min(MAX_HORIZON_DAYS, series.n_days - origin)
        ahead = np.sort(random.choice(longest, size=min(DAYS_A_ORIGIN, longest), replace=False))
        block = _features_at(series, chosen, origin, ahead, random, revision)
        sold = series.units[chosen][:, origin + ahead]
        known = ~np.isnan(sold)
        if series.served is not None:  # what a day that was cut short would have sold is no target
            known &= series.served[chosen][:, origin + ahead] >= 1
        features.append(block[known])
        units.append(np.maximum(sold[known], 0))
    joined = np.concatenate(features).reshape(-1, len(FEATURES_BY_REVISION[revision]))
    return Examples(joined.astype(np.float32), np.concatenate(units).astype(np.float32))


def price_ratios(series: DailySeries, rows: I64, origin: int, horizon_days: int) -> F64:
    """Each day's price over the mean of the 28 days before `origin`, NaN where either is unknown or past the data."""
    out = np.full((len(rows), horizon_days), np.nan)
    past = series.price[rows, max(0, origin - 28) : origin].astype(np.float64)
    usual = usual_price(past)
    days = min(horizon_days, series.n_days - origin)
    coming = series.price[rows, origin : origin + days].astype(np.float64)
    out[:, :days] = coming / usual[:, None]
    return out


def category_levels(series: DailySeries, rows: I64, origin: int) -> F64:
    """Mean units a day in the last 28 days of the other series in the same shop and category, NaN where alone.

    Of days that were served to the end, as at the edge.
    """
    recent = series.demand(max(0, origin - 28), origin)
    known = ~np.isnan(recent)
    mean = np.where(known, recent, 0).sum(axis=1, dtype=np.float64) / np.maximum(known.sum(axis=1), 1)
    listed = known.any(axis=1)
    size = int(series.group.max(initial=0)) + 1
    total = np.bincount(series.group, np.where(listed, mean, 0), size)[series.group]
    count = np.bincount(series.group, listed, size)[series.group]
    others = count - listed
    level = np.where(others > 0, (total - np.where(listed, mean, 0)) / np.maximum(others, 1), np.nan)
    return np.asarray(level[rows])


def known_days_at(series: DailySeries, rows: I64, origin: int, horizon_days: int) -> dict[str, F64]:
    """The columns of models.known_days on the evening before day `origin`, as forecasts take them."""
    parts = {name: part_of_days(values, origin, horizon_days) for name, values in series.known_days.items()}
    return {name: part if len(part) == 1 else part[rows] for name, part in parts.items()}


def part_of_days(values: F32, origin: int, horizon_days: int) -> F64:
    """(rows, HISTORY_DAYS + horizon_days + 1) of a column of many days, around day `origin`; NaN where it does not reach."""
    first, last = origin - HISTORY_DAYS, origin + horizon_days + 1
    part = np.full((len(values), HISTORY_DAYS + horizon_days + 1), np.nan)
    inside = values[:, max(0, first) : last]
    start = max(0, -first)
    part[:, start : start + inside.shape[1]] = inside
    return part


def _features_at(
    series: DailySeries, rows: I64, origin: int, ahead: I64, random: np.random.Generator, revision: int
) -> F32:
    history = series.units[rows, max(0, origin - HISTORY_DAYS) : origin].astype(np.float64)
    days = history.shape[1]
    cut = random.random(len(rows)) < 0.2
    kept = np.where(cut, np.maximum(random.integers(-_DAYS_OF_NEW, days + 1, len(rows)), 0), days)
    kept = np.where(random.random(len(rows)) < _AS_NEW, 0, kept)
    history[np.arange(days)[None, :] < (days - kept)[:, None]] = np.nan
    holed = (random.random(len(rows)) < 0.1)[:, None] & (random.random(history.shape) < 0.15)
    history[holed] = np.nan
    price = price_ratios(series, rows, origin, int(ahead.max()) + 1)
    price[random.random(len(rows)) < 0.5] = np.nan
    level = category_levels(series, rows, origin)
    withheld = np.where(kept == 0, _CATEGORY_WITHHELD_OF_NEW, _CATEGORY_WITHHELD)
    level[random.random(len(rows)) < withheld] = np.nan
    first = max(0, origin - HISTORY_DAYS)
    known_days = None
    if revision >= 2 and series.known_days:
        known_days = _withheld(known_days_at(series, rows, origin, int(ahead.max()) + 1), len(rows), random)
    inputs = inputs_from(
        history,
        series.first_day + timedelta(days=origin),
        price_ratio=price,
        category_level=level,
        served_share=None if series.served is None else series.served[rows, first:origin],
        known_days=known_days,
        horizon_days=int(ahead.max()) + 1,
    )
    return demand_features(inputs, ahead, revision)


def _withheld(known: dict[str, F64], n_rows: int, random: np.random.Generator) -> dict[str, F64]:
    out: dict[str, F64] = {}
    for group in COLUMN_GROUPS:
        hidden = (random.random(n_rows) < _WITHHELD)[:, None]
        out |= {name: np.where(hidden, np.nan, known[name]) for name in group if name in known}
    return out
