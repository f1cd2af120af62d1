"""How often a caller may come: a token bucket a caller, in a bounded table."""

from collections import OrderedDict
from dataclasses import dataclass

MAX_CALLERS = 20_000
"""The one that was quiet longest goes first; its bucket was full again or it is one of very many."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Throttle:
    """Each caller may come `burst` times at once, and `per_s` times a second for ever. per_s 0: no limit."""

    def __init__(self, per_s: float, burst: float, max_callers: int = MAX_CALLERS) -> None:
        self._per_s, self._burst, self._max_callers = per_s, burst, max_callers
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, now_s: float) -> float:
        """0.0 when the caller may go on; else the seconds after which it may. now_s: of a monotonic clock."""
        wait_s = self.wait_s(caller, now_s)
        if wait_s == 0.0 and self._per_s > 0:
            self._buckets[caller].tokens -= 1.0
        return wait_s

    def wait_s(self, caller: str, now_s: float) -> float:
        """As `take`, and takes nothing."""
        if self._per_s <= 0:
            return 0.0
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._burst, now_s)
            if len(self._buckets) > self._max_callers:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
            passed_s = max(now_s - bucket.at_s, 0.0)
            bucket.tokens = min(bucket.tokens + passed_s * self._per_s, self._burst)
            bucket.at_s = now_s
        return 0.0 if bucket.tokens >= 1.0 else (1.0 - bucket.tokens) / self._per_s

    def __len__(self) -> int:
        return len(self._buckets)
