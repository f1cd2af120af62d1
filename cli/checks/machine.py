"""The machine: Python, the packages' versions, the clock."""

import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import metadata

from cli.findings import Finding, fail, ok, warn

OLDEST_PYTHON = (3, 11)
SANE_FROM_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
SANE_UNTIL_MS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
PACKAGES = {
    "bridge": ("paho-mqtt", "pyserial", "cobs"),
    "edge": ("paho-mqtt", "numpy", "onnxruntime", "httpx", "cryptography"),
    "central": ("fastapi", "uvicorn", "sqlalchemy", "h3"),
    "hq": ("nicegui", "httpx"),
}
"""Those whose absence stops the room; all are pinned by constraints.txt."""


def check_python(version: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    text = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return fail("python", f"{text} is too old", "install Python 3.11 or newer and make the venv again")
    return ok("python", text)


def check_packages(room: str) -> Finding:
    versions, missing = {}, []
    for name in ("shelfloop", *PACKAGES[room]):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return fail(
            f"{room} packages",
            f"missing: {', '.join(missing)}",
            f"pip install 'shelfloop[{room}]'",
        )
    return ok(f"{room} packages", ", ".join(f"{name} {version}" for name, version in versions.items()))


def check_clock(now_ms: int | None = None) -> Finding:
    """A machine without a battery clock starts in 1970 or at its last shutdown: its receipts would get that date."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    if not 0 <= now_ms < SANE_UNTIL_MS * 10:
        return fail("clock", f"stands at {now_ms} ms since 1970", "set the date, then switch time sync on")
    shown = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not SANE_FROM_MS <= now_ms < SANE_UNTIL_MS:
        return fail("clock", f"says {shown}, which is wrong", "switch time sync on: timedatectl set-ntp true")
    return ok("clock", shown)


def check_time_sync(timedatectl: str | None = None) -> Finding:
    """timedatectl: path of the program; looked up when None."""
    program = shutil.which("timedatectl") if timedatectl is None else timedatectl
    advice = "switch time sync on (timedatectl set-ntp true), or make sure that another program does it"
    if program is None:
        return warn("time sync", "timedatectl is not installed, so nobody can say", advice)
    try:
        done = subprocess.run(
            [program, "show", "-p", "NTPSynchronized", "--value"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return warn("time sync", f"timedatectl did not answer: {error}", advice)
    answer = done.stdout.strip()
    if answer == "yes":
        return ok("time sync", "the clock is kept by NTP")
    return warn(
        "time sync", f"the clock is not synchronised (timedatectl says {answer or 'nothing'!r})", advice
    )
