"""Forgets what has had its time, by the settings: a store at a time, a few rows a transaction, and reads outside of it.

Where the centre runs it does so once a day; `shelfloop central prune` does it at once.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.context import CHAIN, Work
from central.core.days import day_after, day_of, day_start_ms
from central.errors import CentralError
from central.ledger import facts, partitions, store_rows
from central.ledger.agreement import take_turn
from central.ledger.engine import Ledger
from central.ledger.retention import BEFORE_RECEIPTS, RECEIPTS, RULES, Rule, drop, old_keys
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
    rules: Sequence[Rule] | None = None,
) -> Iterator[tuple[str, int]]:
    """(table, rows dropped), after each transaction. goes_on: asked before each; the rest is done the next time. rules: None, all."""
    today = day_of(now_ms, zone)
    for rule in RULES if rules is None else rules:
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
            yield rule.name, sum(key.get("n", 1) for key in keys)


def drop_whole_months(
    ledger: Ledger,
    transact: Transact,
    settings: CentralSettings,
    stores: Sequence[tuple[str, ZoneInfo, int]],
    goes_on: Callable[[], bool] = lambda: True,
) -> list[str]:
    """The months of receipts that every store is done with, dropped as whole tables. On SQLite none.

    stores: all of them, each with its zone and its now_ms. Each notes that it has forgotten before the first month goes, so that
    a receipt which comes again is refused and not counted twice.
    """
    days = settings.receipt_days
    with ledger.read.connect() as connection:
        months = partitions.months(connection) if days and stores else []
    before = {store: day_after(day_of(now_ms, zone), -days) for store, zone, now_ms in stores}
    months = [month for month in months if month < min(before.values())[:7]]
    for store, zone, now_ms in stores if months else ():
        for _ in prune_store(ledger, transact, settings, store, zone, now_ms, goes_on, BEFORE_RECEIPTS):
            pass  # each is a transaction
        if not goes_on():
            return []
        transact(store, _job(RECEIPTS, store, [], day_start_ms(before[store], zone)))
    for month in months:
        with ledger.write.begin() as connection:
            partitions.drop_month(connection, month)
    return months


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
                    self._centre.months.make_ahead()
                    self.prune(lambda: not stop.is_set())
                self._turn = turn
            except (CentralError, sa.exc.DBAPIError) as error:
                # The ledger is away or busy: what is left the next turn finds.
                log.warning("forgetting what is old failed", reason=str(error)[:200])

    def prune(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Returns the rows that were dropped."""
        centre, dropped = self._centre, 0
        with centre.ledger.read.connect() as connection:
            stores, watermarks_ms = store_rows.zones(connection), store_rows.watermarks_ms(connection)
        told = [
            (store, ZoneInfo(zone), self._now_ms(watermarks_ms[store]))
            for store, zone in stores
            if store in watermarks_ms  # of the others none told anything
        ]
        months = drop_whole_months(centre.ledger, self._transact, centre.settings, told, goes_on)
        for store, zone, now_ms in told:
            for _, rows in prune_store(
                centre.ledger, self._transact, centre.settings, store, zone, now_ms, goes_on
            ):
                dropped += rows
        if months:
            log.info("months of receipts dropped", first=months[0], last=months[-1])
        if dropped:
            centre.count("forgotten_rows", dropped)
            log.info("old rows dropped", rows=dropped)
        return dropped

    def _now_ms(self, watermark_ms: int) -> int:
        """The clock's, but not past the day after the store's newest record: a clock that is years ahead forgets nothing."""
        return min(self._centre.clock.now_ms(), watermark_ms + DAY_MS)

    def _transact(self, store: str, job: Callable[[Connection], None]) -> None:
        def in_store(work: Work) -> None:
            job(work.connection)
            work.store.receipts_from = facts.receipts_from(work.connection, store, work.store.zone)

        self._centre.call_store(store, in_store)

    def _is_ours(self, turn: int) -> bool:
        if not self._centre.ledger.is_shared:
            return True
        return self._centre.call_store(CHAIN, lambda work: take_turn(work.connection, "retention", turn))
