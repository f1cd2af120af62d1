"""What a process tells systemd and its journal, and what it logs of states."""

import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.conditions import MAX_LINES_A_LOOK, Conditions
from runtime.journald import JournalHandler, is_journal
from runtime.logs import Log, printable
from runtime.systemd_notify import ServiceNotifier
from runtime.time_sync import is_synchronised


class Manager:
    """systemd's side of the socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[bytes]:
        found = []
        try:
            while True:
                found.append(self._socket.recv(100_000))
        except BlockingIOError:
            return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def _environ(manager: Manager, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(manager.path), **more}


def test_ready_comes_with_the_first_progress_and_once(manager: Manager) -> None:
    notifier = ServiceNotifier(_environ(manager))
    assert manager.heard() == []
    notifier.progress()
    notifier.progress()
    assert manager.heard() == [b"READY=1"]


def test_progress_feeds_the_watchdog_and_nothing_else_does(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("runtime.systemd_notify.time.monotonic", lambda: now_s[0])
    notifier = ServiceNotifier(_environ(manager, WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid())))
    notifier.progress()
    manager.heard()
    for _ in range(40):
        now_s[0] += 1.0
        notifier.progress()
    assert manager.heard() == [b"WATCHDOG=1"] * 8  # every quarter of 20 s
    now_s[0] += 1000.0
    notifier.say("still here, says another thread")
    assert manager.heard() == [b"STATUS=still here, says another thread"]
    assert notifier.silent_s() == 1000.0


def test_a_watchdog_of_another_process_is_not_ours_to_feed(manager: Manager) -> None:
    other = ServiceNotifier(_environ(manager, WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid() + 1)))
    assert other.watchdog_s == 0.0


def test_a_status_is_sent_when_it_changes_and_holds_one_line(manager: Manager) -> None:
    notifier = ServiceNotifier(_environ(manager))
    notifier.say("all is well")
    notifier.say("all is well")
    notifier.say("bad\nREADY=1")
    assert manager.heard() == [b"STATUS=all is well", rb"STATUS=bad\x0aREADY=1"]


def test_an_abstract_socket_is_found_and_a_missing_one_harms_nothing(tmp_path: Path) -> None:
    name = f"shelfloop-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind(f"\0{name}")
        abstract.settimeout(5)
        ServiceNotifier({"NOTIFY_SOCKET": f"@{name}"}).stopping()
        assert abstract.recv(100) == b"STOPPING=1"
    for gone in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}, {"NOTIFY_SOCKET": "vsock:2:1"}):
        ServiceNotifier(gone).progress()


# --- the journal


def _fields(datagram: bytes) -> dict[str, str]:
    """Reads the native protocol as its specification says."""
    found = {}
    while datagram:
        name, mark, rest = (
            datagram.partition(b"=") if b"=" in datagram.split(b"\n")[0] else datagram.partition(b"\n")
        )
        if mark == b"=":
            value, _, datagram = rest.partition(b"\n")
        else:
            (length,) = struct.unpack_from("<Q", rest)
            value, datagram = rest[8 : 8 + length], rest[8 + length + 1 :]
        found[name.decode()] = value.decode()
    return found


def _handler(path: Path, lines: list[str]) -> JournalHandler:
    class Fallback(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    return JournalHandler(
        Fallback(), lambda record: f"{record.name}: {record.getMessage()}", printable, str(path)
    )


def test_every_field_of_a_log_line_has_its_own_name_in_the_journal(manager: Manager) -> None:
    logger = logging.Logger("edge.test")  # noqa: LOG001 - one of its own, that no other test configures
    logger.addHandler(_handler(manager.path, []))
    logger.warning("device silent", extra={"fields": {"device": "till-1\nPRIORITY=0", "last-heard": 7}})
    try:
        raise ValueError("of two\nlines")  # noqa: TRY301
    except ValueError:
        logger.exception("thread died")
    first, second = (_fields(datagram) for datagram in manager.heard())
    assert first == {
        "MESSAGE": "edge.test: device silent", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "shelfloop",
        "SHELFLOOP_LOGGER": "edge.test", "SHELFLOOP_EVENT": "device silent",
        "SHELFLOOP_DEVICE": r"till-1\x0aPRIORITY=0", "SHELFLOOP_LAST_HEARD": "7",
    }  # fmt: skip
    assert second["PRIORITY"] == "3"
    assert "ValueError: of two\nlines" in second["MESSAGE"]


def test_while_the_journal_is_away_lines_go_to_standard_error(tmp_path: Path) -> None:
    lines: list[str] = []
    logger = logging.Logger("edge.test")  # noqa: LOG001 - one of its own, that no other test configures
    logger.addHandler(_handler(tmp_path / "gone", lines))
    logger.warning("device silent")
    assert lines == ["device silent"]


def test_only_a_stderr_that_is_the_journal_counts_as_one() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        found = os.fstat(stream.fileno())
        named = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_journal(named, stream.fileno())
        assert not is_journal({"JOURNAL_STREAM": "8:1"}, stream.fileno())
        assert not is_journal({}, stream.fileno())


# --- states


def test_a_condition_is_logged_as_it_begins_and_as_it_ends_and_never_in_between(
    caplog: pytest.LogCaptureFixture,
) -> None:
    conditions = Conditions(Log("test"), "a problem")
    with caplog.at_level(logging.INFO):
        for failure in range(500):
            conditions.look({"centre": f"no answer, try {failure}"})
        conditions.look({})
        conditions.look({})
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "a problem begins"), ("INFO", "a problem ends"),
    ]  # fmt: skip


def test_a_thousand_conditions_at_once_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    conditions = Conditions(Log("test"), "an alert")
    with caplog.at_level(logging.INFO):
        conditions.look({f"empty-facing sku-{i}": "empty" for i in range(1000)})
        conditions.look({f"empty-facing sku-{i}": "empty" for i in range(1000)})
    assert len(caplog.records) == MAX_LINES_A_LOOK + 1


def test_time_sync_is_yes_no_or_unknown(tmp_path: Path) -> None:
    assert is_synchronised() in (True, False, None)
    code = (
        "import ctypes, pathlib, sys\n"
        "import runtime.time_sync as t\n"
        "t.ctypes.CDLL = lambda _: object()\n"
        "d = pathlib.Path(sys.argv[1])\n"
        "print(t.is_synchronised(d)); d.mkdir(); print(t.is_synchronised(d))\n"
        "(d / 'synchronized').touch(); print(t.is_synchronised(d))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "timesync")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None", "False", "True"]
