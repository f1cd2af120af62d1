"""Keeps a demo's processes up, as systemd does in a shop: starts them, starts them again, ends them, weighs them.

One thread spawns all children and lives as long as they do: Linux ties a child's death signal to the thread that
forked it (see launch.py), so that no process is left when this one is killed.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from runtime.errors import EXIT_BAD_CONFIG

LAUNCH = Path(__file__).with_name("launch.py")
POLL_S = 0.02
WEIGH_EVERY_S = 0.5
RESTART_DELAYS_S = (0.0, 0.2, 0.5, 1.0, 2.0)
SHORT_LIFE_S = 2.0
MAX_SHORT_LIVES = 8
"""Deaths in a row, each within SHORT_LIFE_S of the start, until a program is given up."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """restart: start it again when it dies. piped: its stdin and stdout are pipes to us."""

    name: str
    argv: tuple[str, ...]
    log: Path
    restart: bool = True
    piped: bool = False
    env: dict[str, str] = field(default_factory=dict)


class ChildError(Exception):
    """A process that cannot be kept up; the message says which, how it ended, and shows the end of its log."""


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    started_s: float
    short_lives: int = 0
    restart_at_s: float | None = None
    wanted: bool = True


class ProcessSupervisor:
    """`with` it; `start` what is to live, `kill` what is to come back, `end` what is to go for good."""

    def __init__(self, restart_delays_s: Sequence[float] = RESTART_DELAYS_S) -> None:
        self._restart_delays_s = restart_delays_s
        self.deaths: dict[str, int] = {}
        """Deaths that nobody ordered, by name."""
        self.peak_rss_kb: dict[str, int] = {}
        self._children: dict[str, _Child] = {}
        self._ordered: set[int] = set()
        self._failure: ChildError | None = None
        self._calls: queue.Queue[tuple[Callable[[], object], queue.Queue[object]]] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor")
        self._next_weigh_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.end(list(self._children), grace_s=5.0)
        finally:
            self._stop.set()
            self._thread.join(10)

    def start(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        result = self._call(lambda: self._start(spec))
        assert isinstance(result, _Child)
        return result.process

    def run(self, spec: ProcessSpec) -> None:
        """Starts what does one thing and ends, and waits for it. Raises ChildError when it ends with another status than 0."""
        self.begin(spec)
        self.finish(spec)

    def begin(self, spec: ProcessSpec) -> None:
        """Starts what does one thing and ends; `finish` waits for it."""
        self._call(lambda: self._start(spec, wanted=False))

    def finish(self, spec: ProcessSpec) -> None:
        process = self._children[spec.name].process
        while (status := process.poll()) is None:
            time.sleep(POLL_S)
        self._call(lambda: self._finish_end([spec.name]))
        if status != 0:
            raise ChildError(f"{spec.name} ended with status {status}:\n{log_tail(spec.log)}")

    def kill(self, name: str) -> int:
        """SIGKILL; the process comes back by itself. Returns its pid, 0 when it is down at the moment."""
        result = self._call(lambda: self._kill(name))
        assert isinstance(result, int)
        return result

    def end(self, names: Sequence[str], grace_s: float) -> None:
        """SIGTERM to all of `names` at once, SIGKILL after the grace to those that are left."""
        self._call(lambda: self._begin_end(names))
        deadline_s = time.monotonic() + grace_s
        while time.monotonic() < deadline_s and any(self._alive(name) for name in names):
            time.sleep(POLL_S)
        self._call(lambda: self._finish_end(names))

    def check(self) -> None:
        """Raises ChildError when a process could not be kept up."""
        if self._failure is not None:
            raise self._failure

    def pids(self) -> dict[str, int]:
        return {name: child.process.pid for name, child in self._children.items() if self._alive(name)}

    def _alive(self, name: str) -> bool:
        return name in self._children and self._children[name].process.poll() is None

    def _call(self, what: Callable[[], object]) -> object:
        answer: queue.Queue[object] = queue.Queue(1)
        self._calls.put((what, answer))
        result = answer.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                what, answer = self._calls.get(timeout=POLL_S)
            except queue.Empty:
                self._look_after()
                continue
            try:
                answer.put(what())
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                answer.put(error)

    def _look_after(self) -> None:
        now_s = time.monotonic()
        for child in self._children.values():
            if child.process.poll() is not None and child.wanted:
                self._bring_back(child, now_s)
        if now_s >= self._next_weigh_s:
            self._next_weigh_s = now_s + WEIGH_EVERY_S
            for child in self._children.values():
                self._weigh(child)

    def _bring_back(self, child: _Child, now_s: float) -> None:
        if child.restart_at_s is None:
            self._note_death(child, now_s)
        elif now_s >= child.restart_at_s:
            child.process, child.started_s, child.restart_at_s = self._spawn(child.spec), now_s, None

    def _note_death(self, child: _Child, now_s: float) -> None:
        spec, status = child.spec, child.process.returncode
        ordered = child.process.pid in self._ordered
        self._ordered.discard(child.process.pid)
        if not ordered:
            self.deaths[spec.name] = self.deaths.get(spec.name, 0) + 1
        child.short_lives = (
            child.short_lives + 1 if now_s - child.started_s < SHORT_LIFE_S and not ordered else 0
        )
        if not spec.restart or status == EXIT_BAD_CONFIG or child.short_lives >= MAX_SHORT_LIVES:
            child.wanted = False
            self._failure = self._failure or ChildError(
                f"{spec.name} ended with status {status} and stays down; its log {spec.log} ends with:\n{log_tail(spec.log)}"
            )
            return
        child.restart_at_s = (
            now_s + self._restart_delays_s[min(child.short_lives, len(self._restart_delays_s) - 1)]
        )

    def _start(self, spec: ProcessSpec, *, wanted: bool = True) -> _Child:
        child = _Child(spec, self._spawn(spec), time.monotonic(), wanted=wanted)
        self._children[spec.name] = child
        return child

    def _spawn(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHELFLOOP_")}
        with spec.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *spec.argv],
                stdin=subprocess.PIPE if spec.piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if spec.piped else log,
                stderr=log,
                # Three glibc arenas a thread would cost tens of MB in processes with many threads.
                env={
                    **inherited,
                    "MALLOC_ARENA_MAX": "2",
                    "OMP_NUM_THREADS": "1",
                    "PYTHONUNBUFFERED": "1",
                    **spec.env,
                },
                # A session of its own: Ctrl-C at the terminal is for us, and we end the children in order.
                start_new_session=True,
            )

    def _kill(self, name: str) -> int:
        child = self._children[name]
        if child.process.poll() is not None:
            return 0
        self._weigh(child)
        self._ordered.add(child.process.pid)
        child.process.kill()
        child.process.wait()
        return child.process.pid

    def _begin_end(self, names: Sequence[str]) -> None:
        for name in names:
            child = self._children.get(name)
            if child is None:
                continue
            self._weigh(child)
            child.wanted = False
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)

    def _finish_end(self, names: Sequence[str]) -> None:
        for name in names:
            child = self._children.pop(name, None)
            if child is None:
                continue
            if child.process.poll() is None:
                child.process.kill()
            child.process.wait()
            for pipe in (child.process.stdin, child.process.stdout):
                if pipe is not None:
                    _close_quietly(pipe.close)

    def _weigh(self, child: _Child) -> None:
        """VmHWM is the peak that the kernel saw: no sampling can miss it while the process lives."""
        try:
            status = Path(f"/proc/{child.process.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                name = child.spec.name
                self.peak_rss_kb[name] = max(self.peak_rss_kb.get(name, 0), int(line.split()[1]))


def log_tail(path: Path, lines: int = 15) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(f"  {line[:300]}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"


def _close_quietly(close: Callable[[], None]) -> None:
    try:
        close()
    except OSError:
        return  # the pipe broke with its process
