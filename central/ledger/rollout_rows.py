"""Rows of bundles and roll-outs, what gateways said of them, and the sums of their scores."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.rollout import Rollout, Score
from contract.api.rollouts import RolloutMode, RolloutState

MAX_REASONS = 20

_PUT_BUNDLE = sa.text(
    """INSERT INTO bundles (sha256, name, manifest, files, size_bytes, who, created_ms)
    VALUES (:sha256, :name, :manifest, :files, :size_bytes, :who, :now) ON CONFLICT (sha256) DO NOTHING"""
)
_BUNDLES = sa.text(
    "SELECT sha256, name, size_bytes, who, created_ms FROM bundles ORDER BY created_ms DESC, sha256"
)
_BUNDLE = sa.text("SELECT sha256, name, size_bytes, who, created_ms FROM bundles WHERE sha256 = :sha256")
_FILES = sa.text("SELECT name, files FROM bundles WHERE sha256 = :sha256")
_MANIFESTS_BY_NAME = sa.text("SELECT manifest FROM bundles WHERE name = :name")
_FILES_BY_NAME = sa.text("SELECT files FROM bundles WHERE name = :name ORDER BY sha256")
_ROLLOUTS = sa.text("SELECT * FROM rollouts ORDER BY number")
_ROLLOUT = sa.text("SELECT * FROM rollouts WHERE number = :number")
_NEXT = sa.text("SELECT coalesce(max(number), 0) + 1 FROM rollouts")
_INSERT = sa.text(
    """INSERT INTO rollouts (number, sha256, name, mode, state, percent, max_refusals, who, reason, created_ms, changed_ms)
    VALUES (:number, :sha256, :name, :mode, :state, :percent, :max_refusals, :who, :reason, :now, :now)"""
)
_CHANGE = sa.text(
    """UPDATE rollouts SET state = :state, percent = :percent, who = :who, reason = :reason, changed_ms = :now
    WHERE number = :number"""
)
_NEWS = sa.text(
    """SELECT store_id, state, reason, at_ms, epoch, seq FROM staging_events WHERE sha256 = :sha256 AND what = 'bundle'
    AND sha256 != '' AND at_ms >= :since_ms ORDER BY store_id, at_ms, epoch, seq"""
)
_HAS = sa.text(
    "SELECT DISTINCT sha256 FROM staging_events WHERE store_id = :store AND what = 'bundle' AND sha256 != ''"
)
_SCORED = """FROM model_scores b JOIN model_scores a ON a.store_id = b.store_id AND a.gateway = b.gateway AND a.day = b.day
    AND a.role = 'current' WHERE b.sha256 = :sha256 AND b.role = 'candidate'"""
_SCORES = sa.text(
    f"""SELECT b.day, max(a.bundle) AS current_bundle, max(b.bundle) AS bundle, sum(a.skus) AS current_skus,
    sum(a.units) AS current_units, sum(a.mean_units) AS current_mean, sum(a.pinball) AS current_pinball,
    sum(a.inside_80) AS current_80, sum(a.inside_95) AS current_95, sum(b.skus) AS skus, sum(b.units) AS units,
    sum(b.mean_units) AS mean_units, sum(b.pinball) AS pinball, sum(b.inside_80) AS inside_80,
    sum(b.inside_95) AS inside_95 {_SCORED} GROUP BY b.day ORDER BY b.day"""
)
_SCORING_STORES = sa.text(f"SELECT count(DISTINCT b.store_id) {_SCORED}")
_NEWEST = sa.text("SELECT max(changed_ms) FROM rollouts")
_STORES = sa.text("SELECT store_id FROM stores ORDER BY store_id")


def files_of(connection: Connection, name: str) -> list[str]:
    """The files of the bundles called `name`, each as JSON of name -> base64."""
    return [str(row.files) for row in connection.execute(_FILES_BY_NAME, {"name": name})]


def manifests_of(connection: Connection, name: str) -> list[str]:
    """The manifests of the bundles called `name`, as JSON."""
    return [str(row.manifest) for row in connection.execute(_MANIFESTS_BY_NAME, {"name": name})]


def put_bundle(
    connection: Connection, *, sha256: str, name: str, manifest: str, files: str, size_bytes: int, who: str, now_ms: int
) -> None:  # fmt: skip
    """The same bundle again changes nothing."""
    connection.execute(
        _PUT_BUNDLE,
        {
            "sha256": sha256, "name": name, "manifest": manifest, "files": files, "size_bytes": size_bytes, "who": who,
            "now": now_ms,
        },
    )  # fmt: skip


def bundles(connection: Connection) -> list[Any]:
    return list(connection.execute(_BUNDLES))


def bundle(connection: Connection, sha256: str) -> Any | None:
    return connection.execute(_BUNDLE, {"sha256": sha256}).first()


def bundle_document(connection: Connection, sha256: str) -> str | None:
    """The bundle as a desired-state document, None when there is none."""
    row = connection.execute(_FILES, {"sha256": sha256}).first()
    if row is None:
        return None
    name = json.dumps(row.name)
    return f'{{"kind":"bundle","version":1,"name":{name},"sha256":"{sha256}","files":{row.files}}}'


def rollout_rows(connection: Connection) -> list[Any]:
    """Oldest first."""
    return list(connection.execute(_ROLLOUTS))


def rollout_row(connection: Connection, number: int) -> Any | None:
    return connection.execute(_ROLLOUT, {"number": number}).first()


def rollout_from(row: Any) -> Rollout:
    return Rollout(
        row.number, row.sha256, row.name, RolloutMode(row.mode), RolloutState(row.state), row.percent
    )


def insert_rollout(connection: Connection, values: dict[str, Any]) -> int:
    number = int(connection.execute(_NEXT).scalar() or 1)
    connection.execute(_INSERT, {**values, "number": number})
    return number


def change_rollout(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(_CHANGE, values)


def news_of(connection: Connection, sha256: str, since_ms: int) -> dict[str, Any]:
    """Store -> the newest row that its gateways sent of the bundle."""
    return {row.store_id: row for row in connection.execute(_NEWS, {"sha256": sha256, "since_ms": since_ms})}


def bundles_of(connection: Connection, store: str) -> set[str]:
    """Those that the store's gateways have spoken of."""
    return {row.sha256 for row in connection.execute(_HAS, {"store": store})}


def newest_change_ms(connection: Connection) -> int:
    """Of any roll-out, 0 when there is none."""
    return int(connection.execute(_NEWEST).scalar() or 0)


def all_stores(connection: Connection) -> list[str]:
    return [row.store_id for row in connection.execute(_STORES)]


def score_rows(connection: Connection, sha256: str) -> list[Any]:
    """A row a day on which the bundle was scored beside the current one, summed over the stores that did."""
    return list(connection.execute(_SCORES, {"sha256": sha256}))


def scoring_stores(connection: Connection, sha256: str) -> int:
    return int(connection.execute(_SCORING_STORES, {"sha256": sha256}).scalar() or 0)


def losses_from(rows: list[Any]) -> list[tuple[float, float]]:
    """(current's pinball, candidate's) of each day."""
    return [(float(row.current_pinball), float(row.pinball)) for row in rows]


def scores_from(rows: list[Any], stores: int) -> tuple[Score, Score] | tuple[None, None]:
    """(current, candidate) over all days of `rows`."""
    if not rows:
        return None, None

    def total(name: str) -> int:
        return int(sum(getattr(row, name) for row in rows))

    def weight(name: str) -> float:
        return float(sum(getattr(row, name) for row in rows))

    current = Score(
        rows[-1].current_bundle, stores, len(rows), total("current_skus"), total("current_units"),
        weight("current_mean"), weight("current_pinball"), total("current_80"), total("current_95"),
    )  # fmt: skip
    candidate = Score(
        rows[-1].bundle, stores, len(rows), total("skus"), total("units"), weight("mean_units"), weight("pinball"),
        total("inside_80"), total("inside_95"),
    )  # fmt: skip
    return current, candidate
