"""When a supplier takes orders and when its lorry comes: the cut-offs that orders wait for.

An order that is approved before the cut-off is held and merged with what is needed later; `freeze_min` before the
cut-off it is sent as it stands. Days and minutes are the supplier's local ones.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contract.api.suppliers import SupplierPut

SEARCH_DAYS = 60
"""A supplier that is closed for longer has no cut-off, and orders go out at once, for a person there to see."""


@dataclass(frozen=True, slots=True)
class SupplierCalendar:
    """order_weekdays, delivery_weekdays: 0 is Monday; no delivery weekday named: every day. cutoff_minute: of the local day.

    emergency_lead_days: how fast goods come outside the calendar; None: this supplier has no emergency lane.
    """

    zone: ZoneInfo
    order_weekdays: frozenset[int]
    cutoff_minute: int
    lead_time_days: int
    freeze_min: int = 0
    delivery_weekdays: frozenset[int] = frozenset(range(7))
    closed_days: frozenset[date] = field(default_factory=frozenset)
    emergency_lead_days: int | None = None

    def next_cutoff_ms(self, now_ms: int) -> int | None:
        """The first cut-off whose freeze is still to come; None when there is none within SEARCH_DAYS."""
        today = _local(now_ms, self.zone).date()
        for ahead in range(SEARCH_DAYS):
            day = today + timedelta(days=ahead)
            if day.weekday() not in self.order_weekdays or day in self.closed_days:
                continue
            cutoff_ms = self._at(day)
            if cutoff_ms - self.freeze_min * 60_000 > now_ms:
                return cutoff_ms
        return None

    def send_ms(self, now_ms: int) -> int:
        """When an order approved now goes out: at the next freeze, now where no cut-off is in sight."""
        cutoff_ms = self.next_cutoff_ms(now_ms)
        return now_ms if cutoff_ms is None else cutoff_ms - self.freeze_min * 60_000

    def delivery_day(self, cutoff_ms: int) -> date:
        """The day on which an order sent by this cut-off arrives: lead time, then the next day on which a lorry comes."""
        day = _local(cutoff_ms, self.zone).date() + timedelta(days=self.lead_time_days)
        for _ in range(SEARCH_DAYS):
            if day.weekday() in self.delivery_weekdays and day not in self.closed_days:
                return day
            day += timedelta(days=1)
        return day

    def days_until_delivery(self, now_ms: int) -> int:
        """Whole local days from now to the arrival of what is ordered at the next cut-off."""
        cutoff_ms = self.next_cutoff_ms(now_ms)
        return self.days_until(now_ms if cutoff_ms is None else cutoff_ms, now_ms)

    def days_until(self, cutoff_ms: int, now_ms: int) -> int:
        """Whole local days from now to the arrival of what is ordered by this cut-off."""
        return (self.delivery_day(cutoff_ms) - _local(now_ms, self.zone).date()).days

    def picking_day(self, now_ms: int) -> date:
        """The supplier's own day of the next cut-off: what is ordered now is picked then; today's where none is in sight."""
        cutoff_ms = self.next_cutoff_ms(now_ms)
        return self.local_day(now_ms if cutoff_ms is None else cutoff_ms)

    def local_day(self, now_ms: int) -> date:
        """The supplier's own day."""
        return _local(now_ms, self.zone).date()

    def _at(self, day: date) -> int:
        local = datetime.combine(day, time(self.cutoff_minute // 60, self.cutoff_minute % 60), self.zone)
        return int(local.astimezone(UTC).timestamp() * 1000)


def calendar_from(put: SupplierPut) -> SupplierCalendar:
    """Raises ZoneInfoNotFoundError or ValueError for a time zone or a day that does not exist."""
    return SupplierCalendar(
        zone=ZoneInfo(put.timezone),
        order_weekdays=frozenset(put.order_weekdays),
        cutoff_minute=put.cutoff_minute,
        lead_time_days=put.lead_time_days,
        freeze_min=put.freeze_min,
        delivery_weekdays=frozenset(put.delivery_weekdays),
        closed_days=frozenset(date.fromisoformat(day) for day in put.closed_days),
        emergency_lead_days=put.emergency_lead_days,
    )


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
