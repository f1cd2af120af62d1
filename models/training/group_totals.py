"""Totals of categories (in each shop where they sell enough), forecast as series of their own, and the SKUs' forecasts drawn towards them.

What a network says of each SKU errs in common: a holiday or a level that it takes for noise in one SKU stands out in
the total of a category. Each total is a regression of its logarithm on weekday, day of the month and what is known of
each day beforehand, with the level of its last weeks. Both say something the other does not know, so their weighted
geometric mean is taken (Bates & Granger 1969) and every SKU of the category is scaled alike, day by day.

A total is of the series that the last four weeks know, on both sides: a SKU that nobody has sold yet is in no total that
was sold. Days that nobody knows are unknown, not zero: what the other members sold stands for them.
"""

import numpy as np
import numpy.typing as npt

from models.arrays import F64, I64
from models.panel import Panel
from models.quantile_network import DayQuantiles
from models.training.partitions import panel_part

LEAST_DAYS = 42
LEAST_MEMBERS = 30.0
"""Mean number of series of a group: the total of a few is as noisy as they are."""
LEAST_UNITS_A_DAY, LEAST_MEDIAN_UNITS_A_DAY = 30.0, 100.0
"""Of a single group, and of the median group: below, a total is as sporadic as its SKUs and its logarithm says little."""
MONTHS_FROM_DAYS = 120
"""In a shorter history the day of the month names the day, and is not used."""
TOTALS_SHARE, TOTALS_SHARE_OF_SHORT = 0.8, 0.3
"""How far forecasts are drawn to the totals, of long and of short histories. Chosen on four windows of M5 and two weeks of
FreshRetailNet: docs/models.md has the table.
"""
MOST_SCALING = 1.5
HELD_DAYS = 28
STEADY_SHARE = 0.75
"""A series of which less of these last days is known than of others is in no total; it is scaled as its group is."""
_LEAST_KNOWN_SHARE = 0.2
"""Of what a group's listed members usually sell: where less is known of a day, its total is not."""
_FIT_HALF_LIFE_DAYS = 300.0
_LEVEL_HALF_LIFE_DAYS = 7.0
_RIDGE = 1.0
_TREND_RIDGE = 0.1


def has_totals(panel: Panel) -> bool:
    """Whether there are totals to forecast: groups of many series that sell enough, and LEAST_DAYS days of them."""
    return _grouping(panel, _held(panel)) is not None


def drawn_to_totals(panel: Panel, daily: DayQuantiles) -> DayQuantiles:
    """`daily` of all series for the days after the panel's last, scaled by group and day; quiet groups are left."""
    codes = _grouping(panel, _held(panel))
    if codes is None:
        return daily
    rows = _steady(panel)
    count, days = int(codes.max(initial=0)) + 1, daily.mean.shape[1]
    held, codes_held = panel if len(rows) == panel.n_series else panel_part(panel, rows), codes[rows]
    sold = _demand(held, codes_held, count)
    said = _summed(daily.mean[rows], codes_held, count)
    busy = (_known_mean(sold[:, -HELD_DAYS:]) >= LEAST_UNITS_A_DAY) & (said.min(axis=1) > 0)
    scaling = np.ones((count, days))
    share = TOTALS_SHARE if panel.n_days >= MONTHS_FROM_DAYS else TOTALS_SHARE_OF_SHORT
    covariates = _covariates(held, codes_held, count, panel.n_days + days)
    calendar = _calendar(panel, panel.n_days + days)
    for group in np.flatnonzero(busy):
        known_ahead = np.concatenate([calendar, *(values[group] for values in covariates)], axis=1)
        total = _total_ahead(sold[group], known_ahead, days)
        scaling[group] = np.clip((total / said[group]) ** share, 1 / MOST_SCALING, MOST_SCALING)
    of_series = scaling[codes].astype(np.float32)
    return DayQuantiles(daily.mean * of_series, daily.quantiles * of_series[:, :, None])


def _total_ahead(sold: F64, known_ahead: F64, days: int) -> F64:
    """(days,), units: weighted ridge regression of log units; the trend serves the fit alone and is not carried on."""
    past = len(sold)
    age = np.arange(past - 1, -1, -1)
    # A closed day, or one nobody heard of, is no day of low demand.
    open_days = np.nan_to_num(sold) > 0.1 * np.nanmedian(sold)
    logs = np.log(np.maximum(np.nan_to_num(sold), 0.5))
    trend = -age[:, None] / 100
    columns = np.concatenate([np.ones((past, 1)), trend, trend**2, known_ahead[:past]], axis=1)
    weight = 0.5 ** (age / _FIT_HALF_LIFE_DAYS) * open_days
    penalty = np.diag([1e-6, _TREND_RIDGE, _TREND_RIDGE, *[_RIDGE] * known_ahead.shape[1]])
    weighted = columns * weight[:, None]
    slopes = np.linalg.solve(weighted.T @ columns + penalty, weighted.T @ logs)[3:]
    left = logs - known_ahead[:past] @ slopes
    near = 0.5 ** (age / _LEVEL_HALF_LIFE_DAYS) * open_days
    level = (left * near).sum() / max(float(near.sum()), 1e-9)
    return np.asarray(np.exp(level + known_ahead[past : past + days] @ slopes))


def _calendar(panel: Panel, days: int) -> F64:
    """Weekday and, of a long history, place in the month, (days, 6 or 10)."""
    dates = [panel.day(index) for index in range(days)]
    of_week = np.eye(7)[[day.weekday() for day in dates]][:, 1:]
    turn = 2 * np.pi * np.array([day.day for day in dates]) / 30.4
    of_month = [np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
    if panel.n_days < MONTHS_FROM_DAYS:
        return of_week
    return np.concatenate([of_week, np.stack(of_month, axis=1)], axis=1)


def _covariates(panel: Panel, codes: I64, count: int, days: int) -> list[F64]:
    """Of each covariate (count or, by broadcasting, all groups; days; 3): the day, the day before and the day after.

    The mean of the members, scaled to a range of 1; what is not known is the covariate's mean.
    """
    out = []
    for values in panel.covariates.values():
        wide = np.full((len(values), days), np.nan)
        wide[:, : values.shape[1]] = values[:, :days]
        known = ~np.isnan(wide)
        if not known.any():
            continue
        usual = float(wide[known].mean())
        span = float(wide[known].max() - wide[known].min())
        away = np.where(known, wide - usual, 0) / (span or 1.0)
        if len(values) == 1:
            of_group = np.broadcast_to(away, (count, days))
        else:
            of_group = (
                _summed(away, codes, count) / np.maximum(np.bincount(codes, minlength=count), 1)[:, None]
            )
        before, after = np.zeros_like(of_group), np.zeros_like(of_group)
        before[:, 1:], after[:, :-1] = of_group[:, :-1], of_group[:, 1:]
        out.append(np.stack([of_group, before, after], axis=2))
    return out


def _held(panel: Panel) -> I64:
    return np.flatnonzero(~np.isnan(panel.units[:, -HELD_DAYS:]).all(axis=1))


def _steady(panel: Panel) -> I64:
    """Of whom the last days are known about as well as of anybody: how the others' forecasts err for want of news is no
    error of the group's.
    """
    days = (~np.isnan(panel.units[:, -HELD_DAYS:])).sum(axis=1)
    return np.flatnonzero(days >= max(1.0, STEADY_SHARE * float(days.max(initial=0))))


def _grouping(panel: Panel, held: I64) -> I64 | None:
    """The grouping with the most groups that are still large, by the series `held`; by shop alone only where no other is:
    seasons, holidays and offers are a category's. Codes of all series.
    """
    if panel.n_days < LEAST_DAYS or not len(held):
        return None
    recent = _known_mean(panel.units[held, -HELD_DAYS:])
    large = {}
    for name, codes in panel.groups.items():
        groups, place = np.unique(codes[held], return_inverse=True)
        total = np.bincount(place, recent)
        if len(held) >= LEAST_MEMBERS * len(groups) and np.median(total) >= LEAST_MEDIAN_UNITS_A_DAY:
            large[name] = len(groups)
    found = max(large, key=lambda name: (name != "store", large[name]), default=None)
    return None if found is None else panel.groups[found]


def _demand(panel: Panel, codes: I64, count: int) -> F64:
    """(count, days): units over the share of the members that was served, times the members that were listed, NaN where
    too little is known.

    A member is listed from the first day on that is known of it. Members of whom a day is unknown sell, that day, what the
    others do, by their usual levels.
    """
    known = ~np.isnan(panel.units)
    units = _summed(np.where(known, panel.units, 0), codes, count)
    if panel.served is not None:
        heard = _summed(known, codes, count)
        served = _summed(np.where(known, np.nan_to_num(panel.served), 0), codes, count)
        units = units * heard / np.maximum(served, 0.1 * heard + 1e-9)
    listed = np.maximum.accumulate(known, axis=1)
    if known[listed].all():
        return units
    usual = _known_mean(panel.units)[:, None] + 1e-6
    of_listed, of_known = _summed(listed * usual, codes, count), _summed(known * usual, codes, count)
    share = of_known / np.maximum(of_listed, 1e-9)
    return np.where(
        (share < _LEAST_KNOWN_SHARE) & (of_listed > 0), np.nan, units / np.maximum(share, _LEAST_KNOWN_SHARE)
    )


def _known_mean(values: npt.NDArray[np.floating]) -> F64:
    """Of each row's known values; 0 where none is."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0).sum(1, dtype=np.float64) / np.maximum(known.sum(1), 1))


def _summed(values: npt.NDArray[np.generic], codes: I64, count: int) -> F64:
    out = np.zeros((count, values.shape[1]))
    np.add.at(out, codes, values)
    return out
