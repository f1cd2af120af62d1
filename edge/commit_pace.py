"""How long commits took lately: a disk that gets slow is told before it stops."""

from collections import deque
from collections.abc import Callable

BUCKET_S, BUCKETS = 60.0, 10


class CommitPace:
    """`begin` and `end` around each commit, in the loop's thread; `slowest_ms` from any thread."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._began_s: float | None = None
        self._slowest: deque[tuple[int, float]] = deque(maxlen=BUCKETS + 1)
        """(minute, seconds of its slowest commit), the newest last."""

    def begin(self) -> None:
        self._began_s = self._monotonic_s()

    def end(self) -> None:
        began_s, self._began_s = self._began_s, None
        if began_s is None:
            return
        now_s = self._monotonic_s()
        minute, took_s = int(now_s // BUCKET_S), now_s - began_s
        if self._slowest and self._slowest[-1][0] == minute:
            took_s = max(took_s, self._slowest.pop()[1])
        self._slowest.append((minute, took_s))

    def slowest_ms(self) -> int:
        """Of the last ten minutes; one that is still under way counts with the time it has taken so far."""
        now_s, began_s = self._monotonic_s(), self._began_s
        oldest = int(now_s // BUCKET_S) - BUCKETS
        found = [took_s for minute, took_s in tuple(self._slowest) if minute > oldest]
        if began_s is not None:
            found.append(now_s - began_s)
        return round(max(found, default=0.0) * 1000)
