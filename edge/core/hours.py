"""At which hours a category sells, and at which hours a SKU's facing was empty: what share of a day's demand a shelf could serve.

A shelf that is empty each evening sells less than is wanted. The sales of such a day are a lower bound; how much of the day is
missing says the category's profile over the hours, learned from SKUs and days that were served from opening to closing, and
faded. `models.censoring` makes demand of sales and share, for forecasts and for training alike.
"""

from datetime import date, timedelta

from pydantic import TypeAdapter

from edge.core.day import ShopCalendar
from edge.core.rows import Row, Rows

HOUR_MS = 3_600_000
HOURS = 24
KEEP_DAYS = 63
KEPT_A_DAY = 0.5 ** (1 / 28)
_PRIOR_UNITS = 50.0
"""A category's profile is drawn to the shop's as by so many units, the shop's to even hours of opening: models.censoring."""
_DIGITS = 3

Hourly = dict[int, int]
Profile = list[float]


class Hours:
    """Keys are `day|sku`. What sold by the hour is kept until the day is over, hours of empty facings as long as histories."""

    def __init__(self) -> None:
        self.sold_rows: Rows[Hourly] = Rows("sold-hours", TypeAdapter(Hourly))
        self.empty_rows: Rows[Hourly] = Rows("empty-hours", TypeAdapter(Hourly))
        self.profiles: Rows[Profile] = Rows("hour-profile", TypeAdapter(Profile))
        """Category -> units by the hour, faded."""
        self._empty_days: dict[str, set[str]] = {}
        self._profiles: dict[tuple[str, tuple[int, ...]], Profile] = {}
        """What was computed of `profiles`, until they change at the day's end."""

    def sold(self, sku: str, day: str, hour: int, units: int) -> None:
        _add(self.sold_rows, f"{day}|{sku}", hour, units)

    def was_empty(self, sku: str, day: str, hour: int, open_ms: int) -> None:
        """open_ms: opening time within that hour of the day during which the facing was empty."""
        _add(self.empty_rows, f"{day}|{sku}", hour, open_ms)
        self._empty_days.setdefault(sku, set()).add(day)

    def end_days(self, today: date, category_of: dict[str, str]) -> None:
        """Takes what sold on days before `today` into the profiles, and forgets days that no history reaches."""
        text = today.isoformat()
        over = [key for key in self.sold_rows.by_key if key[:10] < text]
        units: dict[str, list[int]] = {}
        for key in over:
            category = category_of.get(key[11:])
            # A day that was cut short says nothing of its last hours: they would seem quiet.
            if category is not None and key not in self.empty_rows.by_key:
                by_hour = units.setdefault(category, [0] * HOURS)
                for hour, count in self.sold_rows.by_key[key].items():
                    by_hour[hour] += max(0, count)
            self.sold_rows.drop(key)
        self._profiles.clear()
        for category, day in units.items():
            before = self.profiles.get(category) or [0.0] * HOURS
            after = [round(old * KEPT_A_DAY + new, _DIGITS) for old, new in zip(before, day, strict=True)]
            self.profiles.put(category, after)
        if over:
            live = set(category_of.values())
            for category in [name for name in self.profiles.by_key if name not in live]:
                self.profiles.drop(category)
        self._forget_before((today - timedelta(days=KEEP_DAYS)).isoformat())

    def served(
        self, sku: str, category: str, before: date, days: int, calendar: ShopCalendar
    ) -> tuple[float, ...]:
        """Share of each day's demand that the shelf could serve, the last one the day before `before`; () for all of it."""
        cut = self._empty_days.get(sku)
        if not cut:
            return ()
        shares = [1.0] * days
        for text in cut:
            place = days - (before - date.fromisoformat(text)).days
            if 0 <= place < days:
                shares[place] = self.served_on(sku, category, date.fromisoformat(text), calendar)
        return tuple(shares) if min(shares, default=1.0) < 1.0 else ()

    def served_on(self, sku: str, category: str, day: date, calendar: ShopCalendar) -> float:
        empty = self.empty_rows.get(f"{day.isoformat()}|{sku}")
        if not empty:
            return 1.0
        open_ms = calendar.open_ms_by_hour(day)
        if not any(open_ms):
            return 1.0
        profile = self._profile(category, open_ms)
        wanted = sum(share for share, ms in zip(profile, open_ms, strict=True) if ms)
        missed = sum(
            profile[hour] * min(1.0, ms / open_ms[hour])
            for hour, ms in empty.items()
            if hour < HOURS and open_ms[hour]
        )
        return round(max(0.0, 1.0 - missed / wanted), 4) if wanted > 0 else 1.0

    def share_left(self, category: str, at_ms: int, calendar: ShopCalendar) -> float:
        """What is still to come of the business day's demand, 0 to 1; 1 on a closed day.

        By the hours at which the category sells, even within an hour: at six in the evening a shop with an evening peak
        has most of its day before it. Until something was learned, by the opening time that is left.
        """
        open_ms = calendar.open_ms_by_hour(calendar.business_day(at_ms))
        if not any(open_ms):
            return calendar.share_left(at_ms)
        profile = self._profile(category, open_ms)
        hour = calendar.hour_of(at_ms)
        wanted = sum(share for share, ms in zip(profile, open_ms, strict=True) if ms)
        later = sum(profile[next_] for next_ in range(hour + 1, HOURS) if open_ms[next_])
        if open_ms[hour]:
            later += profile[hour] * calendar.open_ms(at_ms, calendar.hour_end_ms(at_ms)) / open_ms[hour]
        return round(min(1.0, max(0.0, later / wanted)), 4) if wanted > 0 else calendar.share_left(at_ms)

    def changed(self) -> list[Row]:
        return self.sold_rows.changed() + self.empty_rows.changed() + self.profiles.changed()

    def restore_empty(self, key: str, text: str) -> None:
        self.empty_rows.restore(key, text)
        self._empty_days.setdefault(key[11:], set()).add(key[:10])

    def _profile(self, category: str, open_ms: tuple[int, ...]) -> Profile:
        found = self._profiles.get((category, open_ms))
        if found is None:
            found = self._profiles[category, open_ms] = self._new_profile(category, open_ms)
        return found

    def _new_profile(self, category: str, open_ms: tuple[int, ...]) -> Profile:
        shop = [sum(row[hour] for row in self.profiles.by_key.values()) for hour in range(HOURS)]
        total_ms = sum(open_ms)
        everyone = _drawn(shop, [ms / total_ms for ms in open_ms])
        return _drawn(self.profiles.get(category) or [0.0] * HOURS, everyone)

    def _forget_before(self, oldest: str) -> None:
        for key in [key for key in self.empty_rows.by_key if key[:10] < oldest]:
            self.empty_rows.drop(key)
            days = self._empty_days[key[11:]]
            days.discard(key[:10])
            if not days:
                del self._empty_days[key[11:]]


def _add(rows: Rows[Hourly], key: str, hour: int, amount: int) -> None:
    by_hour = rows.get(key)
    if by_hour is None:
        by_hour = {}
    by_hour[hour] = by_hour.get(hour, 0) + amount
    rows.put(key, by_hour)


def _drawn(units: Profile, prior: Profile) -> Profile:
    total = sum(units) + _PRIOR_UNITS
    return [(count + _PRIOR_UNITS * share) / total for count, share in zip(units, prior, strict=True)]
