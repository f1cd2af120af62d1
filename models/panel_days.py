"""Features of each coming day: its weekday, its place in month and year, and what is known of it beforehand."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import F32, F64, I64
from models.panel import Panel
from models.panel_groups import LONG_DAYS, Group

FEATURE_LIMIT = 12.0
_CALENDAR_COLUMNS, _WEEKDAY_COLUMNS = 12, 6
MONTH_COLUMNS = slice(9, 12)
"""Of day_columns: the place in the month."""
_SOFT = 0.1
_OWN_ANSWER_PRIOR = 14.0
_GROUP_ANSWER_PRIOR = 5.0
_OWN_SHARE = 0.05
"""Of a shop's pairs of SKUs and days, in how many a covariate that is the SKUs' own differs at least."""


def year_columns(groups: int) -> slice:
    """Of day_columns, with so many groups: last year's season of each group, and whether it is known."""
    first = _CALENDAR_COLUMNS + _WEEKDAY_COLUMNS + groups
    return slice(first, first + 2 * groups)


@dataclass(frozen=True, slots=True)
class Evening:
    """What is known of the series `rows` on the evening before day `origin`.

    sold, seen: (n, LONG_DAYS), units and the share of the day that was seen. level: (n,), units a day.
    """

    panel: Panel
    origin: int
    rows: I64
    sold: F64
    seen: F64
    level: F64
    groups: dict[str, Group]
    whole: "WholeRange"


@dataclass(frozen=True, slots=True)
class WholeRange:
    """All series, as answers to covariates are estimated from them.

    level: (n_series,). seen, above: (n_series, LONG_DAYS), the share that was seen; sales over the level less their mean.
    """

    level: F32
    seen: F32
    above: F32


def whole_range(sold: F64, seen: F64, level: F64) -> WholeRange:
    seen_32 = seen.astype(np.float32)
    relative = sold.astype(np.float32) / (level[:, None] + _SOFT).astype(np.float32)
    mean = relative.sum(1) / np.maximum(seen_32.sum(1), 1)
    return WholeRange(level.astype(np.float32), seen_32, relative - mean[:, None] * seen_32)


def day_columns(evening: Evening, ahead: I64) -> F32:
    """(n, len(ahead), D), finite."""
    places = {int(days) % 7 for days in ahead}
    weekly = {place: _weekday_columns(evening, place) for place in places}
    answers = [_answer(evening, values) for values in evening.panel.covariates.values()]
    out: F32 | None = None
    for place, days_ahead in enumerate(ahead.tolist()):
        columns = [*_calendar_columns(evening, days_ahead), *weekly[days_ahead % 7]]
        for group in evening.groups.values():
            year = 0.0 if group.year is None else group.year[group.codes[evening.rows], days_ahead]
            columns += [year, float(group.year is not None)]
        for answer in answers:
            columns += answer.columns(evening.origin + days_ahead)
        if out is None:
            out = np.empty((len(evening.rows), len(ahead), len(columns)), np.float32)
        for column, values in enumerate(columns):
            out[:, place, column] = np.clip(values, -FEATURE_LIMIT, FEATURE_LIMIT)
    if out is None:
        raise ValueError("ahead is empty; ask for at least one day")
    return out


def _calendar_columns(evening: Evening, days_ahead: int) -> list[npt.ArrayLike]:
    day = evening.panel.day(evening.origin + days_ahead)
    of_week = [float(day.weekday() == weekday) for weekday in range(7)]
    of_month = [(day.day - 15) / 15, max(0.0, 1 - (day.day - 1) / 5), max(0.0, 1 - (31 - day.day) / 5)]
    return [days_ahead / 28, np.log1p(days_ahead), *of_week, *of_month]


def _weekday_columns(evening: Evening, place: int) -> list[npt.ArrayLike]:
    """Own weekday over 8 and 16 weeks, the same weekday of each of the last four weeks, and the groups' weekday."""
    sold, seen, level = evening.sold, evening.seen, evening.level
    columns: list[npt.ArrayLike] = []
    for weeks in (8, 16):
        same = slice(place, None, 7)
        units, count = sold[:, same][:, -weeks:].sum(1), seen[:, same][:, -weeks:].sum(1)
        mean = (sold[:, -7 * weeks :].sum(1) + level) / (seen[:, -7 * weeks :].sum(1) + 1)
        columns.append(np.log((units + 2 * mean + _SOFT) / (count + 2) / (mean + _SOFT / 2)))
    for weeks in (1, 2, 3, 4):
        day = LONG_DAYS - 7 * weeks + place
        columns.append(np.log((sold[:, day] + (1 - seen[:, day]) * level + _SOFT) / (level + _SOFT)))
    columns += [group.weekday(place)[group.codes[evening.rows]] for group in evening.groups.values()]
    return columns


@dataclass(frozen=True, slots=True)
class _Answer:
    """One covariate: values away from their usual, in units of their spread, and how demand answered to that.

    away: (n or 1, known days). slopes: of the series itself and of each group, (n,), share of the level per spread.
    last_week: (n or 1,), mean of `away` over the seven days before the evening: what recent sales are inflated by.
    plain: as `away`, but from the mean of all series: an offer of a fifth is one, also where it is usual. 0 of what a
    whole shop shares: its plain weather would name the day, and that day's sales would be learned by heart.
    """

    away: F64
    known: npt.NDArray[np.bool_]
    slopes: tuple[F64, ...]
    origin: int
    last_week: F64
    plain: F64

    def columns(self, day: int) -> list[npt.ArrayLike]:
        here = self._at(self.away, day)
        known = self._at(self.known, day)
        # What the same weekday of the last week that is over was like: its sales stand beside it among the columns.
        same_weekday = day - 7 * (1 + (day - self.origin) // 7)
        return [
            here,
            self._at(self.away, day - 1),
            self._at(self.away, day + 1),
            known,
            self._at(self.away, same_weekday),
            self.last_week,
            self._at(self.plain, day),
            *(s * here for s in self.slopes),
        ]

    def _at(self, values: npt.NDArray[np.generic], day: int) -> F64:
        if not 0 <= day < values.shape[1]:
            return np.zeros(len(values))
        return np.asarray(values[:, day], dtype=np.float64)


def _answer(evening: Evening, covariate: F32) -> _Answer:
    """Answers are estimated over all series, whichever are asked for, so that training sees what serving sees."""
    past, usual = _away_from_usual(covariate, evening.origin)
    whole = evening.whole
    met = whole.seen.any(axis=1)
    # Of series that were seen: of new ones nothing is known, which is no steadiness.
    steady = past[met] if len(past) > 1 and met.any() else past
    spread = float(np.sqrt((steady**2).mean())) + 1e-3
    past /= np.float32(spread)
    together = np.einsum("ij,ij->i", np.broadcast_to(past, whole.above.shape), whole.above)
    # A day that was seen in part tells its part: `above` has its share in it already.
    alone = whole.seen @ past[0] ** 2 if len(past) == 1 else np.einsum("ij,ij->i", past**2, whole.seen)
    slopes = [(together / (alone + _OWN_ANSWER_PRIOR))[evening.rows]]
    weight = whole.level + _SOFT
    usual_weight = weight[met].mean() if met.any() else weight.mean()
    for group in evening.groups.values():
        of_group = np.bincount(group.codes, together * weight, group.count)
        evidence = np.bincount(group.codes, alone * weight, group.count) + _GROUP_ANSWER_PRIOR * usual_weight
        slopes.append((of_group / evidence)[group.codes[evening.rows]])
    rows = evening.rows if len(covariate) > 1 else np.zeros(1, np.int64)
    away = (covariate[rows] - usual[rows, None]) / spread
    known = ~np.isnan(away)
    away = np.nan_to_num(away)
    week = away[:, max(0, evening.origin - 7) : evening.origin]
    last_week = week.sum(axis=1) / max(1, week.shape[1])
    return _Answer(away, known, tuple(slopes), evening.origin, last_week, _plain(evening, covariate, rows))


def _plain(evening: Evening, covariate: F32, rows: I64) -> F64:
    """(n or 1, known days), from the mean of all that was known of the last LONG_DAYS, in units of its spread; 0 unknown."""
    if not differs_within_shops(covariate, evening.panel.groups.get("store")):
        return np.zeros((1, covariate.shape[1]))
    past = covariate[:, max(0, evening.origin - LONG_DAYS) : evening.origin]
    known = ~np.isnan(past)
    count = max(int(known.sum()), 1)
    mean = float(np.where(known, past, 0).sum(dtype=np.float64)) / count
    spread = float(np.sqrt(np.where(known, (past - mean) ** 2, 0).sum(dtype=np.float64) / count)) + 1e-3
    return np.asarray(np.nan_to_num((covariate[rows] - mean) / spread), dtype=np.float64)


def differs_within_shops(covariate: F32, store_of: I64 | None) -> bool:
    """Whether it is the SKUs' own, a price or an offer, on all the days that are known; not a shop's, such as its weather."""
    if len(covariate) < 2:
        return False
    order = np.arange(len(covariate)) if store_of is None else np.argsort(store_of, kind="stable")
    values = covariate[order]
    if store_of is not None:
        same = np.diff(store_of[order]) == 0
        first, second = values[:-1][same], values[1:][same]
    else:
        first, second = values[:-1], values[1:]
    known = ~np.isnan(first) & ~np.isnan(second)
    return bool((known & (first != second)).sum() > _OWN_SHARE * known.sum())


def _away_from_usual(covariate: F32, origin: int) -> tuple[F32, F32]:
    """The last LONG_DAYS less the mean of the last 28, 0 where unknown; and that mean, 0 where never known."""
    first = max(0, origin - LONG_DAYS)
    past = np.pad(
        covariate[:, first:origin], ((0, 0), (LONG_DAYS - origin + first, 0)), constant_values=np.nan
    )
    known = ~np.isnan(past)
    count = np.maximum(known[:, -28:].sum(1), 1)
    usual = (np.where(known[:, -28:], past[:, -28:], 0).sum(1) / count).astype(np.float32)
    return np.where(known, past - usual[:, None], np.float32(0)), usual
