"""Business days and opening hours of a shop, in its own time zone with its daylight saving time.

A business day is the local calendar day. A weekday's hours run [opens, closes); hours that close at or before they
open run past midnight and belong to the day on which they opened.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from contract.documents import StoreDocument

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class ShopCalendar:
    """Raises ZoneInfoNotFoundError or ValueError when the store's time zone is none."""

    def __init__(self, store: StoreDocument) -> None:
        self._zone = ZoneInfo(store.timezone)
        self._hours = {hours.weekday: (hours.opens_minute, hours.closes_minute) for hours in store.hours}
        self._closed = {date.fromisoformat(day) for day in store.closed_days}
        self._spans: dict[date, tuple[int, int] | None] = {}
        self._day_span: tuple[int, int, date] = (0, 0, date.min)
        self._open_hours: dict[date, tuple[int, ...]] = {}

    def business_day(self, at_ms: int) -> date:
        start, end, day = self._day_span
        if not start <= at_ms < end:
            day = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone).date()
            self._day_span = (self.day_start_ms(day), self.day_start_ms(day + timedelta(days=1)), day)
        return day

    def day_start_ms(self, day: date) -> int:
        return self._wall_ms(day, 0)

    def is_closed(self, day: date) -> bool:
        return day in self._closed or day.weekday() not in self._hours

    def open_span(self, day: date) -> tuple[int, int] | None:
        """[opens, closes) of the business day in UTC ms, None when the shop does not open."""
        if day not in self._spans:
            if len(self._spans) > 400:
                self._spans.clear()
            self._spans[day] = self._new_span(day)
        return self._spans[day]

    def open_ms(self, from_ms: int, to_ms: int) -> int:
        """Opening time inside [from_ms, to_ms)."""
        if to_ms <= from_ms:
            return 0
        day = self.business_day(from_ms) - timedelta(days=1)
        last = self.business_day(to_ms)
        total = 0
        while day <= last:
            span = self.open_span(day)
            if span is not None:
                total += max(0, min(to_ms, span[1]) - max(from_ms, span[0]))
            day += timedelta(days=1)
        return total

    def hour_of(self, at_ms: int) -> int:
        """Hour since the business day began, 0 to 23; on the day that is an hour longer the last one counts twice."""
        self.business_day(at_ms)
        return min(23, (at_ms - self._day_span[0]) // HOUR_MS)

    def hour_end_ms(self, at_ms: int) -> int:
        """The end of hour_of(at_ms)."""
        hour = self.hour_of(at_ms)
        start_ms, end_ms, _ = self._day_span
        return end_ms if hour == 23 else start_ms + (hour + 1) * HOUR_MS

    def open_ms_by_hour(self, day: date) -> tuple[int, ...]:
        """Opening time in each of the business day's 24 hours, also of hours that run past midnight into it."""
        found = self._open_hours.get(day)
        if found is None:
            start_ms, end_ms = self.day_start_ms(day), self.day_start_ms(day + timedelta(days=1))
            edges = [start_ms + hour * HOUR_MS for hour in range(24)] + [max(end_ms, start_ms + 23 * HOUR_MS)]
            found = tuple(self.open_ms(a, b) for a, b in pairwise(edges))
            if len(self._open_hours) > 400:
                self._open_hours.clear()
            self._open_hours[day] = found
        return found

    def share_left(self, at_ms: int) -> float:
        """What is still to come of the business day's opening time, 0 to 1; 1 on a closed day."""
        span = self.open_span(self.business_day(at_ms))
        if span is None or span[1] <= span[0]:
            return 1.0
        return min(1.0, max(0.0, (span[1] - at_ms) / (span[1] - span[0])))

    def closed_days(self, first_day: date, days: int) -> tuple[date, ...]:
        horizon = (first_day + timedelta(days=ahead) for ahead in range(days))
        return tuple(day for day in horizon if self.is_closed(day))

    def _new_span(self, day: date) -> tuple[int, int] | None:
        if self.is_closed(day):
            return None
        opens, closes = self._hours[day.weekday()]
        end = closes if closes > opens else closes + 1440
        return self._wall_ms(day, opens), self._wall_ms(day, end)

    def _wall_ms(self, day: date, minute: int) -> int:
        wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - wall time, zoned next
        return round(wall.replace(tzinfo=self._zone).timestamp() * 1000)
