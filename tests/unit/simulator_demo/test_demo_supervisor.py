"""Real processes: they come back, they go, and none outlives who started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.orchestrator.supervisor import MAX_SHORT_LIVES, ChildError, ProcessSpec, ProcessSupervisor

SLEEPER = "import time; time.sleep(600)"


def spec(tmp_path: Path, code: str = SLEEPER, **more: object) -> ProcessSpec:
    return ProcessSpec("child", (sys.executable, "-I", "-S", "-c", code), tmp_path / "child.log", **more)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_killed_process_comes_back_and_the_kill_is_no_unordered_death(tmp_path: Path) -> None:
    with ProcessSupervisor() as supervisor:
        supervisor.start(spec(tmp_path))
        until(lambda: "child" in supervisor.pids())
        first = supervisor.kill("child")
        assert not lives(first)
        until(lambda: supervisor.pids().get("child", first) != first)
        assert supervisor.deaths == {}
        second = supervisor.pids()["child"]
    assert not lives(second)


def test_a_death_that_nobody_ordered_is_counted(tmp_path: Path) -> None:
    with ProcessSupervisor() as supervisor:
        supervisor.start(spec(tmp_path))
        pid = supervisor.pids()["child"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: supervisor.pids().get("child", pid) != pid)
        assert supervisor.deaths == {"child": 1}


def failure(supervisor: ProcessSupervisor) -> str:
    try:
        supervisor.check()
    except ChildError as error:
        return str(error)
    return ""


def test_a_bad_setting_is_not_tried_again_and_its_message_is_shown(tmp_path: Path) -> None:
    code = "import sys; print('port 99999: too high', file=sys.stderr); sys.exit(78)"
    with ProcessSupervisor() as supervisor:
        supervisor.start(spec(tmp_path, code))
        until(lambda: failure(supervisor) != "")
        assert "status 78" in failure(supervisor)
        assert "port 99999: too high" in failure(supervisor)


def test_a_process_that_dies_at_once_again_and_again_is_given_up(tmp_path: Path) -> None:
    with ProcessSupervisor(restart_delays_s=(0.0,)) as supervisor:
        supervisor.start(spec(tmp_path, "raise SystemExit(3)"))
        until(lambda: "status 3" in failure(supervisor))
        assert supervisor.deaths == {"child": MAX_SHORT_LIVES}


def test_who_ignores_the_request_to_end_is_killed_after_the_grace(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    with ProcessSupervisor() as supervisor:
        supervisor.start(spec(tmp_path, stubborn))
        until(lambda: "up" in (tmp_path / "child.log").read_text())
        pid = supervisor.pids()["child"]
        supervisor.end(["child"], grace_s=0.2)
        assert not lives(pid)


def test_what_does_one_thing_is_waited_for(tmp_path: Path) -> None:
    with ProcessSupervisor() as supervisor:
        supervisor.run(spec(tmp_path, "print('done')"))
        with pytest.raises(ChildError, match="status 5"):
            supervisor.run(spec(tmp_path, "raise SystemExit(5)"))


def test_the_peak_memory_of_a_killed_process_is_known(tmp_path: Path) -> None:
    code = "x = bytearray(60_000_000)\nfor i in range(0, len(x), 4096): x[i] = 1\ndel x\nprint('up', flush=True)\nimport time; time.sleep(600)"
    with ProcessSupervisor() as supervisor:
        supervisor.start(spec(tmp_path, code))
        until(lambda: "up" in (tmp_path / "child.log").read_text())
        supervisor.kill("child")
        assert supervisor.peak_rss_kb["child"] > 60_000


def test_no_process_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from simulator.orchestrator.supervisor import ProcessSpec, ProcessSupervisor
with ProcessSupervisor() as supervisor:
    supervisor.start(ProcessSpec("child", (sys.executable, "-I", "-S", "-c", {SLEEPER!r}), Path({str(tmp_path)!r}) / "log"))
    print(supervisor.pids()["child"], flush=True)
    time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    until(
        lambda: (
            "python" in Path(f"/proc/{child}/cmdline").read_text()
            and "launch" not in Path(f"/proc/{child}/cmdline").read_text()
        )
    )
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not lives(child))
