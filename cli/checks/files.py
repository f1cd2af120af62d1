"""Files: the state folder and its disk, and who may read secrets."""

import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from cli.findings import Finding, fail, ok, warn

MIN_FREE_BYTES = 200_000_000
"""Below this a gateway cannot keep its outbox through an outage of a day."""
LOW_FREE_BYTES = 2_000_000_000
SLOW_FSYNC_MS = 200.0
"""A worn SD card: commits come every 250 ms."""
FSYNC_TRIES = 3
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_state_dir(path: Path) -> list[Finding]:
    """Findings on the folder, the space on its disk, and whether a write gets there."""
    about = f"state_dir {path}"
    if not path.exists():
        return [
            warn(about, "does not exist yet", "it is made at the first start, if its parent may be written")
        ]
    if not path.is_dir():
        return [fail(about, "is no folder", "name a folder in the settings")]
    findings = [_free_space(about, shutil.disk_usage(path).free)]
    try:
        findings.append(_fsync(about, path))
    except OSError as error:
        findings.append(
            fail(about, f"cannot be written: {error.strerror}", f"chown it to the service's user: {path}")
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IWOTH:
        findings.append(fail(about, f"anybody may write there (mode {mode:o})", f"chmod o-w {path}"))
    return findings


def check_secret(setting: str, path: Path) -> Finding:
    """A key, token or password file: there, not empty, and for its owner's eyes only."""
    about = f"{setting} {path}"
    try:
        status = path.stat()
    except OSError as error:
        return fail(about, error.strerror or "cannot be read", "put the secret there, or correct the setting")
    mode = stat.S_IMODE(status.st_mode)
    if mode & OTHERS:
        return fail(about, f"others may read or change it (mode {mode:o})", f"chmod 600 {path}")
    if not os.access(path, os.R_OK):
        return fail(about, "this user may not read it", "run as the service's user, or chown the file")
    if not path.read_text(encoding="utf-8", errors="replace").strip():
        return fail(about, "is empty", "put the secret in it, on one line")
    return ok(about, "there, and for its owner only")


def check_settings_file(path: Path, secrets: list[str]) -> Finding | None:
    """None when it holds no secret. secrets: names of the settings in it that are none of everybody's business."""
    if not secrets:
        return None
    about = f"{', '.join(secrets)} in {path}"
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IROTH:
        return warn(about, f"a secret that every user may read (mode {mode:o})", f"chmod o-r {path}")
    return ok(about, "not for every user's eyes")


def check_database(path: Path) -> Finding | None:
    """None when there is no database yet."""
    if not path.exists():
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IROTH:
        return warn(f"database {path}", f"every user may read it (mode {mode:o})", f"chmod o-r {path}")
    return ok(f"database {path}", f"{path.stat().st_size:,} bytes")


def _free_space(about: str, free_bytes: int) -> Finding:
    shown = f"{free_bytes / 1e9:.1f} GB free"
    if free_bytes < MIN_FREE_BYTES:
        return fail(about, shown, f"free at least {MIN_FREE_BYTES // 1_000_000} MB, or move the folder")
    if free_bytes < LOW_FREE_BYTES:
        return warn(about, shown, "a long outage needs more: free some, or move the folder to a larger disk")
    return ok(about, shown)


def _fsync(about: str, path: Path) -> Finding:
    """How long a small write takes to reach the disk, the best of a few tries."""
    best_ms = float("inf")
    with tempfile.NamedTemporaryFile(dir=path, prefix=".doctor-") as file:
        for _ in range(FSYNC_TRIES):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            best_ms = min(best_ms, (time.perf_counter() - began) * 1000)
    if best_ms > SLOW_FSYNC_MS:
        return warn(
            about, f"a write takes {best_ms:.0f} ms to reach the disk", "the disk may be worn: replace it"
        )
    return ok(about, f"a write reaches the disk in {best_ms:.1f} ms")
