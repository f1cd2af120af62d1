"""The bridge's serial lines: whether what the settings name is there, and whether this user may open it."""

import glob
import os
import stat
from pathlib import Path

from cli.findings import Finding, fail, ok, warn

MAY_OPEN = "let the bridge's user open it: sudo usermod -aG dialout USER (the group may be uucp or plugdev), then log in again"


def check_serial_port(path: str) -> list[Finding]:
    """One finding for each device that `path` of [[ports]] names: a device, a glob of such, or socket://host:port."""
    about = f"port {path}"
    if "://" in path:
        return [ok(about, "is no device of this machine; the bridge says when it cannot be reached")]
    if not glob.has_magic(path):
        return [_line(about, Path(path))]
    found = sorted(glob.glob(path))  # noqa: PTH207 - the bridge's own reading of a glob
    if not found:
        return [
            warn(
                about,
                "matches no device now",
                "plug the device in (`ls -l /dev/serial/by-id` lists what is there)",
            )
        ]
    return [_line(f"port {each}, by {path}", Path(each)) for each in found]


def _line(about: str, path: Path) -> Finding:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        advice = "plug the device in, or correct the path (`ls -l /dev/serial/by-id` lists what is there)"
        return warn(about, "is not there now", advice)
    except OSError as error:
        return fail(about, f"cannot be looked at: {error.strerror}", MAY_OPEN)
    if not stat.S_ISCHR(mode):
        return fail(about, "is no serial device", "name a device such as /dev/ttyACM0 in [[ports]]")
    readable, writable = os.access(path, os.R_OK), os.access(path, os.W_OK)
    if readable and writable:
        return ok(about, "there, and this user may open it")
    refused = "read" if writable else "write to" if readable else "read or write to"
    return fail(about, f"this user may not {refused} it", MAY_OPEN)
