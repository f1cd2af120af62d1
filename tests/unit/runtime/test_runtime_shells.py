"""Logs, counters, supervised threads and the status page."""

import http.client
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.counters import Counters
from runtime.errors import OperatorError
from runtime.logs import MAX_FIELD_CHARS, Log, printable, start_logging
from runtime.status import StatusServer


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


# --- logs


@given(text=st.text(max_size=400) | st.binary(max_size=400))
def test_what_comes_from_a_device_is_short_and_printable(text: str | bytes) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= MAX_FIELD_CHARS


def test_a_log_line_is_one_line_whatever_the_field_says(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        start_logging("INFO")
        Log("test").warning("event", device="a\nb\x1b[31m", count=3, empty="", missing=None)
    finally:
        root.handlers[:], root.level = before
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(r'event device=a\x0ab\x1b[31m count=3 empty="" missing=null')


# --- counters


def test_counters_start_at_zero_and_grow(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "c", ("accepted", "lost"))
    counters.add("accepted")
    counters.add("accepted", 4)
    assert counters.values() == {"accepted": 5, "lost": 0}


def test_counters_outlive_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from runtime.counters import Counters\n"
        f"counters = Counters(Path({str(tmp_path / 'c')!r}), ('accepted',))\n"
        "for _ in range(1234): counters.add('accepted')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert _python(code).returncode == -signal.SIGKILL
    assert Counters(tmp_path / "c", ("accepted",)).values() == {"accepted": 1234}


def test_new_names_are_added_and_old_values_stay(tmp_path: Path) -> None:
    Counters(tmp_path / "c", ("b", "a")).add("a", 7)
    wider = Counters(tmp_path / "c", ("z", "a", "b"))
    wider.add("z")
    assert wider.values() == {"b": 0, "a": 7, "z": 1}
    assert Counters(tmp_path / "c", ("a",)).values() == {"b": 0, "a": 7, "z": 1}


# --- supervised threads

SUPERVISED = """
import sys, time
from runtime.supervise import Supervisor
from runtime.logs import start_logging
start_logging()
supervisor = Supervisor()
supervisor.stop_on_signals()
{setup}
supervisor.stop.wait(15)
supervisor.join(5)
print("orderly end")
"""


def test_a_thread_that_raises_ends_the_process() -> None:
    done = _python(SUPERVISED.format(setup="supervisor.start('reader', lambda: 1 / 0)"))
    assert done.returncode == 1
    assert "thread=reader" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "orderly" not in done.stdout


def test_a_thread_that_returns_early_ends_the_process() -> None:
    done = _python(SUPERVISED.format(setup="supervisor.start('reader', lambda: None)"))
    assert done.returncode == 1
    assert "returned early" in done.stderr


def test_even_sys_exit_in_a_thread_ends_the_process() -> None:
    assert _python(SUPERVISED.format(setup="supervisor.start('reader', sys.exit)")).returncode == 1


def test_sigterm_asks_for_an_orderly_end() -> None:
    setup = "supervisor.start('waiter', supervisor.stop.wait)\nprint('up', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISED.format(setup=setup)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.stdout.read() == "orderly end\n"
    assert process.returncode == 0


def test_a_signal_on_the_way_into_wait_does_not_hang_the_process() -> None:
    # What the main thread does inside `stop.wait`, held open: it owns the event's lock when the signal comes.
    setup = """
import os, signal
with supervisor.stop._cond:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.05)
"""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISED.format(setup=setup)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.communicate(timeout=60)[0] == "orderly end\n"
        finally:
            process.kill()


# --- status


@pytest.fixture
def report() -> dict[str, object]:
    return {"backlog": 0, "now_ms": 5, "problems": []}


@pytest.fixture
def status(report: dict[str, object]) -> Iterator[StatusServer]:
    server = StatusServer(0, lambda: report)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.close()
    thread.join()


def _get(server: StatusServer, path: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, body


def test_status_is_what_the_process_reports(status: StatusServer, report: dict[str, object]) -> None:
    assert _get(status, "/status") == (200, report)
    report["backlog"] = 3
    assert _get(status, "/status")[1]["backlog"] == 3


def test_a_process_with_problems_is_not_healthy(status: StatusServer, report: dict[str, object]) -> None:
    assert _get(status, "/healthz")[0] == 200
    report["problems"] = ["broker lost"]
    assert _get(status, "/healthz")[0] == 503
    assert _get(status, "/status")[0] == 200


def test_any_other_page_is_404(status: StatusServer) -> None:
    assert _get(status, "/secrets")[0] == 404


def test_one_connection_serves_many_questions(status: StatusServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", status.port, timeout=60)
    for _ in range(50):
        connection.request("GET", "/status")
        connection.getresponse().read()
    connection.close()


def test_a_taken_port_is_named(status: StatusServer) -> None:
    with pytest.raises(OperatorError, match=f"status_port {status.port} on 127.0.0.1"):
        StatusServer(status.port, dict)
