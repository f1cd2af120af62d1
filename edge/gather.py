"""When to commit what has come: company saves disk and processor, waiting costs time. Pure: times are arguments.

messages a second   > 100            one commit at most `linger_s` after its first message
                    < 100            one commit at most `idle_linger_s` after its first message
a receipt, a count, a birth …        at once, with what the same burst brings
"""

from dataclasses import dataclass

BUSY_PER_S = 100.0
BURST_MESSAGES = 20
"""From here on a silence that is long beside the pace so far says that nothing more comes before we acknowledge: the broker's
in-flight window is smaller than our batch."""
LONG_SILENCE = 4.0
BURST_SILENCE_S = 0.02


@dataclass(frozen=True, slots=True)
class Gathering:
    """is_eager: a simulation waits for us at each step of its clock, so only a burst is gathered."""

    linger_s: float
    idle_linger_s: float
    slice_s: float = 0.005
    """How often to look. A burst's messages lie closer together than this."""
    is_eager: bool = False


def is_time_to_commit(
    rules: Gathering, *, count: int, waited_s: float, quiet_s: float, is_urgent: bool
) -> bool:
    """count: messages so far. waited_s: since the first one. quiet_s: since the last one."""
    if is_urgent or rules.is_eager:
        return quiet_s >= rules.slice_s or waited_s >= rules.linger_s
    if count >= BURST_MESSAGES and quiet_s >= max(BURST_SILENCE_S, LONG_SILENCE * waited_s / count):
        return True
    if waited_s >= rules.idle_linger_s:
        return True
    return waited_s >= rules.linger_s and count >= BUSY_PER_S * waited_s
