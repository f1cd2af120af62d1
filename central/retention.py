"""Forgets what has had its time, by the settings: a store at a time, a few rows a transaction, and reads outside of it.

Where the centre runs it does so once a day; `shelfloop central prune` does it at once.
"""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.context import CHAIN, Work
from central.core.days import day_after, day_of, day_start_ms
from central.errors import CentralError
from central.ledger import facts, store_rows
from central.ledger.agreement import take_turn
from central.ledger.engine import Ledger
from central.ledger.retention import RULES, Rule, drop, old_keys
from central.settings import CentralSettings
from runtime.logs import Log

if TYPE_CHECKING:
    from central.centre import Centre

log = Log("central.retention")

POLL_S = 2.0
DAY_MS = 86_400_000
Transact = Callable[[str, Callable[[Connection], None]], None]
"""(store, job): runs the job in a transaction of the store."""


def prune_store(
    ledger: Ledger,
    transact: Transact,
    settings: CentralSettings,
    store: str,
    zone: ZoneInfo,
    now_ms: int,
    goes_on: Callable[[], bool] = lambda: True,
) -> Iterator[tuple[str, int]]:
    """(table, rows dropped), after each transaction. goes_on: asked before each; the rest is done the next time."""
    today = day_of(now_ms, zone)
    for rule in RULES:
        days = int(getattr(settings, rule.setting))
        if not days:
            continue
        before_day = day_after(today, -days)
        before_ms = day_start_ms(before_day, zone)
        while goes_on():
            with ledger.read.connect() as connection:
                keys = old_keys(connection, rule, store, before_ms, before_day)
            if not keys:
                break
            transact(store, _job(rule, store, keys, before_ms))
            yield rule.name, len(keys)


def _job(
    rule: Rule, store: str, keys: list[dict[str, object]], before_ms: int
) -> Callable[[Connection], None]:
    return lambda connection: drop(connection, rule, store, keys, before_ms)


class Retention:
    """`run` in a supervised thread: each store once a business day, by one process of the centre."""

    def __init__(self, centre: "Centre") -> None:
        self._centre = centre
        self._turn = -1

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(POLL_S):
            turn = self._centre.clock.now_ms() // DAY_MS
            if turn == self._turn:
                continue
            try:
                if self._is_ours(turn):
                    self.prune(lambda: not stop.is_set())
                self._turn = turn
            except (CentralError, sa.exc.DBAPIError) as error:
                # The ledger is away or busy: what is left the next turn finds.
                log.warning("forgetting what is old failed", reason=str(error)[:200])

    def prune(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Returns the rows that were dropped."""
        centre, dropped = self._centre, 0
        with centre.ledger.read.connect() as connection:
            stores = store_rows.zones(connection)
        for store, zone in stores:
            now_ms = self._now_ms(store)
            if now_ms is None:
                continue
            for _, rows in prune_store(
                centre.ledger, self._transact, centre.settings, store, ZoneInfo(zone), now_ms, goes_on
            ):
                dropped += rows
        if dropped:
            centre.count("forgotten_rows", dropped)
            log.info("old rows dropped", rows=dropped)
        return dropped

    def _now_ms(self, store: str) -> int | None:
        """The clock's, but not past the day after the store's newest record: a clock that is years ahead forgets nothing.

        None for a store that never told anything.
        """
        with self._centre.ledger.read.connect() as connection:
            watermark_ms = store_rows.watermark_ms(connection, store)
        return None if watermark_ms is None else min(self._centre.clock.now_ms(), watermark_ms + DAY_MS)

    def _transact(self, store: str, job: Callable[[Connection], None]) -> None:
        def in_store(work: Work) -> None:
            job(work.connection)
            work.store.receipts_from = facts.receipts_from(work.connection, store, work.store.zone)

        self._centre.call_store(store, in_store)

    def _is_ours(self, turn: int) -> bool:
        if not self._centre.ledger.is_shared:
            return True
        return self._centre.call_store(CHAIN, lambda work: take_turn(work.connection, "retention", turn))
