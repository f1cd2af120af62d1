"""What people see of roll-outs: how far they are, what shops said, and how the bundles score."""

from collections import Counter
from typing import Any

from sqlalchemy.engine import Connection

from central.core.rollout import Score, advice_on, is_in
from central.ledger import rollout_rows
from central.ledger.rollout_rows import MAX_REASONS
from central.rollouts import REFUSALS
from contract.api.rollouts import (
    BundleView,
    RolloutMode,
    RolloutState,
    RolloutStore,
    RolloutView,
    ScoreDay,
    ScoreView,
)
from contract.records import QUANTILE_LEVELS

WAITING = "waiting"
MAX_DAYS = 60


def bundle_view(row: Any) -> BundleView:
    return BundleView(
        sha256=row.sha256, name=row.name, size_bytes=row.size_bytes, who=row.who, created_ms=row.created_ms
    )


def rollout_views(connection: Connection) -> list[RolloutView]:
    """Newest first."""
    stores = rollout_rows.all_stores(connection)
    return [_view(connection, row, stores) for row in reversed(rollout_rows.rollout_rows(connection))]


def rollout_view(connection: Connection, number: int) -> RolloutView | None:
    row = rollout_rows.rollout_row(connection, number)
    return None if row is None else _view(connection, row, rollout_rows.all_stores(connection))


def rollout_stores(connection: Connection, number: int) -> list[RolloutStore] | None:
    """Each store in the roll-out's share, those with trouble first."""
    row = rollout_rows.rollout_row(connection, number)
    if row is None:
        return None
    rollout = rollout_rows.rollout_from(row)
    news = rollout_rows.news_of(connection, row.sha256, row.created_ms)
    found = []
    for store in rollout_rows.all_stores(connection):
        if is_in(rollout, store):
            said = news.get(store)
            found.append(
                RolloutStore(
                    store=store, state=said.state if said else WAITING, reason=said.reason if said else "",
                    at_ms=said.at_ms if said else None,
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: (one.state not in REFUSALS, one.state != WAITING, one.store))


def _view(connection: Connection, row: Any, stores: list[str]) -> RolloutView:
    rollout = rollout_rows.rollout_from(row)
    inside = [store for store in stores if is_in(rollout, store)]
    news = rollout_rows.news_of(connection, row.sha256, row.created_ms)
    states = Counter(news[store].state if store in news else WAITING for store in inside)
    refused = sorted(
        (news[store] for store in inside if store in news and news[store].state in REFUSALS),
        key=lambda said: -said.at_ms,
    )
    rows = rollout_rows.score_rows(connection, row.sha256)
    current, candidate = rollout_rows.scores_from(
        rows, rollout_rows.scoring_stores(connection, row.sha256) if rows else 0
    )
    may, advice = advice_on(current, candidate, rollout_rows.losses_from(rows), len(QUANTILE_LEVELS))
    shadow = row.mode == RolloutMode.SHADOW
    return RolloutView(
        rollout=row.number, sha256=row.sha256, name=row.name, mode=row.mode, state=row.state, percent=row.percent,
        max_refusals=row.max_refusals, who=row.who, reason=row.reason, created_ms=row.created_ms,
        changed_ms=row.changed_ms, stores=len(inside), by_state=dict(states),
        refusals=[f"{said.store_id}: {said.reason}"[:300] for said in refused[:MAX_REASONS]],
        current=_score(current), candidate=_score(candidate), days=_days(rows),
        may_promote=shadow and row.state == RolloutState.RUNNING and may, advice=advice if shadow else "",
    )  # fmt: skip


def _score(score: Score | None) -> ScoreView | None:
    if score is None:
        return None
    rows = score.sku_days
    return ScoreView(
        bundle=score.bundle, stores=score.stores, days=score.days, sku_days=rows,
        wql=_rounded(score.wql(len(QUANTILE_LEVELS))),
        bias=_rounded((score.mean_units - score.units) / score.units) if score.units else None,
        coverage_80=_rounded(score.inside_80 / rows) if rows else None,
        coverage_95=_rounded(score.inside_95 / rows) if rows else None,
    )  # fmt: skip


def _days(rows: list[Any]) -> list[ScoreDay]:
    levels = len(QUANTILE_LEVELS)
    found = []
    for row in rows[-MAX_DAYS:]:
        current, candidate = rollout_rows.scores_from([row], 0)
        found.append(
            ScoreDay(
                day=row.day, current_wql=_rounded(current.wql(levels) if current else None),
                candidate_wql=_rounded(candidate.wql(levels) if candidate else None),
            )
        )  # fmt: skip
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
