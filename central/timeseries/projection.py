"""Keeps a time-series store equal to the ledger's sums: a durable list of changed quarter hours, written until taken.

The list grows in the transaction that changes the sums, so a kill loses nothing; a point that is written twice replaces itself.
"""

import threading
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.rollups import QUARTER_MS
from central.ledger.engine import Ledger
from central.ledger.writer import LedgerWriter, Transaction
from central.timeseries.port import Point, TimeSeriesStore, TimeSeriesUnavailableError
from runtime.logs import Log

log = Log("central.timeseries")

BUCKETS_AT_ONCE = 200
IDLE_S = 2.0
RETRY_FIRST_S, RETRY_LAST_S = 1.0, 60.0

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
_POINTS = sa.text(
    """SELECT i.category, sum(r.sold_units) AS sold_units, sum(r.sold_cents) AS sold_cents,
    sum(r.picked_units) AS picked_units, sum(r.delivered_units) AS delivered_units,
    sum(r.shrink_units) AS shrink_units, sum(r.stock_out_ms) AS stock_out_ms FROM rollups r
    JOIN items i ON i.store_id = r.store_id AND i.sku = r.sku
    WHERE r.store_id = :store AND r.step_ms = :step AND r.at_ms = :at_ms GROUP BY i.category"""
)
_DONE = sa.text("DELETE FROM series_changes WHERE store_id = :store AND at_ms = :at_ms AND change = :change")


def mark_changed(connection: Connection, store: str, starts_ms: set[int]) -> None:
    """Notes that the quarter hours from `starts_ms` on have other sums now."""
    if starts_ms:
        connection.execute(_MARK, [{"store": store, "at_ms": at_ms} for at_ms in sorted(starts_ms)])


class Projection:
    """`run` in a supervised thread. target: names the store; another name than last time means: write all again."""

    def __init__(
        self,
        ledger: Ledger,
        writer: LedgerWriter,
        store: TimeSeriesStore,
        target: str,
        count: Callable[[str, int], None],
    ) -> None:
        self._ledger, self._writer, self._store, self._target, self._count = (
            ledger,
            writer,
            store,
            target,
            count,
        )
        self._failing = False

    def run(self, stop: threading.Event) -> None:
        self._writer.call(self._begin)
        wait_s = RETRY_FIRST_S
        while not stop.is_set():
            try:
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
            points = [point for store, at_ms, _ in changed for point in _points(connection, store, at_ms)]
        if not changed:
            return 0
        report = self._store.write(points) if points else None
        if report is not None:
            self._count("series_points", report.accepted)
            self._count("series_rejected", len(report.rejected))
            for point, reason in report.rejected[:3]:
                log.warning(
                    "time series refused a point", store=point.store, category=point.category, reason=reason
                )
        done = [{"store": store, "at_ms": at_ms, "change": change} for store, at_ms, change in changed]
        self._writer.call(lambda transaction: transaction.connection.execute(_DONE, done) and None)
        return len(changed)

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


def _points(connection: Connection, store: str, at_ms: int) -> list[Point]:
    rows = connection.execute(_POINTS, {"store": store, "step": QUARTER_MS, "at_ms": at_ms})
    return [
        Point(
            store, row.category, at_ms, int(row.sold_units), int(row.sold_cents), int(row.picked_units),
            int(row.delivered_units), int(row.shrink_units), int(row.stock_out_ms),
        )
        for row in rows
    ]  # fmt: skip
