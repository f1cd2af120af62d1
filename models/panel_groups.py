"""Sums over groups of series (a shop, a category, a SKU over all shops): their weekday, trend and season."""

import numpy as np
import numpy.typing as npt

from models.arrays import F64, I64
from models.panel import Panel

LONG_DAYS = 112
"""Sixteen weeks: over them weekday profiles and answers to covariates are estimated."""
YEAR_DAYS = 364
_YEAR_BASE_DAYS = 28
FIRST_SEASON_DAY = YEAR_DAYS + _YEAR_BASE_DAYS
"""The first evening that can look back at the season of a year ago."""


class Group:
    """One way to group the series, as seen on the evening before day `origin`."""

    def __init__(self, panel: Panel, codes: I64, sold: F64, seen: F64, origin: int) -> None:
        """sold, seen: (n_series, LONG_DAYS), units and the share of the day that was seen."""
        self.codes = codes
        self.count = int(codes.max(initial=0)) + 1
        self._order = np.argsort(codes, kind="stable")
        ordered = codes[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self._present = ordered[self._starts]
        self.sold, self.days = self.sums(sold), self.sums(seen)
        # Members that nobody has seen yet weigh nothing: a thousand new SKUs change no known one.
        self.size = np.maximum(np.bincount(codes, np.asarray(seen).any(axis=1), self.count), 1.0)
        self.year = self._year(panel, origin)

    def sums(self, values: npt.ArrayLike) -> F64:
        """(n_groups, n_columns) from (n_series, n_columns)."""
        array = np.asarray(values, dtype=np.float64)
        out = np.zeros((self.count, array.shape[1]))
        out[self._present] = np.add.reduceat(array[self._order], self._starts, axis=0)
        return out

    def recent(self, days: int) -> F64:
        """Units a day and member over the last `days`, (n_groups,)."""
        return np.asarray(self.sold[:, -days:].sum(1) / np.maximum(self.days[:, -days:].sum(1), 1))

    def weekday(self, days_ahead: int) -> F64:
        """Logarithm of that weekday's mean over the mean of all days, twelve weeks, (n_groups,)."""
        same = slice(days_ahead % 7, None, 7)
        sold, days = self.sold[:, same][:, -12:].sum(1), self.days[:, same][:, -12:].sum(1)
        mean = self.recent(84)
        return np.asarray(np.log((sold + 4 * mean + 0.01) / (days + 4) / (mean + 0.0025)))

    def _year(self, panel: Panel, origin: int) -> F64 | None:
        """A year ago: logarithm of the week around each coming day over the four weeks before; None without a year."""
        then = origin - YEAR_DAYS
        if then < _YEAR_BASE_DAYS:
            return None
        part = panel.units[:, then - _YEAR_BASE_DAYS : then + 35].astype(np.float64)
        known = ~np.isnan(part)
        # Only members that were listed all along: a new one is growth of the range, not season.
        steady = known.all(axis=1, keepdims=True) & known
        sold, days = self.sums(np.where(steady, part, 0.0)), self.sums(steady)
        base = (sold[:, :_YEAR_BASE_DAYS].sum(1) + 0.5) / (days[:, :_YEAR_BASE_DAYS].sum(1) + 0.5)
        out = np.zeros((self.count, 28))
        for ahead in range(28):
            around = slice(_YEAR_BASE_DAYS + max(ahead - 3, 0), _YEAR_BASE_DAYS + ahead + 4)
            mean = (sold[:, around].sum(1) + 4 * base) / (days[:, around].sum(1) + 4)
            out[:, ahead] = np.log(mean / base)
        return out
