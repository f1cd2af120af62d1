"""Numbers, money, times and states as a person reads them. "–" is unknown, "0" is zero."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contract.money import minor_digits, money_text

UNKNOWN = "–"


def number(value: float | None, decimals: int = 0) -> str:
    return UNKNOWN if value is None else f"{value:,.{decimals}f}"


def counted(value: int | None, one: str, many: str = "") -> str:
    """`1 order`, `1,200 orders`."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def money(minor_units: float | None, currency: str) -> str:
    """`1,234.50 USD` from minor units (cents)."""
    return UNKNOWN if minor_units is None else money_text(minor_units, currency)


def major_units(minor_units: int, currency: str) -> float:
    """Money as charts draw it."""
    return float(minor_units / 10 ** minor_digits(currency))


def minor_units(major: float, currency: str) -> int:
    """Money as a person types it, in cents."""
    return round(major * float(10 ** minor_digits(currency)))


def percent(part: float, whole: float) -> str:
    return UNKNOWN if not whole else f"{100 * part / whole:.0f} %"


def zone_from_name(name: str) -> tzinfo:
    """The zone, UTC where this machine does not know the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def zone_name(name: str) -> str:
    """`New York time`, from `America/New_York`."""
    zone = zone_from_name(name)
    if zone is UTC:
        return "UTC"
    if name.startswith("Etc/"):
        # POSIX turned the sign round: Etc/GMT+5 is five hours behind Greenwich.
        offset = datetime.fromtimestamp(0, zone).strftime("%z")
        return f"UTC{offset[:1].replace('-', '−')}{int(offset[1:3])}" if int(offset[1:]) else "UTC"
    return f"{name.rsplit('/', 1)[-1].replace('_', ' ')} time"


def local(at_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, zone)


def instant(at_ms: int | None, zone: tzinfo) -> str:
    """`Sat 3 May, 14:05` in the shop's zone. The page names the zone once."""
    if at_ms is None:
        return UNKNOWN
    moment = local(at_ms, zone)
    return f"{moment:%a} {moment.day} {moment:%b}, {moment:%H:%M}"


def clock_time(at_ms: int | None, zone: tzinfo) -> str:
    """`14:05` in the shop's zone."""
    return UNKNOWN if at_ms is None else f"{local(at_ms, zone):%H:%M}"


def instant_day(at_ms: int | None, zone: tzinfo) -> str:
    """`Sat 3 May` of an instant, by the wall calendar there."""
    if at_ms is None:
        return UNKNOWN
    moment = local(at_ms, zone)
    return f"{moment:%a} {moment.day} {moment:%b}"


def instant_with_year(at_ms: int | None, zone: tzinfo) -> str:
    if at_ms is None:
        return UNKNOWN
    moment = local(at_ms, zone)
    return f"{moment:%a} {moment.day} {moment:%b %Y}, {moment:%H:%M}"


def day(text: str | None) -> str:
    """`Sat 3 May` from a business day."""
    if text is None:
        return UNKNOWN
    parsed = date.fromisoformat(text)
    return f"{parsed:%a} {parsed.day} {parsed:%b}"


def span(duration_ms: float | None) -> str:
    """`12 s`, `5 min`, `3 h`, `2 days`: the largest unit that fits."""
    if duration_ms is None:
        return UNKNOWN
    seconds = max(0.0, duration_ms / 1000)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"


def size(count_bytes: float) -> str:
    """`640 bytes`, `2.5 MB`."""
    for unit, limit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count_bytes >= limit:
            return f"{count_bytes / limit:,.1f} {unit}"
    return f"{count_bytes:.0f} bytes"


def ago(then_ms: int | None, now_ms: int) -> str:
    return UNKNOWN if then_ms is None else f"{span(now_ms - then_ms)} ago"


@dataclass(frozen=True, slots=True)
class StateWord:
    """A state as a word, an icon and a tone (ok, ours, warn, bad, quiet): never by colour alone."""

    word: str
    icon: str
    tone: str


TRIGGER_STATES: dict[str, StateWord] = {
    "proposed": StateWord("waits for a person", "pan_tool_alt", "warn"),
    "approved": StateWord("approved", "check", "ours"),
    "sent": StateWord("sent", "send", "ours"),
    "acknowledged": StateWord("acknowledged", "mark_email_read", "ours"),
    "ordered": StateWord("ordered", "receipt_long", "ours"),
    "shipped": StateWord("shipped", "local_shipping", "ours"),
    "received": StateWord("received", "inventory", "ok"),
    "closed": StateWord("closed", "task_alt", "ok"),
    "snoozed": StateWord("snoozed", "snooze", "quiet"),
    "superseded": StateWord("superseded", "swap_horiz", "quiet"),
    "expired": StateWord("expired", "hourglass_disabled", "quiet"),
    "cancelled": StateWord("cancelled", "block", "quiet"),
    "rejected": StateWord("rejected", "close", "quiet"),
}


def trigger_state(state: str) -> StateWord:
    return TRIGGER_STATES.get(state, StateWord(state, "help", "quiet"))
