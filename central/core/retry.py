"""When a webhook is tried again, and when not."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

JITTER = 0.1
"""Up to so much of a wait is added, so that endpoints that failed together do not come back together."""
MAX_RETRY_AFTER_S = 86_400.0
HONOURS_RETRY_AFTER = frozenset({429, 502, 503, 504})
"""Source: Standard Webhooks 1.0, "Response status codes"."""


class Outcome(StrEnum):
    DELIVERED = "delivered"
    RETRY = "retry"
    GIVEN_UP = "given-up"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """wait_s: real seconds until the next attempt, when the outcome is RETRY."""

    outcome: Outcome
    wait_s: float = 0.0


def judge_answer(
    status: int | None, retry_after_s: float | None, attempts: int, schedule_s: Sequence[float], *, lot: float
) -> Verdict:
    """What one attempt leads to.

    status: HTTP status, None when no answer came. attempts: made so far, this one included, from 1.
    schedule_s: waits before each attempt, the first before the first. lot: in [0, 1), chooses the jitter.
    """
    if status is not None and 200 <= status < 300:
        return Verdict(Outcome.DELIVERED)
    if status == 410:
        return Verdict(Outcome.DISABLE)
    if attempts >= len(schedule_s):
        return Verdict(Outcome.GIVEN_UP)
    wait_s = schedule_s[attempts] * (1 + JITTER * lot)
    if status in HONOURS_RETRY_AFTER and retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, MAX_RETRY_AFTER_S))
    return Verdict(Outcome.RETRY, wait_s)
