"""A store's business days: local calendar days of its time zone, with DST."""

from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

UTC = timezone.utc  # noqa: UP017 - one name for both spellings


@lru_cache(maxsize=20_000)
def day_start_ms(day: str, zone: ZoneInfo) -> int:
    """UTC ms of local midnight of `day` (ISO)."""
    return int(datetime.combine(date.fromisoformat(day), time(), zone).timestamp() * 1000)


def day_of(at_ms: int, zone: ZoneInfo) -> str:
    """The local day, ISO, at `at_ms`."""
    return datetime.fromtimestamp(at_ms / 1000, zone).date().isoformat()


@lru_cache(maxsize=20_000)
def _midnight_of_hour(hour: int, zone: ZoneInfo) -> int:
    return day_start_ms(day_of(hour * 3_600_000, zone), zone)


def midnight_before(at_ms: int, zone: ZoneInfo) -> int:
    """UTC ms of the local midnight that opened the day of `at_ms`."""
    start = _midnight_of_hour(at_ms // 3_600_000, zone)
    # Zones off by half an hour have a midnight inside a UTC hour.
    later = day_start_ms(day_of(at_ms, zone), zone) if at_ms - start > 22 * 3_600_000 else start
    return max(start, later)


def minute_of_day(at_ms: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    return local.hour * 60 + local.minute


def day_after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def days_between(first: str, last: str) -> int:
    """Whole days from `first` to `last`, negative when last is earlier."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


def utc_text(at_ms: int) -> str:
    """RFC 3339, as CloudEvents wants its time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
