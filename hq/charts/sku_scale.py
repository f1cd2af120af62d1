"""Where instants stand on the time axis of a SKU, and how they read."""

from dataclasses import dataclass
from datetime import tzinfo

from hq.charts.axis import axis_ms
from hq.words import instant, local

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Scale:
    """Where instants stand on the axis, and how they read."""

    zone: tzinfo
    step_ms: int
    daily: bool

    def begin(self, at_ms: int) -> int:
        return axis_ms(at_ms, self.zone)

    def x(self, at_ms: int) -> int:
        """The middle of the step: all values of a step share one place, so that one tooltip names them all."""
        return self.begin(at_ms) + self.step_ms // 2

    def head(self, at_ms: int) -> str:
        if not self.daily:
            return instant(at_ms, self.zone)
        moment = local(at_ms, self.zone)
        return f"{moment:%a} {moment.day} {moment:%b %Y}"
