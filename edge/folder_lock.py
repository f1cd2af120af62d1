"""One gateway a folder: two on one database would give the same seq twice."""

import fcntl
import os
import time
from pathlib import Path

from runtime.errors import OperatorError

WAIT_S = 5.0
"""A supervisor may start us while our predecessor still ends."""


def hold_folder(state_dir: Path) -> int:
    """The lock, held until the process ends, however it ends. Raises OperatorError when another gateway holds it."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(
            f"state_dir {state_dir}: {error.strerror}; choose a folder this user may write"
        ) from None
    until_s = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until_s:
                os.close(descriptor)
                raise OperatorError(
                    f"state_dir {state_dir}: another gateway works in it; stop that one or choose another folder"
                ) from None
            time.sleep(0.1)
        else:
            return descriptor
