"""How far one step of the stepped clock goes.

Devices say how long ago each reading was taken, so a step's length is no error in time. It bounds what is in flight
at once; in quiet hours a leap goes to where something happens next.
"""

MINUTE_MS = 60_000
STEP_MS = 30 * MINUTE_MS
LEAP_MS = 60 * MINUTE_MS
"""Never further: cells report hourly, and silence for longer means something."""


def next_stop_ms(
    now_ms: int, next_event_ms: int | None, appointments_ms: tuple[int, ...], end_ms: int
) -> int:
    """Where the clock stands next: after now_ms, at most end_ms.

    next_event_ms: when something next happens in any shop, None for nothing more. appointments_ms: times at which a
    step must end, such as a change of prices.
    """
    stop_ms = now_ms + STEP_MS
    if next_event_ms is None or next_event_ms > stop_ms:
        horizon_ms = end_ms if next_event_ms is None else next_event_ms
        stop_ms = max(stop_ms, min(horizon_ms, now_ms + LEAP_MS))
    ahead = [at_ms for at_ms in appointments_ms if now_ms < at_ms < stop_ms]
    return min([stop_ms, end_ms, *ahead])
