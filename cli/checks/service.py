"""A room's service under systemd: does it run, and does it stay up."""

import shutil
import subprocess
from pathlib import Path

from cli.findings import Finding, fail, ok, warn

MANAGER = Path("/run/systemd/system")
MANY_RESTARTS = 5
PROPERTIES = ("LoadState", "ActiveState", "NRestarts", "ExecMainStatus", "StatusText")


def check_service(room: str, systemctl: str | None = None) -> Finding | None:
    """None where systemd runs nothing of the kind. systemctl: path of the program; looked up when None."""
    program = shutil.which("systemctl") if systemctl is None else systemctl
    if program is None or (systemctl is None and not MANAGER.is_dir()):
        return None
    unit = f"shelfloop-{room}.service"
    try:
        done = subprocess.run(
            [program, "show", unit, *(f"--property={name}" for name in PROPERTIES)],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return warn(f"service {unit}", f"systemctl did not answer: {error}", f"ask: systemctl status {unit}")
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if found.get("LoadState") != "loaded":
        return None
    return _finding(f"service {unit}", unit, found)


def _finding(about: str, unit: str, found: dict[str, str]) -> Finding:
    state, restarts = found.get("ActiveState", ""), int(found.get("NRestarts") or 0)
    look = f"the reason is in its log: journalctl -u {unit} -n 50"
    if found.get("ExecMainStatus") == "78" and state != "active":
        return fail(
            about, "a bad setting stops its start", f"{look}; correct it, then: systemctl restart {unit}"
        )
    if state != "active":
        return fail(about, f"is {state or 'unknown'}", f"{look}; start it: systemctl start {unit}")
    if restarts > MANY_RESTARTS:
        return warn(about, f"runs, but was started again {restarts} times", look)
    return ok(about, f"runs: {found.get('StatusText') or 'no word of its own'}")
