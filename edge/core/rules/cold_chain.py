"""Refrigerated devices: too warm or too cold for too long."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.rules import ColdChain, ColdDevice
from edge.core.rows import Row, Rows

COLD_CHAIN = "cold-chain"
MINUTE_MS = 60_000


@dataclass(slots=True)
class ColdRow:
    """out_since_ms: of the first reading outside the limits, None while inside."""

    celsius: float
    at_ms: int
    out_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ColdVerdict:
    device: str
    active: bool
    text: str


class ColdRooms:
    """What each refrigerated device last said. Devices that the rule does not name cost nothing."""

    def __init__(self) -> None:
        self.rows: Rows[ColdRow] = Rows("cold", TypeAdapter(ColdRow))
        self._looked_ms: int | None = None

    def heard(self, rule: ColdChain, device: str, celsius: float, at_ms: int, *, was_active: bool) -> None:
        """A temperature. One that is older than the last says nothing."""
        limits = _limits_of(rule, device)
        known = self.rows.get(device)
        if limits is None or (known is not None and at_ms < known.at_ms):
            return
        row = known or ColdRow(celsius, at_ms)
        row.celsius, row.at_ms = celsius, at_ms
        if _is_out(rule, limits, celsius, was_active=was_active):
            row.out_since_ms = at_ms if row.out_since_ms is None else row.out_since_ms
        else:
            row.out_since_ms = None
        self.rows.put(device, row)

    def look(self, rule: ColdChain, now_ms: int) -> list[ColdVerdict]:
        """What holds now, of each device heard. One that the rule no longer names is forgotten, and inactive."""
        self._looked_ms = now_ms
        found = []
        for device, row in sorted(self.rows.by_key.items()):
            limits = _limits_of(rule, device)
            if limits is None:
                self.rows.drop(device)
                found.append(ColdVerdict(device, active=False, text=f"device {device} is no longer minded"))
                continue
            allowed = f"{limits.min_c:g} to {limits.max_c:g} °C"
            if row.out_since_ms is None:
                found.append(
                    ColdVerdict(device, active=False, text=f"{device} is at {row.celsius:.1f} °C again")
                )
            elif now_ms - row.out_since_ms >= rule.after_min * MINUTE_MS:
                minutes = (now_ms - row.out_since_ms) // MINUTE_MS
                text = f"{device} is at {row.celsius:.1f} °C; {allowed} is allowed, left {minutes} min ago"
                found.append(ColdVerdict(device, active=True, text=text))
        return found

    def next_due_ms(self, rule: ColdChain) -> int | None:
        """When the next device has been outside for long enough; at once for what nobody looked at since the start."""
        if self._looked_ms is None:
            return 0 if self.rows.by_key else None
        after_ms = rule.after_min * MINUTE_MS
        dues = (
            row.out_since_ms + after_ms for row in self.rows.by_key.values() if row.out_since_ms is not None
        )
        return min((due for due in dues if due > self._looked_ms), default=None)

    def changed(self) -> list[Row]:
        return self.rows.changed()


def _limits_of(rule: ColdChain, device: str) -> ColdDevice | None:
    return next((limits for limits in rule.devices if limits.device == device), None)


def _is_out(rule: ColdChain, limits: ColdDevice, celsius: float, *, was_active: bool) -> bool:
    """Outside the limits; while the alert is open, until `band_c` inside of them (a quarter of the range at most)."""
    band_c = min(rule.band_c, (limits.max_c - limits.min_c) / 4) if was_active else 0.0
    return not limits.min_c + band_c <= celsius <= limits.max_c - band_c
