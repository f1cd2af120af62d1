"""When a device event happened, whatever the device's clock is worth."""

from contract.devices import ClockQuality, DeviceEvent
from contract.lean_weight import LeanWeight

MAX_AHEAD_MS = 5 * 60_000
"""A device whose clock is further ahead of ours is wrong, not early."""
MAX_UNKNOWN_AGE_MS = 24 * 3_600_000
"""A time from a clock of unknown quality is believed up to a day back: a till that sold while it was offline."""
UNSET_CLOCK_MS = 1_262_304_000_000
"""2010: a clock before it was never set (a Raspberry Pi without network time starts in 1970)."""
MAX_AGE_MS = 60 * 24 * 3_600_000


def event_ms(event: DeviceEvent | LeanWeight, now_ms: int) -> int:
    """UTC ms of the event: the device's own time when it is credible, else the time of arrival."""
    stated = event.t_event_ms
    if now_ms < UNSET_CLOCK_MS and stated is not None and event.clock_quality is ClockQuality.SYNCED:
        return stated  # a device that knows the time, and a gateway that does not
    if stated is None or stated > now_ms + MAX_AHEAD_MS:
        return now_ms
    oldest = MAX_UNKNOWN_AGE_MS if event.clock_quality is ClockQuality.UNKNOWN else MAX_AGE_MS
    return stated if stated >= now_ms - oldest else now_ms
