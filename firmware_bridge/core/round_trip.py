"""How long to wait for an acknowledgement before sending again."""

MIN_TIMEOUT_MS = 50
MAX_TIMEOUT_MS = 2000
FIRST_TIMEOUT_MS = 400
"""Before anything was measured. ASH, the link of Zigbee radios, adapts within 0.4 to 3.2 s; a pty or USB is faster."""


class RoundTrip:
    """Adaptive timeout. Source: RFC 6298, section 2 (smoothed mean plus four deviations), and Karn's rule:
    the caller observes only what was sent once.
    """

    def __init__(self) -> None:
        self._mean_ms: float | None = None
        self._deviation_ms = 0.0
        self._backoff = 1

    @property
    def timeout_ms(self) -> int:
        base = FIRST_TIMEOUT_MS if self._mean_ms is None else self._mean_ms + 4 * self._deviation_ms
        return int(min(MAX_TIMEOUT_MS, max(MIN_TIMEOUT_MS, base) * self._backoff))

    def observe(self, round_trip_ms: int) -> None:
        self._backoff = 1
        if self._mean_ms is None:
            self._mean_ms, self._deviation_ms = float(round_trip_ms), round_trip_ms / 2
            return
        self._deviation_ms += (abs(round_trip_ms - self._mean_ms) - self._deviation_ms) / 4
        self._mean_ms += (round_trip_ms - self._mean_ms) / 8

    def back_off(self) -> None:
        """After a timeout: the next one is twice as long, up to the limit."""
        self._backoff = min(self._backoff * 2, 64)

    def progressed(self) -> None:
        """Something was acknowledged, though not measurably: the line is alive."""
        self._backoff = 1
