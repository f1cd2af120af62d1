"""Threads whose death ends the process: a half-dead gateway is worse than one that systemd starts again."""

import os
import signal
import threading
from collections.abc import Callable

from runtime.errors import EXIT_FAULT
from runtime.logs import Log

log = Log("runtime.supervise")


class Supervisor:
    """Starts named threads; ends the process with status 1 when one raises or returns before `stop` is set."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run, args=(name, target), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT ask for an orderly end. Call from the main thread.

        The handler only writes to a pipe: `Event.set` in a handler deadlocks when the signal comes while the main
        thread itself holds the event's lock, on its way into `stop.wait`.
        """
        reading, writing = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os.write(writing, b"."))

        def wait_for_signal() -> None:
            os.read(reading, 1)
            self.stop.set()

        threading.Thread(target=wait_for_signal, name="signals", daemon=True).start()

    def join(self, timeout_s: float = 10.0) -> None:
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self, name: str, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException:  # a thread's top: report, then end the process
            log.exception("thread died, ending the process", thread=name)
            os._exit(EXIT_FAULT)
        if not self.stop.is_set():
            log.error("thread returned early, ending the process", thread=name)
            os._exit(EXIT_FAULT)
