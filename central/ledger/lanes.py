"""The writer where several processes write one ledger (PostgreSQL): several transactions at once, each of one store.

Jobs of a store wait in its line and share a transaction. A transaction locks its store's head first, so that no other
process writes the store meanwhile; the head's version tells whether what this process has in memory of the store is
still true. A transaction that would touch a second store is a defect and raises: a store may live on a server of its own.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.errors import BusyError, CentralError
from central.ledger.bulk import BulkStatement
from central.ledger.engine import LANES, Ledger
from central.ledger.writer import (
    MAX_GROUP,
    MAX_QUEUED,
    LedgerWriter,
    Memory,
    Settled,
    Transaction,
    Versioned,
)
from runtime.clock import Clock
from runtime.logs import Log

if TYPE_CHECKING:
    from central.ledger.postgresql import Stream

log = Log("central.writer")

CHAIN = ""
"""Jobs of no store stand in the chain's line."""
RETRY_S = 1.0

_NEW_HEAD = sa.text("INSERT INTO store_heads (store_id, version) VALUES (:store, 0) ON CONFLICT DO NOTHING")
_HOLD = "SELECT version FROM store_heads WHERE store_id = %s FOR UPDATE"
_HOLD_AND_MOVE = "UPDATE store_heads SET version = version + 1 WHERE store_id = %s RETURNING version - 1"
"""Of who is sure to write: one statement, and one version of the row, instead of two."""
_NEXT_VERSION = "UPDATE store_heads SET version = %s WHERE store_id = %s"


class LaneTransaction(Transaction):
    """A transaction of one store."""

    is_shared = True

    def __init__(self, ledger: Ledger, now_ms: int) -> None:
        super().__init__(ledger, now_ms)
        self._held: str | None = None
        self._version = 0
        self._memory: Versioned | None = None
        self._has_moved = False
        self._stream: Stream | None = None

    @property
    def connection(self) -> Connection:
        self._settle()
        return self._begun()

    def later(self, statement: BulkStatement, rows: Sequence[tuple[Any, ...]]) -> None:
        """At once: a transaction mostly has one batch, and the server works on its statements while the next is made.

        Nobody waits for what it says to them before the commit, or before somebody looks at the `connection`.
        """
        if rows:
            statement.run_tuples(self._begun(), rows, self.stream().send)

    def stream(self) -> "Stream":
        """Of the transaction's connection; `connection` waits until the server has done what was sent."""
        from central.ledger.postgresql import Stream  # noqa: PLC0415 - only where the driver is

        if self._stream is None:
            self._stream = Stream.of(self._begun())
        return self._stream

    def _settle(self) -> None:
        if self._stream is not None:
            self._stream.finish()

    def hold(self, store: str, *, writes: bool = False) -> int:
        if self._held is None:
            statement = _HOLD_AND_MOVE if writes else _HOLD
            connection, stream = self.connection, self.stream()
            found = stream.row(statement, (store,))
            if found is None:
                connection.execute(_NEW_HEAD, {"store": store})
                found = stream.row(statement, (store,))
            assert found is not None
            assert found[0] is not None
            self._held, self._version, self._has_moved = store, int(found[0]), writes
            connection.info["wrote"] = writes
        elif self._held != store:
            raise RuntimeError(
                f"a transaction of store {self._held!r} was about to write store {store!r}, too"
            )
        return self._version

    def rely_on(self, memory: Versioned) -> None:
        self._memory = memory

    def commit(self) -> None:
        if self._connection is None or not self._connection.in_transaction():
            self._do_what_follows()
            return
        wrote = bool(self._connection.info.get("wrote"))
        if self._held is not None and wrote:
            self._version += 1
            stream = self.stream()
            if not self._has_moved:
                stream.send(_NEXT_VERSION, (str(self._version), self._held))
            stream.commit()
        self._settle()
        self._connection.commit()
        if self._memory is not None:
            self._memory.version = self._version
        self._held, self._memory, self._has_moved = None, None, False
        self._do_what_follows()

    def close(self) -> None:
        with contextlib.suppress(sa.exc.DBAPIError):  # of statements that are rolled back
            self._settle()
        if self._connection is not None and self._stream is not None and self._stream.is_lost:
            self._connection.invalidate()  # else its rollback would raise
        self._stream = None
        super().close()


class _Lines:
    """Jobs that wait, a line a store; a line that is being served is nobody else's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[str, deque[_Job]] = {}
        self._ready: deque[str] = deque()
        self._served: set[str] = set()
        self.count = 0

    def add(self, store: str, job: "_Job") -> None:
        with self._changed:
            if self.count >= MAX_QUEUED:
                raise BusyError(f"{MAX_QUEUED} requests wait for the ledger; send again in a second")
            self.count += 1
            line = self._lines.setdefault(store, deque())
            line.append(job)
            if len(line) == 1 and store not in self._served:
                self._ready.append(store)
            self._changed.notify()

    def take(self, wait_s: float) -> "tuple[str, list[_Job]] | None":
        """The first jobs of a line that nobody serves; None when there is none for so long."""
        with self._changed:
            if not self._ready and not self._changed.wait_for(lambda: bool(self._ready), wait_s):
                return None
            store = self._ready.popleft()
            line = self._lines[store]
            group = [line.popleft() for _ in range(min(len(line), MAX_GROUP))]
            self._served.add(store)
            return store, group

    def done(self, store: str, jobs: int) -> None:
        with self._changed:
            self.count -= jobs
            self._served.discard(store)
            if self._lines[store]:
                self._ready.append(store)
                self._changed.notify()
            else:
                del self._lines[store]


class _Job:
    __slots__ = ("future", "run")

    def __init__(self, run: Callable[[Transaction], Any], future: Settled) -> None:
        self.run, self.future = run, future


class LaneWriter(LedgerWriter):
    """Takes jobs as LedgerWriter does; a job's `store` attribute names the store that it writes, none: the chain.

    tick: called with a transaction of the chain; work on stores it submits as jobs.
    """

    def __init__(
        self, ledger: Ledger, memory: Memory, clock: Clock, *, poll_s: float, lanes: int = LANES
    ) -> None:
        super().__init__(ledger, memory, clock, poll_s=poll_s)
        self._lines, self._lanes = _Lines(), lanes
        self._poked = threading.Event()
        self._counting = threading.Lock()
        self._broken: BaseException | None = None

    @property
    def queued(self) -> int:
        return self._lines.count

    def transaction(self, now_ms: int) -> Transaction:
        return LaneTransaction(self._ledger, now_ms)

    def submit_to(self, job: Callable[[Transaction], Any], waiting: Settled) -> None:
        self._lines.add(getattr(job, "store", CHAIN), _Job(job, waiting))

    def poke(self) -> None:
        self._poked.set()

    def run(self, stop: threading.Event) -> None:
        threads = [
            threading.Thread(target=self._serve, args=(stop,), name=f"lane {number}", daemon=True)
            for number in range(self._lanes)
        ]
        for thread in threads:
            thread.start()
        failing = False
        while not stop.is_set() and self._broken is None:
            now_ms = self._clock.now_ms()
            if now_ms != self.ticked_ms:
                try:
                    self.call(self.tick)
                    self.ticked_ms = now_ms
                except (sa.exc.DBAPIError, CentralError) as error:
                    # The ledger is away for a while, or somebody holds the chain: the next tick does the work.
                    failing = _note(failing, problem=str(error)[:200])
                    stop.wait(RETRY_S)
                    continue
            failing = _note(failing, problem="")
            self._poked.wait(self._poll_s)
            self._poked.clear()
        for thread in threads:
            thread.join()
        if self._broken is not None:
            raise self._broken

    def _serve(self, stop: threading.Event) -> None:
        """One lane. Its death ends the process: `run` raises what it died of."""
        try:
            while not stop.is_set() or self._lines.count:
                taken = self._lines.take(0.2)
                if taken is not None:
                    store, group = taken
                    try:
                        self._serve_group(store, group)
                    finally:
                        self._lines.done(store, len(group))
        except BaseException as error:  # noqa: BLE001 - a thread's top
            self._broken = error
            self._poked.set()

    def _serve_group(self, store: str, group: list[_Job]) -> None:
        transaction = LaneTransaction(self._ledger, self._clock.now_ms())
        transaction.is_pressed = self.is_pressed
        try:
            outcomes = [_outcome(job, transaction) for job in group]
            self._close_books(transaction)
        except Exception as error:  # noqa: BLE001 - whose fault it is shows when each runs alone
            transaction.close()
            self._memory.forget(store)
            if len(group) == 1:
                self._give_up(group[0], error)
            else:
                for job in group:
                    self._serve_group(store, [job])
            return
        finally:
            transaction.close()
        for job, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, CentralError):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)
        if transaction.has_outgoing:
            self._relay(store)

    def _close_books(self, transaction: Transaction) -> None:
        transaction.commit()
        with self._counting:
            self.commits_total += 1

    def _relay(self, store: str) -> None:
        """A transaction of its own after the commit. What it does not reach, the next sweep will."""
        transaction = LaneTransaction(self._ledger, self._clock.now_ms())
        transaction.relays = store
        try:
            self.on_outgoing(transaction)
            self._close_books(transaction)
        except sa.exc.DBAPIError as error:
            log.warning("events wait for the next sweep", reason=str(error.orig)[:200])
            self._memory.forget(store)
        finally:
            transaction.close()

    def _give_up(self, job: _Job, error: Exception) -> None:
        with self._counting:
            self.failed_jobs_total += 1
        if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
            log.warning("the ledger did not answer", reason=str(error.orig)[:200])
            error = BusyError("the ledger does not answer; send again in a second")
        job.future.set_exception(error)


def _outcome(job: _Job, transaction: Transaction) -> Any:
    try:
        return job.run(transaction)
    except CentralError as error:
        return error


def _note(failing: bool, *, problem: str) -> bool:
    """Says a change of state once. Returns whether it fails now."""
    if bool(problem) != failing:
        log.warning("the ledger fails" if problem else "the ledger answers again", problem=problem)
    return bool(problem)
