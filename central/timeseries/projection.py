"""Keeps a time-series store equal to the ledger's sums: a durable list of changed quarter hours, written until taken.

The list grows in the transaction that changes the sums, so a kill loses nothing; a point that is written twice replaces itself.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.rollups import QUARTER_MS
from central.ledger.engine import Ledger
from central.ledger.writer import LedgerWriter, Transaction
from central.timeseries.line_protocol import tag
from central.timeseries.port import (
    FIELDS,
    Point,
    TimeSeriesStore,
    TimeSeriesUnavailableError,
    WriteReport,
)
from runtime.logs import Log

log = Log("central.timeseries")

BUCKETS_AT_ONCE = 200
MAX_CATEGORIES = 200
"""Series of one store at most, and as many of watched SKUs: categories are free text, and each is a series for ever."""
REST = "other categories"
MAX_TRIES = 5
"""Times that a quarter hour is written which the server says it has and does not show; then it is told as refused."""
IDLE_S = 2.0
RETRY_FIRST_S, RETRY_LAST_S = 1.0, 60.0
REWRITE_LOOK_S = 30.0

_MARK = sa.text(
    """INSERT INTO series_changes (store_id, at_ms, change) VALUES (:store, :at_ms, 1)
    ON CONFLICT (store_id, at_ms) DO UPDATE SET change = series_changes.change + 1"""
)
_MARK_ALL = sa.text(
    """INSERT INTO series_changes (store_id, at_ms, change) SELECT DISTINCT store_id, at_ms, 1 FROM rollups
    WHERE step_ms = :step ON CONFLICT DO NOTHING"""
)
_TARGET = sa.text("SELECT value FROM meta WHERE key = 'series_target'")
_SET_TARGET = sa.text(
    """INSERT INTO meta (key, value) VALUES ('series_target', :target)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
)
_CHANGED = sa.text("SELECT store_id, at_ms, change FROM series_changes ORDER BY at_ms, store_id LIMIT :limit")
_SUMS = """sum(r.sold_units) AS sold_units, sum(r.sold_cents) AS sold_cents,
    sum(r.picked_units) AS picked_units, sum(r.delivered_units) AS delivered_units,
    sum(r.shrink_units) AS shrink_units, sum(r.stock_out_ms) AS stock_out_ms"""
_FROM = """FROM rollups r JOIN items i ON i.store_id = r.store_id AND i.sku = r.sku
    WHERE r.store_id = :store AND r.step_ms = :step AND r.at_ms >= :from_ms AND r.at_ms <= :to_ms"""
_POINTS = sa.text(f"SELECT r.at_ms, i.category, '' AS sku, {_SUMS} {_FROM} GROUP BY r.at_ms, i.category")
_WATCHED = sa.text(
    f"SELECT r.at_ms, i.category, i.sku, {_SUMS} {_FROM} AND r.sku IN :skus GROUP BY r.at_ms, i.category, i.sku"
).bindparams(sa.bindparam("skus", expanding=True))
_KEPT = sa.text("SELECT DISTINCT category FROM items WHERE store_id = :store ORDER BY category LIMIT :limit")
_DONE = sa.text("DELETE FROM series_changes WHERE store_id = :store AND at_ms = :at_ms AND change = :change")


def mark_changed(connection: Connection, store: str, starts_ms: set[int]) -> None:
    """Notes that the quarter hours from `starts_ms` on have other sums now."""
    if starts_ms:
        connection.execute(_MARK, [{"store": store, "at_ms": at_ms} for at_ms in sorted(starts_ms)])


def forget_target(connection: Connection) -> None:
    """All is written again, by a running centre within REWRITE_LOOK_S."""
    connection.execute(_SET_TARGET, {"target": ""})


class Projection:
    """`run` in a supervised thread. target: names the store; another name than last time means: write all again."""

    def __init__(
        self,
        ledger: Ledger,
        writer: LedgerWriter,
        store: TimeSeriesStore,
        target: str,
        count: Callable[[str, int], None],
        watched: Sequence[str] = (),
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger, self._writer, self._store, self._count = ledger, writer, store, count
        self._watched = tuple(sorted(watched))
        self._target = " ".join((target, *self._watched))
        self._failing = False
        self._prepare, self._is_prepared = prepare, False
        self._tries: Counter[tuple[str, int]] = Counter()

    def run(self, stop: threading.Event) -> None:
        wait_s, looked_s = RETRY_FIRST_S, -REWRITE_LOOK_S
        while not stop.is_set():
            if time.monotonic() - looked_s >= REWRITE_LOOK_S:
                looked_s = time.monotonic()
                self._writer.call(self._begin)
            try:
                if not self._is_prepared:
                    self._prepare()
                    self._is_prepared = True
                idle = not self.write_some()
            except TimeSeriesUnavailableError as error:
                self._note(str(error))
                stop.wait(wait_s)
                wait_s = min(wait_s * 2, RETRY_LAST_S)
                continue
            self._note("")
            wait_s = RETRY_FIRST_S
            if idle:
                stop.wait(IDLE_S)
        self._store.close()

    def write_some(self) -> int:
        """Writes changed quarter hours, and then forgets those that did not change meanwhile. Returns how many."""
        with self._ledger.read.connect() as connection:
            changed = [tuple(row) for row in connection.execute(_CHANGED, {"limit": BUCKETS_AT_ONCE})]
            points = [
                point
                for store, at_ms, _ in changed
                for point in read_points(connection, store, at_ms, at_ms, self._watched)
            ]
        if not changed:
            return 0
        again = self._told(self._store.write(points)) if points else set()
        done = [
            {"store": store, "at_ms": at_ms, "change": change}
            for store, at_ms, change in changed
            if (store, at_ms) not in again
        ]
        if done:
            self._writer.call(lambda transaction: transaction.connection.execute(_DONE, done) and None)
        if again:
            raise TimeSeriesUnavailableError(
                f"{len(again)} quarter hours are not there after the server said yes; they are written again"
            )
        return len(changed)

    def _told(self, report: WriteReport) -> set[tuple[str, int]]:
        """Counts what became of the points. Returns the quarter hours that must be written again."""
        rejected = list(report.rejected)
        again = set()
        for point in report.unknown:
            bucket = (point.store, point.at_ms)
            if self._tries[bucket] + 1 < MAX_TRIES:
                again.add(bucket)
            else:
                rejected.append(
                    (point, "the server says yes and shows nothing: is this time within its retention?")
                )
        for bucket in {(point.store, point.at_ms) for point in report.unknown}:
            self._tries[bucket] += 1
            if bucket not in again:
                del self._tries[bucket]
        self._count("series_points", report.accepted)
        self._count("series_rejected", len(rejected))
        self._count("series_unknown", len(report.unknown))
        for point, reason in rejected[:3]:
            log.warning(
                "time series refused a point", store=point.store, category=point.category, reason=reason
            )
        return again

    def _begin(self, transaction: Transaction) -> None:
        if transaction.connection.execute(_TARGET).scalar() != self._target:
            transaction.connection.execute(_MARK_ALL, {"step": QUARTER_MS})
            transaction.connection.execute(_SET_TARGET, {"target": self._target})

    def _note(self, problem: str) -> None:
        """Says a change of state once, not every failure."""
        if bool(problem) != self._failing:
            self._failing = bool(problem)
            log.warning(
                "time series store fails" if problem else "time series store answers again", problem=problem
            )


def read_points(
    connection: Connection, store: str, from_ms: int, to_ms: int, watched: Sequence[str] = ()
) -> list[Point]:
    """The sums of each quarter hour that begins in [from_ms, to_ms]: one a category, and one a watched SKU."""
    of = {"store": store, "step": QUARTER_MS, "from_ms": from_ms, "to_ms": to_ms}
    kept = {row.category for row in connection.execute(_KEPT, {"store": store, "limit": MAX_CATEGORIES})}
    sums: dict[tuple[int, str, str], tuple[int, ...]] = {}
    rows = list(connection.execute(_POINTS, of))
    if watched:
        rows += connection.execute(_WATCHED, {**of, "skus": list(watched)})
    for row in rows:
        category = tag(row.category) if row.category in kept else REST
        values = tuple(int(getattr(row, name)) for name in FIELDS)
        key = (row.at_ms, category, row.sku)
        known = sums.get(key, (0,) * len(FIELDS))
        sums[key] = tuple(a + b for a, b in zip(known, values, strict=True))
    return [
        Point(store, category, at_ms, **dict(zip(FIELDS, values, strict=True)), sku=sku)
        for (at_ms, category, sku), values in sums.items()
    ]
