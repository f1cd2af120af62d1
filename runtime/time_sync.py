"""Whether something keeps this machine's clock: the kernel's word, or systemd-timesyncd's."""

import ctypes
from pathlib import Path

TIMESYNCD = Path("/run/systemd/timesync")
"""timesyncd touches `synchronized` in it once the clock was set by the network."""
_TIMEX_BYTES = 512
"""More than struct timex has anywhere; zeroed, so `modes` is 0: a question, no change."""
_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""


def is_synchronised(timesyncd: Path = TIMESYNCD) -> bool | None:
    """None when nobody can say."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "adjtimex"):
        state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        if state >= 0:
            return bool(state != _TIME_ERROR)
    # A hardened service may not even ask the kernel.
    if timesyncd.is_dir():
        return (timesyncd / "synchronized").exists()
    return None
