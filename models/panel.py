"""A chain's daily sales with what is known of each day beforehand: what the centre's heavy model learns from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from models.arrays import F32, I64


@dataclass(frozen=True, slots=True)
class Panel:
    """Series (a SKU in a shop) by days, from first_day on.

    units: (n_series, n_days), units sold, NaN unknown: not listed yet, closed, nothing heard.
    served: (n_series, n_days), the share of a usual day's demand that the shelf could serve, 0 to 1; below 1 the
    sales are a lower bound of demand. None: 1 wherever units are known.
    covariates: name -> (n_series, n_known_days) or (1, n_known_days), n_known_days >= n_days: prices, offers, holidays,
    weather, known beforehand; NaN unknown.
    groups: name -> code of each series, such as its shop, its SKU over all shops, its category in its shop; from the
    widest to the narrowest.
    """

    first_day: date
    units: F32
    served: F32 | None = None
    covariates: Mapping[str, F32] = field(default_factory=dict)
    groups: Mapping[str, I64] = field(default_factory=dict)

    @property
    def n_series(self) -> int:
        return int(self.units.shape[0])

    @property
    def n_days(self) -> int:
        return int(self.units.shape[1])

    def day(self, index: int) -> date:
        return self.first_day + timedelta(days=index)

    def demand(self, first: int, last: int) -> F32:
        """Units of the days first..last-1 on which all demand was served, NaN on others."""
        units = self.units[:, first:last]
        if self.served is None:
            return units
        return np.where(self.served[:, first:last] >= 1, units, np.float32(np.nan))

    def before(self, day: int) -> "Panel":
        """What is known on the evening before day number `day`: covariates stay known ahead."""
        served = None if self.served is None else self.served[:, :day]
        return replace(self, units=self.units[:, :day], served=served)
