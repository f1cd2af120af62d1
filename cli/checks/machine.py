"""The machine: Python, the packages' versions, the clock."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata

from cli.commands import install_advice
from cli.findings import Finding, fail, ok, warn

OLDEST_PYTHON = (3, 11)
SANE_FROM_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
SANE_UNTIL_MS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^\]]*)\])?[^;]*(?:;\s*(?P<marker>.*))?")
OF_EXTRA = re.compile(r"""extra == ["'](?P<extra>[\w.-]+)["']""")


def check_python(version: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    text = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return fail("python", f"{text} is too old", "install Python 3.11 or newer and make the venv again")
    return ok("python", text)


def check_packages(room: str) -> Finding:
    versions, missing = {}, []
    for name in ("shelfloop", *packages_of(room)):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return fail(
            f"{room} packages",
            f"missing: {', '.join(missing)}",
            install_advice(room),
        )
    return ok(f"{room} packages", ", ".join(f"{name} {version}" for name, version in versions.items()))


def packages_of(extra: str, distribution: str = "shelfloop") -> list[str]:
    """Names that the installed distribution asks for itself and for `extra`; none when it is not installed."""
    try:
        declared = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return []
    return packages_from(declared, extra, distribution)


def packages_from(declared: Sequence[str], extra: str, distribution: str = "shelfloop") -> list[str]:
    """Names in `declared` (as metadata writes requirements), with the extras that `extra` asks of its own distribution.

    A requirement with any other marker than an extra is left out: whether it applies here is pip's to say.
    """
    wanted, open_extras, found = {"", extra}, ["", extra], dict[str, None]()
    while open_extras:
        of = open_extras.pop(0)
        for each in declared:
            parts = REQUIREMENT.fullmatch(each)
            if parts is None or _extra_from_marker(parts["marker"]) != of:
                continue
            if parts["name"].lower() != distribution:
                found[parts["name"]] = None
                continue
            nested = {name.strip() for name in (parts["extras"] or "").split(",")} - wanted
            wanted |= nested
            open_extras += sorted(nested)
    return list(found)


def _extra_from_marker(marker: str | None) -> str | None:
    """The extra; "" for what is always asked for, None for a marker that says more."""
    if not marker:
        return ""
    of_extra = OF_EXTRA.fullmatch(marker.strip())
    return of_extra["extra"] if of_extra else None


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
