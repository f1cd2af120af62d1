"""Runs a how-to as it is written: files from its titled blocks, commands from its bash blocks, in order, in one folder.

```toml edge.toml   → the file edge.toml
```bash            → run by bash -euo pipefail; what it leaves in the background lives until the test's end
```text            → shown to the reader, not run
"""

import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

PAGES = Path(__file__).resolve().parents[2] / "docs" / "howto"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLONE_NEWNET = 0x4000_0000  # linux/sched.h
SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # linux/sockios.h, linux/if.h
BLOCK_LIMIT_S = 300
BIN = Path(sys.executable).parent
SHOPS_ZONE = ZoneInfo("Europe/Berlin")
"""Of the shop that the pages make."""
MIDNIGHT_S = 240


@dataclass
class HowtoRun:
    """The folder of one run, and the sessions that its blocks started."""

    folder: Path
    sessions: list[int] = field(default_factory=list)

    def follow(self, page: str, upto: str = "", after: str = "") -> list[str]:
        """What each bash block of `page` printed. upto, after: only the part of the page before, or after, this heading."""
        text = (PAGES / page).read_text(encoding="utf-8")
        for heading in filter(None, (upto, after)):
            assert heading in text, f"{page} has no {heading!r}"
        text = text.split(upto)[0] if upto else text
        text = text.split(after, 1)[1] if after else text
        printed = []
        for language, name, body in BLOCK.findall(text):
            if name:
                (self.folder / name).write_text(body, encoding="utf-8")
            elif language == "bash":
                printed.append(self.run(body, page))
        return printed

    def run(self, script: str, page: str = "") -> str:
        """What `script` printed. Fails with all it said when its status is not 0."""
        out, err = self.folder / ".stdout", self.folder / ".stderr"
        environment = {**os.environ, "PATH": f"{BIN}:/usr/sbin:{os.environ['PATH']}"}
        with out.open("wb") as stdout, err.open("wb") as stderr:
            shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True,
            )  # fmt: skip
            self.sessions.append(shell.pid)
            try:
                status = shell.wait(BLOCK_LIMIT_S)
            except subprocess.TimeoutExpired:
                status = -1
        told = f"{page}: status {status} from\n{script}\n{out.read_text()}\n{err.read_text()}\n{self._logs()}"
        assert status == 0, told
        return out.read_text()

    def end(self) -> None:
        """Ends whatever the blocks left in the background: politely, then not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for session in reversed(self.sessions):
                for pid in _members(session):
                    _signal(pid, number)
            if number is signal.SIGTERM:
                self._wait_until_gone()

    def _wait_until_gone(self) -> None:
        waiter = socket.socketpair()
        waiter[0].settimeout(0.1)
        for _ in range(80):
            if not any(_members(session) for session in self.sessions):
                break
            try:
                waiter[0].recv(1)
            except TimeoutError:
                continue
        for end in waiter:
            end.close()

    def _logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log"))
        )


@contextmanager
def howto(folder: Path) -> Iterator[HowtoRun]:
    """The pages name fixed ports: where the system allows it, each run has a loopback of its own."""
    wait_out_midnight()
    run = HowtoRun(folder)
    with _own_loopback():
        try:
            yield run
        finally:
            run.end()


def wait_out_midnight() -> None:
    """What is sold before the shop's midnight is not of today after it: who looks at "today" does not begin just before."""
    now = datetime.now(SHOPS_ZONE)
    left_s = ((now + timedelta(days=1)).replace(hour=0, minute=0, second=0) - now).total_seconds()
    if left_s < MIDNIGHT_S:
        time.sleep(left_s + 1)


@contextmanager
def _own_loopback() -> Iterator[None]:
    """This thread and what it starts see an empty network. Without the right to that, the machine's own."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        if libc.unshare(CLONE_NEWNET) != 0:
            yield
            return
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0


def _members(session: int) -> list[int]:
    """Living processes of the session that a block's shell led."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
