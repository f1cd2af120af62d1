"""What would have been sold: demand of days on which the shelf was empty for some hours.

A day's demand is Poisson about a rate that is gamma about the expected mean (together negative binomial), and spreads
over the hours by a profile. Seeing the sales of the hours that were served updates the rate; what the other hours would
have sold is their share of it. Dividing sales by the served share, as is often done, takes each lucky hour for the rule.
"""

import numpy as np
import numpy.typing as npt

from models.arrays import F64, row_sum

_PROFILE_PRIOR_UNITS = 50.0
_HALF_LIFE_DAYS = 14.0
_PRIOR_UNITS, _PRIOR_DAYS = 0.1, 0.25
"""What a SKU sells a day of which nothing was ever served."""
_PRIOR_WEEKDAYS = 2.0
_PRIOR_DISPERSION, _PRIOR_DISPERSION_DAYS = 0.5, 7.0


def hour_profile(
    units: npt.ArrayLike, served: npt.ArrayLike, group: npt.NDArray[np.int64] | None = None
) -> F64:
    """Share of a day's demand in each hour, (n_series, 24), each row summing to 1.

    units: (n_series, n_days, 24). served: same shape, whether the hour could sell. Each series' profile is drawn to its
    group's as by 50 units, and the group's to everyone's.
    """
    sold = np.asarray(units, dtype=np.float64)
    counted = np.asarray(served, dtype=np.float64)
    # Only days served from the first hour to the last: else the hours that sell out first would seem quiet.
    whole = counted.min(axis=2, keepdims=True)
    by_hour = (sold * whole).sum(axis=1)
    everyone = (by_hour.sum(axis=0) + 1) / (by_hour.sum() + 24)
    codes = np.zeros(len(sold), dtype=np.int64) if group is None else group
    of_group = np.zeros((int(codes.max(initial=0)) + 1, 24))
    np.add.at(of_group, codes, by_hour)
    of_group = _drawn(of_group, everyone[None, :])
    return _drawn(by_hour, of_group[codes])


def recovered_units(
    sold: npt.ArrayLike, served_share: npt.ArrayLike, expected: npt.ArrayLike, dispersion: npt.ArrayLike
) -> F64:
    """Expected demand of each day given what the served hours sold; never below `sold`.

    sold: units sold. served_share: of the day's profile, 0 to 1. expected, dispersion: the day's forecast, units, and
    (variance - mean) / mean**2. All of one shape. Source: gamma-Poisson conjugacy, e.g. Gelman et al. 2013, section 2.6.
    """
    units, share = (
        np.asarray(sold, dtype=np.float64),
        np.clip(np.asarray(served_share, dtype=np.float64), 0, 1),
    )
    mean = np.maximum(np.asarray(expected, dtype=np.float64), 1e-6)
    shape = 1 / np.maximum(np.asarray(dispersion, dtype=np.float64), 1e-3)
    rate = mean * (shape + units) / (shape + mean * share)
    return np.asarray(units + (1 - share) * rate)


def recovered_history(history: npt.ArrayLike, served_share: npt.ArrayLike) -> F64:
    """Demand of each day, (n_sku, n_days): what sold where all was served, else what is expected given what sold.

    history: units, NaN unknown, the last column is the newest day. served_share: of the day's demand, 0 to 1; 1 is all.
    A day's expectation is the SKU's level on that weekday, units over days served, so that a SKU that is sold out every
    evening has a level as well: where a shelf is emptied by its sales, sales over exposure do not favour either
    (they are a stopped count). The days nearby weigh more, half as much a fortnight away.
    """
    units = np.asarray(history, dtype=np.float64)
    share = np.clip(np.asarray(served_share, dtype=np.float64), 0, 1)
    cut = share < 1
    touched = np.flatnonzero(cut.any(axis=1))
    if not len(touched):
        return units
    out = units.copy()
    out[touched] = _recovered_rows(units[touched], share[touched])
    return out


def _recovered_rows(units: F64, share: F64) -> F64:
    known = ~np.isnan(units)
    sold, seen = np.where(known, units, 0.0), np.where(known, share, 0.0)
    age = np.arange(units.shape[1] - 1, -1, -1, dtype=np.float64)
    weight = 0.5 ** (age / _HALF_LIFE_DAYS)
    level = (row_sum(sold * weight) + _PRIOR_DAYS * _PRIOR_UNITS) / (row_sum(seen * weight) + _PRIOR_DAYS)
    expected = np.empty_like(units)
    for weekday in range(min(7, units.shape[1])):
        same = slice(weekday, None, 7)
        of_weekday = (row_sum(sold[:, same]) + _PRIOR_WEEKDAYS * level) / (
            row_sum(seen[:, same]) + _PRIOR_WEEKDAYS
        )
        expected[:, same] = of_weekday[:, None]
    served = expected * seen
    excess = np.where(known, (sold - served) ** 2 - served, 0.0)
    days, squares = row_sum(known), row_sum(served**2)
    # Moments: var(sold) = served + a * served**2, drawn to the prior as by a week's evidence.
    usual = squares / np.maximum(days, 1)
    moment = np.clip(row_sum(excess) / np.maximum(days * np.maximum(usual, 4e-4), 1e-9), 0, 20)
    dispersion = (moment * days + _PRIOR_DISPERSION * _PRIOR_DISPERSION_DAYS) / (
        days + _PRIOR_DISPERSION_DAYS
    )
    found = recovered_units(sold, share, expected, np.broadcast_to(dispersion[:, None], units.shape))
    return np.asarray(np.where(known & (share < 1), found, units))


def _drawn(by_hour: F64, prior: F64) -> F64:
    total = by_hour.sum(axis=1, keepdims=True)
    return np.asarray((by_hour + _PROFILE_PRIOR_UNITS * prior) / (total + _PROFILE_PRIOR_UNITS))
