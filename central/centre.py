"""The centre put together: the writer and its memory, jobs on one store, the relay and the work that time brings."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from central import couponing, desired_state, restocking
from central.context import Work
from central.core.days import midnight_before
from central.ledger import coupon_rows, outgoing
from central.ledger.engine import Ledger
from central.ledger.writer import LedgerWriter, Transaction
from central.memory import LedgerMemory
from central.settings import CentralSettings
from central.timeseries.sql import drop_minutes_before
from runtime.clock import Clock

if TYPE_CHECKING:
    from central.dispatch import Dispatcher

T = TypeVar("T")

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_HEARD_FLUSH_S = 30.0
SHARED_CLOCK_POLL_S, SYSTEM_CLOCK_POLL_S = 0.02, 0.25
"""A simulation waits for our tick at each of its steps (and its asking for our status wakes us); the system's clock moves anyway."""
_HEARD = sa.text(
    "UPDATE gateways SET last_heard_ms = :now WHERE gateway = :gateway AND coalesce(last_heard_ms, 0) < :now"
)


class Centre:
    """`run` in a supervised thread; everything else may be called from any thread."""

    def __init__(self, ledger: Ledger, settings: CentralSettings, clock: Clock) -> None:
        self.ledger, self.settings, self.clock = ledger, settings, clock
        self.memory = LedgerMemory()
        poll_s = SHARED_CLOCK_POLL_S if settings.clock_file else SYSTEM_CLOCK_POLL_S
        self.writer = LedgerWriter(ledger, self.memory, clock, poll_s=poll_s)
        self.writer.tick = self._tick
        self.writer.on_outgoing = self._relay
        self.since_ms = clock.now_ms()
        self.stop = threading.Event()
        self.dispatcher: Dispatcher | None = None
        self.on_placed: list[Callable[[], None]] = []
        self.counters: dict[str, int] = {
            "batches": 0,
            "duplicates": 0,
            "rows": 0,
            "rejected": 0,
            "refused_tokens": 0,
            "bad_batches": 0,
            "bad_requests": 0,
        }
        self._counters_lock = threading.Lock()
        self._waiting = (-1, 0)
        self._expired_ms = self._campaigns_ms = self._daily_ms = -1
        self._heard_flushed_s = time.monotonic()

    def run(self) -> None:
        self.writer.submit(self._relay)  # what a kill left between commit and relay
        self.writer.run(self.stop)

    def count(self, name: str, amount: int = 1) -> None:
        with self._counters_lock:
            self.counters[name] = self.counters.get(name, 0) + amount

    def waiting_events(self) -> int:
        """Events without a position or not delivered yet. Asked often, so it looks only after something changed."""
        changes = self.writer.commits_total
        if changes != self._waiting[0]:
            with self.ledger.read.connect() as connection:
                self._waiting = (changes, outgoing.pending(connection))
        return self._waiting[1]

    def store_job(self, store: str, job: Callable[[Work], T]) -> Callable[[Transaction], T]:
        """A job of the writer on one store: events and the supply document are written with what caused them."""

        def run(transaction: Transaction) -> T:
            work = self.work(transaction, store)
            result = job(work)
            self.finish(work)
            return result

        return run

    def call_store(self, store: str, job: Callable[[Work], T]) -> T:
        return self.writer.call(self.store_job(store, job))

    def work(self, transaction: Transaction, store: str) -> Work:
        known = self.memory.known_store(store)
        memory = known if known is not None else self.memory.store(transaction.connection, store)
        return Work(transaction, self.memory, self.settings, memory)

    @staticmethod
    def finish(work: Work) -> None:
        if work.supply_changed:
            desired_state.refresh_supply(work)
        work.write_events()

    # ---- the relay ----

    def _relay(self, transaction: Transaction) -> None:
        """Gives events their feed positions, endpoints their deliveries, and sent triggers their state."""
        subjects = outgoing.place_events(transaction.connection, real_ms())
        for subject in subjects:
            store, _, number = subject.rpartition("-r")
            if store and number.isdigit():
                work = self.work(transaction, store)
                restocking.mark_sent(work, subject)
        transaction.commit()
        for notify in self.on_placed:
            notify()

    # ---- the work that time brings ----

    def _tick(self, transaction: Transaction) -> None:
        now_ms = transaction.now_ms
        self._flush_heard(transaction)
        if now_ms // MINUTE_MS != self._expired_ms:
            self._expired_ms = now_ms // MINUTE_MS
            self._for_each_store(transaction, restocking.expire)
        turn = now_ms // (self.settings.campaign_interval_min * MINUTE_MS)
        if turn != self._campaigns_ms:
            self._campaigns_ms = turn
            campaigns = coupon_rows.all_campaigns(transaction.connection)
            self._for_each_store(transaction, lambda work: couponing.run_campaigns(work, campaigns))
        if now_ms // HOUR_MS != self._daily_ms:
            self._daily_ms = now_ms // HOUR_MS
            self._forget_what_is_old(transaction)

    def _for_each_store(self, transaction: Transaction, job: Callable[[Work], object]) -> None:
        for store in couponing.all_stores(transaction.connection):
            work = self.work(transaction, store)
            job(work)
            self.finish(work)

    def _forget_what_is_old(self, transaction: Transaction) -> None:
        now_ms, connection = transaction.now_ms, transaction.connection
        coupon_rows.forget_cells(connection, now_ms)
        outgoing.blank_secrets(connection, now_ms - self.settings.code_retention_h * HOUR_MS)
        for store in couponing.all_stores(connection):
            zone = self.work(transaction, store).store.zone
            drop_minutes_before(
                connection, store, midnight_before(now_ms, zone) - self.settings.minute_rollup_days * DAY_MS
            )

    def _flush_heard(self, transaction: Transaction) -> None:
        if time.monotonic() - self._heard_flushed_s < _HEARD_FLUSH_S or not self.memory.heard_ms:
            return
        self._heard_flushed_s = time.monotonic()
        rows = [{"gateway": gateway, "now": now} for gateway, now in self.memory.heard_ms.items()]
        transaction.connection.execute(_HEARD, rows)


def real_ms() -> int:
    """Real time for retries and signatures; never for decisions."""
    return time.time_ns() // 1_000_000
