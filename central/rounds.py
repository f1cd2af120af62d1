"""Work on many stores that nobody waits for, a job at a time: what time brings on a shared ledger, and sagas left behind."""

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from central import sagas
from central.context import Work
from central.errors import CentralError
from runtime.logs import Log

if TYPE_CHECKING:
    from central.centre import Centre

log = Log("central.rounds")

LOOK_FOR_SAGAS_S = 15.0
POLL_S = 0.5
MAX_WAITING = 100_000
"""Jobs; more are dropped and counted: the next turn of the same work brings them again."""


class Rounds:
    """`run` in a supervised thread; `add` from any."""

    def __init__(self, centre: "Centre", real_ms: Callable[[], int]) -> None:
        self._centre, self._real_ms = centre, real_ms
        self._jobs: queue.Queue[tuple[str, Callable[[Work], object]]] = queue.Queue(MAX_WAITING)
        self._looked_s = time.monotonic()

    @property
    def waiting(self) -> int:
        return self._jobs.unfinished_tasks

    def add(self, store: str, job: Callable[[Work], object]) -> None:
        try:
            self._jobs.put_nowait((store, job))
        except queue.Full:
            self._centre.count("dropped_rounds")

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._one()
                self._sagas()
            except (CentralError, sa.exc.DBAPIError) as error:
                # The ledger is away for a while: the next turn brings the job again, the saga's row stays.
                log.warning("a round's job failed", reason=str(error)[:200])
                stop.wait(POLL_S)

    def _one(self) -> None:
        try:
            store, job = self._jobs.get(timeout=POLL_S)
        except queue.Empty:
            return
        try:
            self._centre.call_store(store, job)
        finally:
            self._jobs.task_done()

    def _sagas(self) -> None:
        if time.monotonic() - self._looked_s < LOOK_FOR_SAGAS_S:
            return
        self._looked_s = time.monotonic()
        with self._centre.ledger.read.connect() as connection:
            left = sagas.left_over(connection, self._real_ms())
        for saga in left:
            log.info("a saga goes on", kind=saga.kind, through_store=saga.through_store)
            sagas.carry_out(self._centre, saga, self._real_ms)
