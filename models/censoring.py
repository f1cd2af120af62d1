"""What would have been sold: demand of days on which the shelf was empty for some hours.

A day's demand is Poisson about a rate that is gamma about the expected mean (together negative binomial), and spreads
over the hours by a profile. Seeing the sales of the hours that were served updates the rate; what the other hours would
have sold is their share of it. Dividing sales by the served share, as is often done, takes each lucky hour for the rule.
"""

import numpy as np
import numpy.typing as npt

from models.arrays import F64

_PROFILE_PRIOR_UNITS = 50.0


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


def _drawn(by_hour: F64, prior: F64) -> F64:
    total = by_hour.sum(axis=1, keepdims=True)
    return np.asarray((by_hour + _PROFILE_PRIOR_UNITS * prior) / (total + _PROFILE_PRIOR_UNITS))
