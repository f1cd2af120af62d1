"""A heavy model's folder from a chain's sales: fitted, scored on days it did not see, saved with its card."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from models.errors import TrainingDataError
from models.panel import Panel
from models.panel_features import FEATURES_VERSION
from models.quantile_network import DAY_LEVELS
from models.training.card import card_text, draw_pictures, intervals
from models.training.evenings import DayMethod, Interval, Scored, evenings_from, scored_evenings
from models.training.heavy import day_forecast
from models.training.heavy_files import (
    CARD_FILE,
    HeavyManifest,
    HeldOutScore,
    learned_by,
    networks_bytes,
    save_heavy,
)
from models.training.heavy_scores import LIMITS, peers
from models.training.heavy_training import Recipe, Say, draw_examples, train_heavy
from models.training.panel_table import PanelTable, panel_from_tables
from models.training.workers import Workers

SCORED_DAYS = 14
HELD_OUT_DAYS = 28


@dataclass(frozen=True, slots=True)
class HeavyPlan:
    """source: what the card says the sales came from. test_from: the first day held out; None is 28 days before the end."""

    source: str
    test_from: date | None
    recipe: Recipe


def panel_of(history: pa.Table, say: Say) -> PanelTable:
    """The panel of a table of sales; every column that could be known ahead counts as known."""
    table = panel_from_tables(history, history.slice(0, 0), 0)
    panel = table.panel
    say(f"{panel.n_series} series x {panel.n_days} days, {panel.first_day} to {panel.day(panel.n_days - 1)}")
    for line in table.cleaned.lines():
        say(f"cleaned: {line}")
    return table


def first_held_out(panel: Panel, test_from: date | None) -> int:
    """Number of the first day that is scored. Raises TrainingDataError when too few days lie before or after it."""
    day = panel.n_days - HELD_OUT_DAYS if test_from is None else (test_from - panel.first_day).days
    if day < HELD_OUT_DAYS:
        raise TrainingDataError(
            f"{max(day, 0)} days lie before the held-out ones; at least {HELD_OUT_DAYS} are needed: give more history or a"
            " later --test-from"
        )
    evenings_from(panel, day, SCORED_DAYS)
    return day


def build_heavy(folder: Path, panel: Panel, plan: HeavyPlan, say: Say, workers: Workers) -> HeavyManifest:
    """Fits on the days before the held-out ones and writes networks.npz, model.json, CARD.md and its pictures."""
    first = first_held_out(panel, plan.test_from)
    past = panel.before(first)
    examples = draw_examples(past, plan.recipe, say, workers)
    drawn = len(examples.units)
    model = train_heavy(past, plan.recipe, say, examples, workers)
    del examples
    methods: dict[str, DayMethod] = {
        folder.name: lambda known, days: day_forecast(model, known, days, workers=workers)
    }
    say("scoring on the days it has not seen")
    scored = score_methods(panel, first, methods | peers(workers, plan.recipe.partitions), say)
    scores = intervals(scored)
    content = networks_bytes(model.networks)
    manifest = HeavyManifest(
        features_version=FEATURES_VERSION,
        source=plan.source,
        first_day=past.first_day.isoformat(),
        last_day=past.day(past.n_days - 1).isoformat(),
        series=past.n_series,
        examples=drawn,
        covariates=list(panel.covariates),
        groups=list(panel.groups),
        horizon_days=plan.recipe.draw.horizon_days,
        quantile_levels=list(DAY_LEVELS),
        spreads=[list(spread) for spread in model.spreads],
        correlations=list(model.correlations),
        newcomer_spread=model.newcomers.spread,
        newcomer_correlation=model.newcomers.correlation,
        partitions=plan.recipe.partitions,
        recipe={name: str(getattr(plan.recipe, name)) for name in ("draw", "fit", "trees")},
        networks_sha256=hashlib.sha256(content).hexdigest(),
        trees_sha256=None if model.trees is None else hashlib.sha256(model.trees.content).hexdigest(),
        trees_share=0.0 if model.trees is None else model.trees.share,
        held_out_first_day=panel.day(first).isoformat(),
        held_out_last_day=panel.day(panel.n_days - 1).isoformat(),
        held_out=[
            HeldOutScore(method=method, measure=measure, value=each.value, low=each.low, high=each.high)
            for method, of_method in scores.items()
            for measure, each in of_method.items()
        ],
    )
    save_heavy(folder, content, model.trees, manifest)
    write_card(folder, folder.name, learned_by(manifest), scored, scores, panel, first, methods[folder.name])
    return manifest


def score_methods(
    panel: Panel, first: int, methods: Mapping[str, DayMethod], say: Say | None = None
) -> dict[str, Scored]:
    """On evenings a week apart from day number `first` on, 14 days each."""
    return scored_evenings(panel, evenings_from(panel, first, SCORED_DAYS), SCORED_DAYS, dict(methods), say)


def write_card(
    folder: Path,
    name: str,
    learned: Mapping[str, str],
    scored: Mapping[str, Scored],
    scores: Mapping[str, Mapping[str, Interval]],
    panel: Panel,
    first: int,
    method: DayMethod,
    limits: tuple[str, ...] = LIMITS,
) -> None:
    """CARD.md and three pictures in `folder`, made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_FILE).write_text(card_text(name, learned, scores, limits), encoding="utf-8")
    draw_pictures(folder, name, scored, panel, first, method(panel.before(first), SCORED_DAYS))
