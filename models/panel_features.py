"""Features of the heavy model: one implementation for its training and for its forecasts.

For each evening (origin) two blocks: `of_series` (n, S) and `of_day` (n, days, D). Levels enter as logarithms and as
ratios to the series' own level. A day that was partly sold out counts with the share that was served: its sales are
part of the sum, its share part of the count.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import F32, F64, I64
from models.panel import Panel
from models.panel_days import FEATURE_LIMIT, Evening, day_columns, whole_range
from models.panel_groups import LONG_DAYS, YEAR_DAYS, Group
from models.panel_moves import MOVES_DAYS, Moves, moves_of

FEATURES_VERSION = 4
"""Another number whenever a column changes: a saved model must not be asked with other columns than it learned from."""
HALF_LIVES_DAYS = (3.5, 10.0, 28.0, 80.0)
_MEAN_DAYS = (7, 14, 28, 56, 112)
_WEIGHED_HALF_LIVES_DAYS, _WHOLE_HALF_LIVES_DAYS = (3.5, 7.0, 14.0, 40.0), (7.0, 21.0)
_LEVEL_HALF_LIFE_DAYS = 28.0
_PRIOR_DAYS = 2.0
_SOFT = 0.1

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Features:
    """level: (n,), units a day, > 0: what forecasts are relative to. scale: (n,), mean absolute change from day to day.

    is_new: (n,), whether nothing was seen of the series so far.
    """

    of_series: F32
    of_day: F32
    level: F32
    scale: F32
    is_new: Flags


def features_at(panel: Panel, origin: int, ahead: I64, rows: I64) -> Features:
    """Features of the series `rows` on the evening before day `origin`, for the days origin + ahead (0 to 27)."""
    first = max(0, origin - LONG_DAYS)
    units = _padded(panel.units[:, first:origin])
    known = ~np.isnan(units)
    seen = known.astype(np.float64)
    if panel.served is not None:
        seen *= np.nan_to_num(_padded(panel.served[:, first:origin]))
    sold = np.where(known, units, 0.0)
    groups = {name: Group(panel, codes, sold, seen, origin) for name, codes in panel.groups.items()}
    prior = _prior_level(groups, sold, seen)
    moves = moves_of(groups, sold, seen)
    everything = whole_range(sold, seen, _level(sold, seen, _LEVEL_HALF_LIFE_DAYS, prior))
    sold, seen = sold[rows], seen[rows]
    level = _level(sold, seen, _LEVEL_HALF_LIFE_DAYS, prior[rows])
    evening = Evening(panel, origin, rows, sold, seen, level, groups, everything)
    year = _year_mean(evening)
    whole = seen >= 1
    both = whole[:, -83:] & whole[:, -84:-1]
    change = np.where(both, np.abs(np.diff(sold[:, -84:], axis=1)), 0).sum(1)
    scale = (change + level) / (both.sum(1) + 1)
    return Features(
        _bounded(
            np.concatenate(
                [_series_columns(evening, whole, year), _moves_columns(evening, whole, moves)], axis=1
            )
        ),
        day_columns(evening, ahead),
        level.astype(np.float32),
        scale.astype(np.float32),
        np.asarray(~(seen > 0).any(axis=1)),
    )


def unseen(panel: Panel) -> Flags:
    """(n_series,): whether the last LONG_DAYS days tell nothing of the series."""
    seen = ~np.isnan(panel.units[:, -LONG_DAYS:])
    if panel.served is not None:
        seen &= np.nan_to_num(panel.served[:, -LONG_DAYS:]) > 0
    return np.asarray(~seen.any(axis=1))


def _series_columns(evening: Evening, whole: Flags, year: F64) -> F64:
    sold, seen, level = evening.sold, evening.seen, evening.level

    def ratio(mean: F64) -> F64:
        return np.asarray(np.log((mean + _SOFT) / (level + _SOFT)))

    columns = [np.log(level)]
    columns += [ratio(_level(sold, seen, days, level)) for days in HALF_LIVES_DAYS]
    columns += [ratio((sold[:, -d:].sum(1) + level / 2) / (seen[:, -d:].sum(1) + 0.5)) for d in _MEAN_DAYS]
    columns.append(ratio(year))
    columns += [ratio(sold[:, -lag] + (1 - seen[:, -lag]) * level) for lag in range(1, 8)]
    columns += [*_sporadic(sold, whole, level)]
    for days in (28, 112):
        part, counted = sold[:, -days:], whole[:, -days:]
        count = np.maximum(counted.sum(1), 1)
        mean = np.where(counted, part, 0).sum(1) / count
        variance = np.where(counted, (part - mean[:, None]) ** 2, 0).sum(1) / count
        columns.append(np.log((variance + 0.5 * mean + 0.05) / (mean + 0.05)))
    both = whole[:, -55:] & whole[:, -56:-1]
    change = np.where(both, np.abs(np.diff(sold[:, -56:], axis=1)), 0).sum(1) / np.maximum(both.sum(1), 1)
    columns += [ratio(change), ratio(sold[:, -28:].max(1))]
    listed = seen > 0
    columns.append(np.log1p(np.where(listed.any(1), LONG_DAYS - np.argmax(listed, 1), 0)))
    columns += [seen[:, -d:].mean(1) for d in (1, 7, 28, 112)]
    for group in evening.groups.values():
        columns += _group_columns(group, group.codes[evening.rows], level)
    return np.stack(columns, axis=1)


def _moves_columns(evening: Evening, whole: Flags, moves: Moves) -> F64:
    """The own level by days that count what they were worth, of all days and of whole ones; what groups sold of late."""
    level, rows = evening.level, evening.rows
    sold, whole = evening.sold[:, -MOVES_DAYS:], whole[:, -MOVES_DAYS:]
    worth = evening.seen[:, -MOVES_DAYS:] * moves.worth[moves.codes[rows]]
    age = np.arange(MOVES_DAYS - 1, -1, -1)
    columns = []
    for lives, units, days in (
        (_WEIGHED_HALF_LIVES_DAYS, sold, worth),
        (_WHOLE_HALF_LIVES_DAYS, sold * whole, worth * whole),
    ):
        for half_life in lives:
            weight = 0.5 ** (age / half_life)
            mean = (units @ weight + _PRIOR_DAYS * level) / (days @ weight + _PRIOR_DAYS)
            columns.append(np.log((mean + _SOFT) / (level + _SOFT)))
    lately = [moves.lately[name][group.codes[rows]] for name, group in evening.groups.items()]
    return np.concatenate([np.stack(columns, axis=1), *lately], axis=1)


def _sporadic(sold: F64, whole: Flags, level: F64) -> list[F64]:
    """Share of selling days, units of a selling day, and days seen since the last sale."""
    selling = sold > 0
    shares = [(selling & whole)[:, -d:].sum(1) / np.maximum(whole[:, -d:].sum(1), 1) for d in (28, 112)]
    basket = (sold.sum(1) + 1) / (selling.sum(1) + 1)
    last = np.where(selling, np.arange(LONG_DAYS), -1).max(1)
    since = np.arange(LONG_DAYS)[None, :] > last[:, None]
    quiet = (whole & since).sum(1)
    return [*shares, np.log(basket), np.log1p(quiet), np.log1p(quiet * np.minimum(level, 5))]


def _group_columns(group: Group, code: I64, level: F64) -> list[F64]:
    week, month, long = (group.recent(days)[code] for days in (7, 28, 112))
    silent = group.sold[:, -3:].sum(1) <= 0
    soft = 0.02
    return [
        np.log((week + soft) / (month + soft)),
        np.log((month + soft) / (long + soft)),
        np.log((month + soft) / (level + soft)),
        silent[code].astype(np.float64),
        # Whole steps: a group grows by a few members between training and serving, and a network is not to follow that.
        np.rint(np.log(group.size[code])),
    ]


def _year_mean(evening: Evening) -> F64:
    year = evening.panel.demand(max(0, evening.origin - YEAR_DAYS), evening.origin)[evening.rows]
    known = ~np.isnan(year)
    mean = np.where(known, year, 0).sum(1, dtype=np.float64) / np.maximum(known.sum(1), 1)
    return np.asarray(np.where(known.any(1), mean, evening.level))


def _prior_level(groups: dict[str, Group], sold: F64, seen: F64) -> F64:
    """What a series with no history is taken to sell: the mean of its narrowest group with a history, else of all."""
    out = np.full(len(sold), sold[:, -28:].sum() / max(float(seen[:, -28:].sum()), 1.0))
    for group in groups.values():
        enough = group.days[:, -28:].sum(1) >= 28
        out = np.where(enough[group.codes], group.recent(28)[group.codes], out)
    return np.asarray(np.maximum(out, 0.02))


def _level(sold: F64, seen: F64, half_life_days: float, prior: F64) -> F64:
    """Units a day with that half-life, drawn to `prior` as by two days' evidence."""
    weight = 0.5 ** (np.arange(LONG_DAYS - 1, -1, -1) / half_life_days)
    return np.asarray(np.maximum((sold @ weight + _PRIOR_DAYS * prior) / (seen @ weight + _PRIOR_DAYS), 2e-3))


def _padded(values: F32) -> F64:
    missing = LONG_DAYS - values.shape[1]
    return np.pad(values.astype(np.float64), ((0, 0), (missing, 0)), constant_values=np.nan)


def _bounded(values: F64) -> F32:
    return np.asarray(np.clip(np.nan_to_num(values), -FEATURE_LIMIT, FEATURE_LIMIT), dtype=np.float32)
