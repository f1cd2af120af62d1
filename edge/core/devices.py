"""Which events of a device are known already, and up to which seq nothing is missing.

Each boot of a device counts from 1. `through_seq` says that every event up to it is dealt with or will never come
(the device no longer keeps it); what is known above it stands in a bounded list. Only that list grows when events
arrive out of order, and a full list defers: the device keeps the event and sends it again.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from enum import Enum, auto

from pydantic import TypeAdapter

from edge.core.rows import Row, Rows

MAX_DEVICES = 1000
MAX_BOOTS = 16
"""Boots remembered of one device: a till that keeps its journal may send events of an earlier boot."""
MAX_ABOVE = 2000
REORDER_WINDOW = 64
"""How far out of order events may come from a device that keeps nothing and so never fills its holes."""
SILENT_AFTER_MS = 3 * 3_600_000
"""A shelf's heartbeats come hourly: three missed ones are silence, unless the configuration says otherwise."""
QUIET_DEVICE_MS = 14 * 3_600_000
"""A till or a dock says nothing while the shop is closed."""
SHELF_KIND = "shelf"


class Admission(Enum):
    NEW = auto()
    DUPLICATE = auto()
    DEFERRED = auto()
    """Not now: too many events above a hole. The device still keeps it."""
    REFUSED = auto()
    """Too many devices."""


@dataclass(slots=True)
class Boot:
    boot_id: str
    through_seq: int = 0
    above: list[int] = field(default_factory=list)


@dataclass(slots=True)
class DeviceRow:
    """online: as its retained state said, None when it never said. boots: oldest first."""

    first_heard_ms: int
    last_heard_ms: int
    kind: str = ""
    online: bool | None = None
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    boots: list[Boot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Missed:
    """`count` events below `first_kept`: the device was told `stored` by a gateway that has forgotten, or gave them up."""

    device: str
    boot_id: str
    first_kept: int
    count: int


class Devices:
    def __init__(self) -> None:
        self.rows: Rows[DeviceRow] = Rows("device", TypeAdapter(DeviceRow))
        self.missed: list[Missed] = []
        """What a device kept once, keeps no longer, and we do not know. Whoever declares it empties the list."""
        self.shelf_silent_ms, self.other_silent_ms = SILENT_AFTER_MS, QUIET_DEVICE_MS

    def hear(self, device: str, now_ms: int) -> DeviceRow | None:
        """The device's row, made when new; None when there are too many devices."""
        row = self.rows.get(device)
        if row is None:
            if len(self.rows.by_key) >= MAX_DEVICES:
                return None
            row = DeviceRow(now_ms, now_ms)
        row.last_heard_ms = max(row.last_heard_ms, now_ms)
        self.rows.put(device, row)
        return row

    def admit(self, device: str, boot_id: str, seq: int, kept_from_seq: int | None, now_ms: int) -> Admission:
        """Whether the event is new; a new one is known from now on."""
        row = self.hear(device, now_ms)
        if row is None:
            return Admission.REFUSED
        boot = _boot_of(row, boot_id, seq, kept_from_seq)
        if seq == boot.through_seq + 1 and not boot.above:
            # In order, nothing missing: nearly always.
            boot.through_seq = seq
            row.accepted += 1
            return Admission.NEW
        if kept_from_seq is None:
            _give_up_below(boot, seq - REORDER_WINDOW)
        else:
            missed = _give_up_below(boot, min(kept_from_seq, seq))
            if missed and row.kind != SHELF_KIND:  # a shelf's weights are state, and the next one heals
                self.missed.append(Missed(device, boot_id, min(kept_from_seq, seq), missed))
        if seq <= boot.through_seq or _is_above(boot, seq):
            row.duplicates += 1
            return Admission.DUPLICATE
        if len(boot.above) >= MAX_ABOVE and seq != boot.through_seq + 1:
            return Admission.DEFERRED
        insort(boot.above, seq)
        _close_up(boot)
        row.accepted += 1
        return Admission.NEW

    def through_seq(self, device: str, boot_id: str) -> int | None:
        """Up to where `stored` may go; None for a boot that was never heard."""
        row = self.rows.get(device)
        for boot in row.boots if row else ():
            if boot.boot_id == boot_id:
                return boot.through_seq
        return None

    def silent(self, now_ms: int) -> list[str]:
        return sorted(device for device, row in self.rows.by_key.items() if self._is_silent(row, now_ms))

    def watermark_ms(self, now_ms: int) -> int:
        """Shop time up to which every shelf that is not silent has been heard; tills speak only when they sell."""
        heard = [
            row.last_heard_ms
            for row in self.rows.by_key.values()
            if row.kind == SHELF_KIND and not self._is_silent(row, now_ms)
        ]
        return min(heard, default=now_ms)

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def _is_silent(self, row: DeviceRow, now_ms: int) -> bool:
        limit_ms = self.shelf_silent_ms if row.kind == SHELF_KIND else self.other_silent_ms
        return row.online is False or now_ms - row.last_heard_ms > limit_ms


def _boot_of(row: DeviceRow, boot_id: str, seq: int, kept_from_seq: int | None) -> Boot:
    for boot in reversed(row.boots):
        if boot.boot_id == boot_id:
            return boot
    # First sight of this boot, perhaps because our database was lost: what the device no longer keeps never comes.
    known = min(seq if kept_from_seq is None else kept_from_seq, seq) - 1
    boot = Boot(boot_id, known)
    row.boots.append(boot)
    del row.boots[:-MAX_BOOTS]
    return boot


def _give_up_below(boot: Boot, first_kept: int) -> int:
    """How many events below `first_kept` were never seen, and never will be."""
    below = first_kept - 1 - boot.through_seq
    if below <= 0:
        return 0
    above = [seq for seq in boot.above if seq >= first_kept]
    missed = below - (len(boot.above) - len(above))
    boot.through_seq, boot.above = first_kept - 1, above
    _close_up(boot)
    return missed


def _is_above(boot: Boot, seq: int) -> bool:
    place = bisect_left(boot.above, seq)
    return place < len(boot.above) and boot.above[place] == seq


def _close_up(boot: Boot) -> None:
    done = 0
    for seq in boot.above:
        if seq != boot.through_seq + 1:
            break
        boot.through_seq = seq
        done += 1
    if done:
        del boot.above[:done]
