"""The demand of stored weeks, hour by hour: what was sold, and what an empty shelf hid."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from central.core.days import day_start_ms
from central.core.replay_words import PlayedHour
from models.arrays import F64
from models.censoring import recovered_units

HOUR_MS = 3_600_000
USUAL_OPEN = (6, 22)
"""Hours of a shop that never told its own."""
LEAST_HIDDEN = 0.02
"""Of a day's demand: an empty shelf that hid less is not looked at."""


class OpenTimes:
    """Which share of an hour a shop is open."""

    def __init__(self, hours: str, closed_days: str) -> None:
        """Both as JSON, as the ledger has them."""
        self._of_weekday: dict[int, list[tuple[int, int]]] = {}
        for one in json.loads(hours):
            self._of_weekday.setdefault(one["weekday"], []).append(
                (one["opens_minute"], one["closes_minute"])
            )
        self._closed = set(json.loads(closed_days))

    def share(self, day: date, hour: int) -> float:
        """hour: from midnight on."""
        if not self._of_weekday:
            return float(USUAL_OPEN[0] <= hour < USUAL_OPEN[1])
        if day.isoformat() in self._closed:
            return 0.0
        spans = self._of_weekday.get(day.weekday(), [])
        return (
            sum(max(0, min(60 * hour + 60, closes) - max(60 * hour, opens)) for opens, closes in spans) / 60
        )


class DayHours:
    """One day's hours: 24, or one more or less when clocks change."""

    def __init__(self, day: date, zone: ZoneInfo, open_times: OpenTimes) -> None:
        self.start_ms = day_start_ms(day.isoformat(), zone)
        end_ms = day_start_ms((day + timedelta(days=1)).isoformat(), zone)
        self.n = max(1, round((end_ms - self.start_ms) / HOUR_MS))
        self.open = [open_times.share(day, hour) for hour in range(self.n)]

    def place(self, at_ms: int) -> int:
        return int(min(max(0, (at_ms - self.start_ms) // HOUR_MS), self.n - 1))


Sums = Mapping[tuple[int, int], tuple[int, int]]
"""(SKU's index, at_ms) -> (units sold, ms of stock-out)."""


def played_hours(
    days: Sequence[DayHours],
    daily: Sequence[Sequence[tuple[int, int]]],
    hourly: Sums,
    expected: F64,
    dispersion: F64,
    found: Sequence[tuple[int, int, int]],
) -> list[list[PlayedHour]]:
    """daily: of each day and SKU (units sold, ms of stock-out). hourly: of the hours that are kept; what a day sold beyond them is
    spread as the shop sells. expected, dispersion: (days, SKUs), of the forecasts of the time. found: (SKU's index, at_ms, units).

    Demand is whole units: what is left of a fraction is kept for the SKU's next hour.
    """
    n_sku = len(daily[0]) if daily else 0
    sold = [np.zeros((n_sku, day.n)) for day in days]
    out = [np.zeros((n_sku, day.n)) for day in days]
    starts = [day.start_ms for day in days]
    for (index, at_ms), (units, out_ms) in hourly.items():
        number = max(0, bisect_right(starts, at_ms) - 1)
        hour = days[number].place(at_ms)
        sold[number][index, hour] += max(0, units)
        out[number][index, hour] += min(1.0, out_ms / HOUR_MS)
    profiles = [_profile(day, number, days, sold) for number, day in enumerate(days)]
    rest = np.zeros(n_sku)
    turned_up: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for index, at_ms, units in found:
        number = max(0, bisect_right(starts, at_ms) - 1)
        turned_up.setdefault((number, days[number].place(at_ms)), []).append((index, units))
    played = []
    for number, day in enumerate(days):
        profile = profiles[number]
        wanted = sold[number]
        told = np.array([units for units, _ in daily[number]], dtype=float)
        wanted += np.maximum(0, told - wanted.sum(axis=1))[:, None] * profile[None, :]
        empty = _empty(out[number], [out_ms for _, out_ms in daily[number]], day)
        hidden_share = empty @ profile
        mean = expected[number]
        all_day = recovered_units(wanted.sum(axis=1), 1 - hidden_share, mean, dispersion[number])
        hidden = np.where((hidden_share > LEAST_HIDDEN) & (mean > 0), all_day - wanted.sum(axis=1), 0.0)
        wanted = wanted + hidden[:, None] * empty * profile / np.maximum(hidden_share, 1e-9)[:, None]
        running = rest[:, None] + np.cumsum(wanted, axis=1)
        whole = np.floor(running + 1e-9)
        units_of = np.diff(np.concatenate([np.zeros((n_sku, 1)), whole], axis=1), axis=1).astype(int)
        rest = running[:, -1] - whole[:, -1]
        left = np.maximum(0.0, 1 - np.cumsum(profile))
        hours = []
        for hour in range(day.n):
            rows = np.flatnonzero(units_of[:, hour])
            sales = tuple((int(row), int(units_of[row, hour])) for row in rows)
            hours.append(
                PlayedHour(
                    day.start_ms + hour * HOUR_MS, day.open[hour], float(left[hour]), sales,
                    tuple(turned_up.get((number, hour), ())),
                )
            )  # fmt: skip
        played.append(hours)
    return played


def _profile(day: DayHours, number: int, days: Sequence[DayHours], sold: Sequence[F64]) -> F64:
    """Share of the shop's demand in each hour of this day: of its kind of day over all weeks, drawn to the opening time."""
    by_hour = np.array(day.open, dtype=float)
    by_hour *= 50 / max(by_hour.sum(), 1e-9)
    for other, units in zip(days[number % 7 :: 7], sold[number % 7 :: 7], strict=True):
        if other.n == day.n:
            by_hour += units.sum(axis=0)
    total = by_hour.sum()
    return by_hour / total if total > 0 else np.full(day.n, 1 / day.n)


def _empty(hourly: F64, daily_ms: Sequence[int], day: DayHours) -> F64:
    """Share of each hour with an empty shelf, (SKUs, hours); where only the day's is known, it is so in all open hours alike."""
    open_ms = max(sum(day.open) * HOUR_MS, 1.0)
    whole = np.minimum(1.0, np.array(daily_ms, dtype=float) / open_ms)
    unknown = (hourly.sum(axis=1) == 0) & (whole > 0)
    return np.asarray(np.where(unknown[:, None], whole[:, None], hourly))
