"""A real PostgreSQL on a free loopback port, in a folder of its own: Debian's programs, no system service.

The server refuses to run as root: a root who tests starts it as the user `postgres`.
"""

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from free_ports import free_port


def programs() -> Path | None:
    """The folder of initdb and postgres, None where there is no PostgreSQL 15 or newer."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    for path in reversed(found):
        if int(path.parts[-3]) >= 15:
            return path.parent
    name = shutil.which("initdb")
    return Path(name).resolve().parent if name else None


def why_absent() -> str:
    """Why no server can run here; "" when one can."""
    if programs() is None:
        return "no PostgreSQL 15+ here: apt-get install postgresql"
    if os.getuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return (
                "PostgreSQL does not run as root, and there is no user `postgres`: apt-get install postgresql"
            )
    return ""


_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """A tester that is killed leaves no server behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class LocalPostgresql:
    """`start`, `kill`, `stop` at will; the data stay. fsync: off only where nothing is killed."""

    def __init__(self, *, fsync: bool = False) -> None:
        found = programs()
        assert found is not None
        self._bin, self._fsync = found, fsync
        self.folder = Path(tempfile.mkdtemp(prefix="shelfloop-pg-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "shelfloop", "--auth=trust", "-E", "UTF8", "-N",
                  "--locale=C.UTF-8")  # fmt: skip

    @property
    def _as_user(self) -> dict[str, Any]:
        if os.getuid() != 0:
            return {}
        entry = pwd.getpwnam("postgres")
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *words], capture_output=True, text=True, check=False, cwd=self.folder,
            timeout=120, **self._as_user,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        settings = [
            "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", "max_connections=200",
            "shared_buffers=64MB", f"fsync={'on' if self._fsync else 'off'}", "logging_collector=off",
        ]  # fmt: skip
        words = [part for setting in settings for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *words],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, and testers start it before their threads
                **self._as_user,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
            try:
                psycopg.connect(self.dsn("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("PostgreSQL did not answer in 60 s")

    def dsn(self, database: str) -> str:
        return f"postgresql://shelfloop@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{uuid.uuid4().hex[:16]}"
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.dsn(name)

    def drop_database(self, url: str) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def kill(self) -> None:
        """All its processes at once, as a power cut would."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
            self.process = None

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast": sessions end, what is committed stays
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def shared_server() -> LocalPostgresql:
    """One a test process, for tests that take a database of their own and kill nothing."""
    server = LocalPostgresql()
    server.start()
    atexit.register(server.close)
    return server


@cache
def _template() -> str:
    from central.ledger.engine import Ledger

    url = shared_server().new_database()
    ledger = Ledger(url)
    ledger.create()
    ledger.close()
    return url.rpartition("/")[2]


def new_ledger_url() -> str:
    """A ledger's database with its tables, of this test alone; `drop_ledger` takes it away."""
    name = _template()
    url = shared_server().dsn(f"t{uuid.uuid4().hex[:16]}")
    with psycopg.connect(shared_server().dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {url.rpartition('/')[2]} TEMPLATE {name}")
    return url


def drop_ledger(url: str) -> None:
    if url:
        shared_server().drop_database(url)
