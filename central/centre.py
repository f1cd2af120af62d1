"""The centre put together: the writer and its memory, jobs on one store, the relay and the work that time brings."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import sqlalchemy as sa

from central import assortment, couponing, deadlines, desired_state, leasing, rollouts, summing, trigger_moves
from central.board import Board
from central.context import CHAIN, Work
from central.leasing import Ask
from central.ledger import coupon_rows, note_rows, outgoing, rollout_rows
from central.ledger.agreement import Leadership, take_turn
from central.ledger.coupon_rows import Campaign
from central.ledger.engine import Ledger
from central.ledger.gateway_views import GatewayLook
from central.ledger.lanes import LaneWriter
from central.ledger.locks import Lock
from central.ledger.writer import LedgerWriter, Transaction
from central.memory import LedgerMemory
from central.mismatch import MismatchDesk
from central.receipt_months import ReceiptMonths
from central.regional import Regions
from central.replay_desk import ReplayDesk
from central.rounds import Rounds
from central.settings import CentralSettings
from runtime.clock import Clock

if TYPE_CHECKING:
    from central.dispatch import Dispatcher

T = TypeVar("T")

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_HEARD_FLUSH_S = 30.0
SWEEP_S, SUMMING_S = 5.0, 1.0
PRUNED_A_TICK = 20
SHARED_CLOCK_POLL_S, SYSTEM_CLOCK_POLL_S = 0.02, 0.25
"""A simulation waits for our tick at each of its steps (and its asking for our status wakes us); the system's clock moves anyway."""
_HEARD = sa.text(
    "UPDATE gateways SET last_heard_ms = :now WHERE gateway = :gateway AND coalesce(last_heard_ms, 0) < :now"
)


class Centre:
    """`run` in a supervised thread; everything else may be called from any thread."""

    def __init__(self, ledger: Ledger, settings: CentralSettings, clock: Clock) -> None:
        self.ledger, self.settings, self.clock = ledger, settings, clock
        self.memory = LedgerMemory(is_shared=ledger.is_shared)
        poll_s = SHARED_CLOCK_POLL_S if settings.clock_file else SYSTEM_CLOCK_POLL_S
        writer = LaneWriter if ledger.is_shared else LedgerWriter
        self.writer: LedgerWriter = writer(ledger, self.memory, clock, poll_s=poll_s)
        self.sends = Leadership(ledger, Lock.SENDS)
        self.rounds = Rounds(self, real_ms)
        self.replays = ReplayDesk(self)
        self.regions = Regions(self)
        self.mismatch = MismatchDesk(self)
        self.months = ReceiptMonths(ledger, settings, clock)
        self.board = Board(ledger)
        self.writer.tick = self._tick
        self.writer.on_outgoing = self._relay
        self.since_ms = clock.now_ms()
        self.stop = threading.Event()
        self.dispatcher: Dispatcher | None = None
        self.problems: Callable[[], list[str]] = list
        """What keeps this process from working, in words; the process sets it."""
        self.on_placed: list[Callable[[], None]] = []
        self.counters: dict[str, int] = {
            "batches": 0,
            "duplicates": 0,
            "rows": 0,
            "rejected": 0,
            "refused_tokens": 0,
            "bad_batches": 0,
            "bad_requests": 0,
            "transfer_rounds": 0,
            "orders_in_doubt": 0,
        }
        self._counters_lock = threading.Lock()
        self.memory.count = self.count
        self._waiting = (-1, 0)
        self._turns: dict[str, int] = {}
        self._rolled_out: tuple[int, int] | None = None
        self._to_prune: deque[str] = deque()
        self._swept_s = 0.0
        self._summed_s = 0.0
        self._heard_flushed_s = time.monotonic()

    def run(self) -> None:
        self.writer.submit(self._relay)  # what a kill left between commit and relay
        self.writer.run(self.stop)

    def count(self, name: str, amount: int = 1) -> None:
        with self._counters_lock:
            self.counters[name] = self.counters.get(name, 0) + amount

    def look_at_gateways(self) -> GatewayLook:
        silent_ms = self.settings.gateway_silent_min * MINUTE_MS
        memory = self.memory
        return GatewayLook(dict(memory.heard_ms), memory.watch, silent_ms, bool(self.settings.clock_file))

    def waiting_events(self) -> int:
        """Events without a position or not delivered yet. Asked often, so it looks only after something changed."""
        changes = self.writer.commits_total
        if self.ledger.is_shared or changes != self._waiting[0]:
            with self.ledger.read.connect() as connection:
                self._waiting = (changes, outgoing.pending(connection))
        return self._waiting[1]

    def store_job(
        self, store: str, job: Callable[[Work], T], *, sums_may_wait: bool = False, writes: bool = False
    ) -> Callable[[Transaction], T]:
        """A job of the writer on one store: events and the supply document are written with what caused them.

        sums_may_wait: the job reads no sums and changes nothing that they are made by. writes: it is sure to write.
        """

        def run(transaction: Transaction) -> T:
            work = self.work(transaction, store, writes=writes)
            if not sums_may_wait:
                summing.sum_up(work)
            result = job(work)
            self.finish(work)
            return result

        return StoreJob(store, run)

    def call_store(self, store: str, job: Callable[[Work], T]) -> T:
        return self.writer.call(self.store_job(store, job))

    def work(self, transaction: Transaction, store: str, *, writes: bool = False) -> Work:
        version = transaction.hold(store, writes=writes)
        memory = self.memory.known_store(store)
        if memory is not None and memory.version != version:
            self.memory.forget(store)  # another process wrote the store
            memory = None
        if memory is None:
            memory = self.memory.store(transaction.connection, store)
            memory.version = version
        transaction.rely_on(memory)
        return Work(transaction, self.memory, self.settings, memory)

    @staticmethod
    def finish(work: Work) -> None:
        if work.supply_changed:
            desired_state.refresh_supply(work)
        work.vouch_for_changes()
        work.write_events()

    # ---- the relay ----

    def _relay(self, transaction: Transaction) -> None:
        """Gives events their feed positions, endpoints their deliveries, and sent triggers their state."""
        if transaction.is_shared:
            self.work(transaction, transaction.relays)
        while subjects := outgoing.place_events(transaction.connection, real_ms(), transaction.relays):
            for subject in subjects:
                store, _, number = subject.rpartition("-r")
                if store and number.isdigit():
                    work = self.work(transaction, store)
                    trigger_moves.mark_sent(work, subject)
                    work.vouch_for_changes()
            transaction.commit()
        self.placed()

    def placed(self) -> None:
        """Tells those who wait for new rows of the feed."""
        for notify in self.on_placed:
            notify()

    def _sweep(self, transaction: Transaction) -> None:
        """Where several processes run, each now and then relays what a killed one left unplaced."""
        if time.monotonic() - self._swept_s < SWEEP_S:
            return
        self._swept_s = time.monotonic()
        for store in outgoing.stores_with_unplaced(transaction.connection):
            self._next_round(transaction, store, lambda work: setattr(work.transaction, "has_outgoing", True))

    def _sum_up(self, transaction: Transaction) -> None:
        if time.monotonic() - self._summed_s < SUMMING_S:
            return
        self._summed_s = time.monotonic()
        self.memory.measure()
        summing.sweep(self, transaction)

    # ---- the work that time brings ----

    def _tick(self, transaction: Transaction) -> None:
        try:
            self._do_turns(transaction)
        except BaseException:
            self._turns.clear()  # not done, and not taken either: the transaction ends without a commit
            raise

    def _do_turns(self, transaction: Transaction) -> None:
        now_ms = transaction.now_ms
        self._flush_heard(transaction)
        self._sum_up(transaction)
        if transaction.is_shared:
            transaction.hold(CHAIN)
            self._sweep(transaction)
        if self._turn(transaction, "expire", now_ms // MINUTE_MS):
            self._for_each(transaction, deadlines.stores_to_expire(transaction.connection, self.settings, now_ms),
                           deadlines.expire)  # fmt: skip
        if self._turn(transaction, "assortment", now_ms // MINUTE_MS):
            due = note_rows.stores_with_changes_due(transaction.connection, now_ms)
            self._for_each(transaction, due, assortment.apply_due)
        if self._turn(transaction, "campaigns", now_ms // (self.settings.campaign_interval_min * MINUTE_MS)):
            campaigns = coupon_rows.all_campaigns(transaction.connection)
            stores = couponing.stores_of_round(transaction.connection, campaigns, now_ms)
            self._for_each(transaction, stores, lambda work: self._run_campaigns(work, campaigns))
        if self._turn(transaction, "forget", now_ms // HOUR_MS):
            coupon_rows.forget_cells(transaction.connection, now_ms)
            self._to_prune = deque(
                outgoing.stores_with_secrets(transaction.connection, self._secrets_before_ms(now_ms))
            )
        if self._turn(transaction, "rollouts", now_ms // MINUTE_MS):
            self._roll_out(transaction)
        self._prune(transaction)

    def _run_campaigns(self, work: Work, campaigns: Sequence[Campaign], *, again: bool = True) -> None:
        """A store's round, and once more with the leases that the chain gives it. On a shared ledger each is a job."""
        store, asks = work.store.store, couponing.run_campaigns(work, campaigns)
        renewed = [campaign for campaign in campaigns if asks.get(campaign.campaign) is Ask.RENEW]
        is_shared = work.transaction.is_shared
        if asks and is_shared:
            self._next_round(work.transaction, CHAIN, lambda chain: self._answer(chain, store, asks))
        elif asks:
            self._answer(work, store, asks)
        if renewed and again and is_shared:
            self._next_round(
                work.transaction, store, lambda work: self._run_campaigns(work, renewed, again=False)
            )
        elif renewed and again:
            self._run_campaigns(work, renewed, again=False)

    def _answer(self, work: Work, store: str, asks: Mapping[str, Ask]) -> None:
        for campaign, ask in asks.items():
            leasing.answer(
                work.connection, campaign, store, ask, work.now_ms, self.settings.campaign_lease_min
            )

    def _roll_out(self, transaction: Transaction) -> None:
        """Halts what shops refuse; brings stores to what the roll-outs say, where a kill or a new store left one behind."""
        if not rollout_rows.newest_change_ms(transaction.connection):
            return
        halted = rollouts.halt_refused(self.work(transaction, CHAIN))
        stores = rollout_rows.all_stores(transaction.connection)
        known = (rollout_rows.newest_change_ms(transaction.connection), len(stores))
        if halted or known != self._rolled_out:
            self._for_each(transaction, stores, rollouts.refresh_models)
            self._rolled_out = known

    def _turn(self, transaction: Transaction, work: str, turn: int) -> bool:
        """Whether this process does this turn of `work` now."""
        if self._turns.get(work) == turn:
            return False
        self._turns[work] = turn
        return not transaction.is_shared or take_turn(transaction.connection, work, turn)

    def _for_each(
        self, transaction: Transaction, stores: Sequence[str], job: Callable[[Work], object]
    ) -> None:
        """In this transaction; where one may not span stores, as a job of each store."""
        for store in stores:
            if transaction.is_shared:
                self._next_round(transaction, store, job)
                continue
            work = self.work(transaction, store)
            summing.sum_up(work)
            job(work)
            self.finish(work)

    def _next_round(self, transaction: Transaction, store: str, job: Callable[[Work], object]) -> None:
        """As a job of `store`, which finds what `transaction` wrote: another lane could be at it before the commit."""
        transaction.after_commit(lambda: self.rounds.add(store, job))

    def _prune(self, transaction: Transaction) -> None:
        """Blanks codes of old, some stores a tick: nobody waits for it."""
        stores = [self._to_prune.popleft() for _ in range(min(PRUNED_A_TICK, len(self._to_prune)))]
        self._for_each(transaction, stores, self._blank_secrets)

    def _blank_secrets(self, work: Work) -> None:
        outgoing.blank_secrets(work.connection, self._secrets_before_ms(work.now_ms), work.store.store)

    def _secrets_before_ms(self, now_ms: int) -> int:
        return now_ms - self.settings.code_retention_h * HOUR_MS

    def _flush_heard(self, transaction: Transaction) -> None:
        is_due = time.monotonic() - self._heard_flushed_s >= _HEARD_FLUSH_S
        if not self.memory.heard_ms or not (is_due or self.memory.watch.has_news):
            return
        self._heard_flushed_s = time.monotonic()
        heard = self.memory.heard_ms
        rows = [{"gateway": gateway, "now": heard.get(gateway, 0)} for gateway in sorted(heard)]
        transaction.connection.execute(_HEARD, rows)
        self.memory.watch.flush(transaction.connection)


@dataclass(frozen=True, slots=True)
class StoreJob(Generic[T]):
    """A job that says which store it writes."""

    store: str
    run: Callable[[Transaction], T]

    def __call__(self, transaction: Transaction) -> T:
        return self.run(transaction)


def real_ms() -> int:
    """Real time for retries and signatures; never for decisions."""
    return time.time_ns() // 1_000_000
