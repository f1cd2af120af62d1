"""Until when goods that are on order are waited for: an order that is overdue is given up, and counts as on order no more."""

DAY_MS = 86_400_000


def overdue_from_ms(moved_ms: int, arrives_ms: int | None, lead_days: int, patience_days: int) -> int:
    """From when on it is overdue: `patience_days` after the day on which it was to come, or should have come.

    moved_ms: when something was last heard of it. arrives_ms: the start of the day that the supplier said, None: none was
    said, and it is the lead time after `moved_ms`.
    """
    expected_ms = moved_ms + lead_days * DAY_MS if arrives_ms is None else arrives_ms
    return max(moved_ms, expected_ms) + patience_days * DAY_MS
