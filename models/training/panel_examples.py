"""Training rows of the heavy model: what was known on an evening, and what was asked for on a later day."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import F32, I64
from models.errors import TrainingDataError
from models.panel import Panel
from models.panel_days import MONTH_COLUMNS, year_columns
from models.panel_features import features_at
from models.panel_groups import FIRST_SEASON_DAY
from models.quantile_network import joined_rows
from models.training.hidden_history import as_if_new

Progress = Callable[[int, int], None]
"""(done, of how many)."""
_FIRST_ORIGIN_DAY = 14
_DAYS_A_ORIGIN = 8
"""Many evenings and many days ahead of each, few series: all series share a day's weather, and learn it by heart."""
_BUSY_POWER = 0.4
"""Busy series are drawn more often, by this power of their level: they are few, and most units are theirs."""
_YOUNG_SHARE = 0.04
_DAYS_OF_NEW = 14
"""Of young series are shown with no day at all, as against 1 to 28 days each: a third is as new as a SKU can be."""
_LEAST_SEASON_SHARE = 0.25
"""Of the evenings that can look back at last year's season. Where few can, and those are the last, a network learns that
season's weeks for a rule, and all forecasts would be made by it: then nobody looks back.
"""
_MONTHS_FROM_DAYS = 120
"""In a shorter history the day of the month names the day: what is learned of it is that day's weather."""


@dataclass(frozen=True, slots=True)
class PanelExamples:
    """rows: (n, S + D), not standardised. units: (n,). level, scale: (n,), of models.panel_features.Features.

    day: (n,), number of the day in the panel on which the units sold. is_new: (n,), whether nothing of the series was shown.
    """

    rows: F32
    units: F32
    level: F32
    scale: F32
    day: I64
    is_new: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Draw:
    """What to draw. rows: examples in all, about. past_days: how far back evenings reach. evenings: at most so many."""

    rows: int = 3_000_000
    past_days: int = 290
    evenings: int = 100
    horizon_days: int = 28
    seed: int = 1


def panel_examples(panel: Panel, draw: Draw, progress: Progress) -> PanelExamples:
    """Examples over evenings from `past_days` back to the last but one; days ahead are drawn at random.

    Only days on which all demand was served are targets. One in twenty-five series is shown as if it were new.
    Raises TrainingDataError when the panel has too few days or no demand that was served.
    """
    random = np.random.default_rng(draw.seed)
    evenings = _evenings(panel.n_days, draw)
    each = max(1, draw.rows // (len(evenings) * _DAYS_A_ORIGIN))
    parts = []
    seasons = (evenings >= FIRST_SEASON_DAY).mean() >= _LEAST_SEASON_SHARE
    for place, origin in enumerate(evenings):
        part = _examples_at(panel, int(origin), each, draw, random, seasons=bool(seasons))
        if part is not None:
            parts.append(part)
        progress(place + 1, len(evenings))
    if not parts or sum(len(part.units) for part in parts) < 100:
        raise TrainingDataError(
            f"only {sum(len(part.units) for part in parts)} examples in {panel.n_series} series x {panel.n_days} days;"
            " at least 100 are needed: give more history"
        )
    return joined_examples(parts)


def joined_examples(parts: list[PanelExamples]) -> PanelExamples:
    return PanelExamples(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.units for part in parts]),
        np.concatenate([part.level for part in parts]),
        np.concatenate([part.scale for part in parts]),
        np.concatenate([part.day for part in parts]),
        np.concatenate([part.is_new for part in parts]),
    )


def _evenings(n_days: int, draw: Draw) -> I64:
    first = max(min(_FIRST_ORIGIN_DAY, n_days // 2), n_days - draw.past_days)
    every = np.arange(first, n_days)
    if not len(every):
        raise TrainingDataError(f"{n_days} days of history; at least 2 are needed: give more history")
    step = max(1, -(-len(every) // draw.evenings))
    return every[::-1][::step][::-1]


def _examples_at(
    panel: Panel, origin: int, each: int, draw: Draw, random: np.random.Generator, *, seasons: bool
) -> PanelExamples | None:
    longest = min(draw.horizon_days, panel.n_days - origin)
    ahead = np.sort(random.choice(longest, size=min(_DAYS_A_ORIGIN, longest), replace=False)).astype(np.int64)
    wanted = panel.demand(origin, origin + longest)[:, ahead]
    candidates = np.flatnonzero(~np.isnan(wanted).all(axis=1))
    if not len(candidates):
        return None
    recent = np.nan_to_num(panel.units[candidates, max(0, origin - 56) : origin])
    chance = (
        (recent.mean(axis=1, dtype=np.float64) + 0.1) ** _BUSY_POWER if origin else np.ones(len(candidates))
    )
    size = min(each, len(candidates))
    places = np.sort(random.choice(len(candidates), size=size, replace=False, p=chance / chance.sum()))
    rows = candidates[places].astype(np.int64)
    # A new SKU is as seldom a busy one as any: among those drawn, the quiet ones stand for more.
    drawn_less = 1 / chance[places]
    young = rows[random.random(len(rows)) < np.minimum(_YOUNG_SHARE * drawn_less / drawn_less.mean(), 0.5)]
    remembered = np.maximum(random.integers(-_DAYS_OF_NEW, 29, len(young)), 0)
    shown = as_if_new(panel, origin, young, np.minimum(remembered, origin), random.random(len(young)) < 0.5)
    features = features_at(shown, origin, ahead, rows)
    if panel.n_days < _MONTHS_FROM_DAYS:
        features.of_day[:, :, MONTH_COLUMNS] = 0
    if not seasons:
        features.of_day[:, :, year_columns(len(panel.groups))] = 0
    units = wanted[rows]
    known = ~np.isnan(units)
    flat = joined_rows(features.of_series, features.of_day).reshape(*units.shape, -1)
    return PanelExamples(
        flat[known],
        np.maximum(units[known], 0),
        np.broadcast_to(features.level[:, None], units.shape)[known],
        np.broadcast_to(features.scale[:, None], units.shape)[known],
        np.broadcast_to(origin + ahead, units.shape)[known],
        np.broadcast_to(features.is_new[:, None], units.shape)[known],
    )
