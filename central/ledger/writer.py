"""The one thread that writes: jobs wait in a bounded queue and share a transaction; an answer follows the commit.

A job that fails takes nothing with it: the shared transaction is rolled back, what the jobs changed in memory is
forgotten, and each job runs again in a transaction of its own. A job that refuses (raises CentralError) does so
before it writes or changes anything: the others of its group do not notice.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy.engine import Connection

from central.errors import BusyError, CentralError
from central.ledger.bulk import BulkStatement
from central.ledger.engine import Ledger
from runtime.clock import Clock
from runtime.logs import Log

log = Log("central.writer")

T = TypeVar("T")

MAX_QUEUED = 500
MAX_GROUP = 128
GROUP_S = 0.05
"""Who comes while a group is at work still joins it, for so long: on a busy centre many share one wait for the disk."""
MAX_LATER_ROWS = 20_000
"""Rows that wait for one statement or another: those of some hundred small batches, or of a few of the largest."""
PRESSED_JOBS = 4
"""More than so many at once, and some of them wait for others."""
MIN_TICK_S = 0.002
"""Real time between two ticks at least: a clock that runs fast moves at every look."""


class Memory(Protocol):
    """What jobs keep in memory of the ledger; it can be loaded again at any time."""

    def forget(self, store: str | None = None) -> None: ...


class Versioned(Protocol):
    """What is kept in memory of one store."""

    version: int


class Transaction:
    """What a job gets. The database transaction begins with the first use of `connection`.

    Rows given to `later` wait until somebody looks at the `connection`, or for the commit: the jobs that share a transaction
    share its statements, too, and each finds what those before it wrote.
    is_shared: other processes write this ledger, too; see `central.ledger.lanes`.
    is_pressed: others wait for the ledger meanwhile; what may be written later should be.
    """

    is_shared = False
    is_pressed = False
    relays = "*"
    """The store whose events the relay places in it; "*": all."""

    def __init__(self, ledger: Ledger, now_ms: int) -> None:
        self.now_ms = now_ms
        self.has_outgoing = False
        self._ledger = ledger
        self._connection: Connection | None = None
        self._later: dict[BulkStatement, list[tuple[Any, ...]]] = {}
        self._later_rows = 0
        self._after: list[Callable[[], None]] = []

    def after_commit(self, act: Callable[[], None]) -> None:
        """`act` is called in this thread once all of it is on the disk, never when it is rolled back.

        For work in another transaction that must find what this one wrote.
        """
        self._after.append(act)

    def hold(self, store: str, *, writes: bool = False) -> int:
        """Makes this transaction the only writer of `store`. Returns the version that memory of it must have.

        writes: it is sure to.
        """
        del store, writes
        return 0

    def rely_on(self, memory: Versioned) -> None:
        """`memory` is true of the store that is held; the commit will carry its version on."""

    @property
    def connection(self) -> Connection:
        connection = self._begun()
        if self._later:
            self._write_later(connection)
        return connection

    def later(self, statement: BulkStatement, rows: Sequence[tuple[Any, ...]]) -> None:
        """Writes `rows`, in the statement's order, before anything reads; those of one statement in the order in which they came."""
        if not rows:
            return
        self._later.setdefault(statement, []).extend(rows)
        self._later_rows += len(rows)
        if self._later_rows > MAX_LATER_ROWS:
            self._write_later(self._begun())

    def _begun(self) -> Connection:
        if self._connection is None:
            self._connection = self._ledger.write.connect()
        if not self._connection.in_transaction():
            self._connection.begin()
        return self._connection

    def _write_later(self, connection: Connection) -> None:
        waiting, self._later, self._later_rows = self._later, {}, 0
        for statement, rows in waiting.items():
            statement.run_tuples(connection, rows)

    def commit(self) -> None:
        if self._later:
            self._write_later(self._begun())
        if self._connection is not None:
            self._connection.commit()
        self._do_what_follows()

    def _do_what_follows(self) -> None:
        acts, self._after = self._after, []
        for act in acts:
            act()

    def close(self) -> None:
        """Rolls back what was not committed."""
        self._later, self._later_rows, self._after = {}, 0, []
        if self._connection is not None:
            self._connection.close()
            self._connection = None


Job = Callable[[Transaction], Any]


class Settled(Protocol):
    """Who waits for a job: one of the two is called once, in the thread that ran it, after the commit."""

    def set_result(self, result: Any) -> None: ...

    def set_exception(self, error: BaseException) -> None: ...


@dataclass(slots=True)
class _Waiting:
    job: Job
    future: Settled = field(default_factory=Future)


class LedgerWriter:
    """submit: from any thread. tick: called with the business time whenever it moved, in a transaction of its own.

    on_outgoing: called after a commit that left rows in the outgoing table.
    """

    def __init__(self, ledger: Ledger, memory: Memory, clock: Clock, *, poll_s: float) -> None:
        self._ledger, self._memory, self._clock, self._poll_s = ledger, memory, clock, poll_s
        self._queue: queue.Queue[_Waiting] = queue.Queue(MAX_QUEUED)
        self.tick: Job = lambda _tx: None
        self.on_outgoing: Job = lambda _tx: None
        self.ticked_ms = 0
        self.commits_total = 0
        self.failed_jobs_total = 0

    @property
    def queued(self) -> int:
        return self._queue.unfinished_tasks

    @property
    def is_pressed(self) -> bool:
        """Whether more jobs are here than are being worked on."""
        return self.queued > PRESSED_JOBS

    def transaction(self, now_ms: int) -> Transaction:
        """One that this writer would give a job; for whoever runs jobs himself, without `run`."""
        return Transaction(self._ledger, now_ms)

    def submit(self, job: Callable[[Transaction], T]) -> "Future[T]":
        """The job's result, once it is on the disk. Raises BusyError when the queue is full."""
        future: Future[T] = Future()
        self.submit_to(job, future)
        return future

    def submit_to(self, job: Job, waiting: Settled) -> None:
        """The same, for whoever waits in a way of his own."""
        try:
            self._queue.put_nowait(_Waiting(job, waiting))
        except queue.Full:
            raise BusyError(f"{MAX_QUEUED} requests wait for the ledger; send again in a second") from None

    def call(self, job: Callable[[Transaction], T]) -> T:
        return self.submit(job).result()

    def poke(self) -> None:
        """Lets the writer look at the clock now."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(_Waiting(lambda _tx: None))

    def run(self, stop: threading.Event) -> None:
        last_tick = 0.0
        while not stop.is_set() or not self._queue.empty():
            group = self._gather()
            if group:
                self._commit(group)
            now_ms = self._clock.now_ms()
            if now_ms != self.ticked_ms and time.monotonic() - last_tick >= MIN_TICK_S:
                self._run_alone(_Waiting(self.tick), now_ms)
                self.ticked_ms, last_tick = now_ms, time.monotonic()

    def _gather(self) -> list[_Waiting]:
        try:
            group = [self._queue.get(timeout=self._poll_s)]
        except queue.Empty:
            return []
        self._add_waiting(group)
        return group

    def _add_waiting(self, group: list[_Waiting]) -> None:
        with contextlib.suppress(queue.Empty):
            while len(group) < MAX_GROUP:
                group.append(self._queue.get_nowait())

    def _work_off(self, group: list[_Waiting], transaction: Transaction) -> list[Any]:
        """The group's outcomes, and those of jobs that joined it meanwhile."""
        outcomes: list[Any] = []
        until_s = time.monotonic() + GROUP_S
        while len(outcomes) < len(group):
            transaction.is_pressed = self.is_pressed
            outcomes += [_outcome(waiting.job, transaction) for waiting in group[len(outcomes) :]]
            if time.monotonic() < until_s:
                self._add_waiting(group)
        return outcomes

    def _commit(self, group: list[_Waiting]) -> None:
        transaction = Transaction(self._ledger, self._clock.now_ms())
        try:
            outcomes = self._work_off(group, transaction)
            self._finish(transaction)
        except Exception as error:  # noqa: BLE001 - whose fault it is shows when each runs alone
            transaction.close()
            self._memory.forget()
            if len(group) == 1:
                self._fail(group[0], error)
            else:
                for waiting in group:
                    self._run_alone(waiting, self._clock.now_ms())
        else:
            for waiting, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, CentralError):
                    waiting.future.set_exception(outcome)
                else:
                    waiting.future.set_result(outcome)
        finally:
            transaction.close()
            for _ in group:
                self._queue.task_done()

    def _run_alone(self, waiting: _Waiting, now_ms: int) -> None:
        transaction = Transaction(self._ledger, now_ms)
        try:
            result = waiting.job(transaction)
            self._finish(transaction)
        except Exception as error:
            transaction.close()
            self._memory.forget()
            self._fail(waiting, error)
            if waiting.job is self.tick:
                raise
        else:
            waiting.future.set_result(result)
        finally:
            transaction.close()

    def _finish(self, transaction: Transaction) -> None:
        transaction.commit()
        self.commits_total += 1
        if transaction.has_outgoing:
            # The relay: positions are given after the commit, so that a cursor never passes a slower transaction.
            transaction.has_outgoing = False
            self.on_outgoing(transaction)
            self.commits_total += 1

    def _fail(self, waiting: _Waiting, error: Exception) -> None:
        self.failed_jobs_total += 1
        waiting.future.set_exception(error)


def _outcome(job: Job, transaction: Transaction) -> Any:
    try:
        return job(transaction)
    except CentralError as error:
        return error
