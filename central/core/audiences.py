"""Who may be near: H3 cells around a shop, quiet hours, and the holdout that measures what a campaign is worth."""

import hashlib
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import h3

from central.core.days import minute_of_day

CELL_RESOLUTION = 8
TREATED, HOLDOUT = "treated", "holdout"


@dataclass(frozen=True, slots=True)
class Member:
    member: str
    marketing_consent: bool
    location_consent: bool
    h3_cell: str | None
    cell_expires_ms: int
    timezone: str
    quiet_from_minute: int
    quiet_until_minute: int


def cells_within(cell: str, rings: int) -> list[str]:
    """The shop's cell and those within `rings`. Raises ValueError when `cell` is no H3 cell of resolution 8."""
    if not is_cell(cell):
        raise ValueError(f"h3_cell {cell!r} is no H3 cell of resolution {CELL_RESOLUTION}")
    return sorted(h3.grid_disk(cell, rings))


def is_cell(text: str) -> bool:
    return bool(h3.is_valid_cell(text)) and h3.get_resolution(text) == CELL_RESOLUTION


def may_be_reached(member: Member, now_ms: int) -> bool:
    """Both consents, a cell that has not expired, and no quiet hour. A time zone that is unknown means quiet: fail closed."""
    if not (member.marketing_consent and member.location_consent):
        return False
    return member.h3_cell is not None and now_ms < member.cell_expires_ms and not is_quiet(member, now_ms)


def is_quiet(member: Member, now_ms: int) -> bool:
    """Quiet from the first minute on, until before the last; an interval may pass midnight; equal ends: never quiet."""
    try:
        minute = minute_of_day(now_ms, ZoneInfo(member.timezone))
    except (ZoneInfoNotFoundError, ValueError):
        return True
    start, end = member.quiet_from_minute, member.quiet_until_minute
    if start <= end:
        return start <= minute < end
    return minute >= start or minute < end


def arm_of(member: str, salt: str, holdout_percent: int) -> str:
    """Treated or holdout, the same for life in one campaign: a salted hash, so that no one chooses."""
    return HOLDOUT if lot_of(member, salt) % 100 < holdout_percent else TREATED


def lot_of(member: str, salt: str) -> int:
    """A fixed number a member and salt, uniform: the order in which members are served."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{member}".encode()).digest()[:8], "big")
