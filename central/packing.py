"""Packs a store's hours by category once they are over, so that what leads in a region is quickly read; see category_days."""

import threading
from typing import TYPE_CHECKING

import sqlalchemy as sa

from central.context import CHAIN
from central.core.rollups import HOUR_MS
from central.errors import CentralError
from central.ledger import store_rows
from central.ledger.agreement import take_turn
from central.ledger.category_days import has_hours, pack_hours
from runtime.logs import Log

if TYPE_CHECKING:
    from central.centre import Centre

log = Log("central.packing")

POLL_S = 2.0
REST_S = 0.01
"""Between two transactions: batches go first."""


class Packing:
    """`run` in a supervised thread: each store once an hour, by one process of the centre."""

    def __init__(self, centre: "Centre") -> None:
        self._centre = centre
        self._turn = -1

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(POLL_S):
            turn = self._centre.clock.now_ms() // HOUR_MS
            if turn == self._turn:
                continue
            try:
                if self._is_ours(turn):
                    self.pack(stop)
                self._turn = turn
            except (CentralError, sa.exc.DBAPIError) as error:
                # The ledger is away or busy: what is left the next turn finds, and pages read it as it is.
                log.warning("packing hours failed", reason=str(error)[:200])

    def pack(self, stop: threading.Event) -> int:
        """Returns the days that were packed, or packed anew."""
        packed = 0
        with self._centre.ledger.read.connect() as connection:
            watermarks_ms = store_rows.watermarks_ms(connection)
        for store, watermark_ms in sorted(watermarks_ms.items()):
            while (before_ms := self._due(store, watermark_ms)) is not None and not stop.is_set():
                packed += self._centre.call_store(
                    store,
                    lambda work, store=store, before_ms=before_ms: pack_hours(
                        work.connection, store, before_ms
                    ),  # type: ignore[misc]
                )
                stop.wait(REST_S)
        return packed

    def _due(self, store: str, watermark_ms: int) -> int | None:
        """Up to when the store's hours are over by its own watermark; None when all of them are packed."""
        before_ms = min(watermark_ms, self._centre.clock.now_ms()) // HOUR_MS * HOUR_MS
        with self._centre.ledger.read.connect() as connection:
            return before_ms if has_hours(connection, store, before_ms) else None

    def _is_ours(self, turn: int) -> bool:
        if not self._centre.ledger.is_shared:
            return True
        return self._centre.call_store(CHAIN, lambda work: take_turn(work.connection, "packing", turn))
