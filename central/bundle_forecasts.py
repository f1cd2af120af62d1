"""What another bundle would have forecast on each morning of stored weeks, from what was known then: sales, empty shelves, prices, holidays."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy.engine import Connection

from central.calendars import KIND as CALENDAR
from central.calendars import calendar_in
from central.core.days import day_start_ms
from central.core.rollups import STORE_TOTAL
from central.ledger import played_rows as rows
from central.ledger.played_rows import DAY_MS, Span
from central.played_demand import DayHours, OpenTimes
from central.stored_weeks import HISTORY_DAYS, HORIZON_DAYS, UNSOLD, StoredWeeks
from contract.known_days import Days, known_days_view
from models.arrays import F64
from models.features import usual_price
from models.forecast import Forecast

if TYPE_CHECKING:
    from models.inference import Models

PRICE_DAYS, LEVEL_DAYS, MIN_LEVEL_DAYS = 28, 28, 14
"""Days of past prices, and of sales by which a category's level is known, as gateways look at them."""
EMPTY_ALL_DAY = 0.95
NOON_MS = DAY_MS // 2


class BundleForecasts:
    """`of(day)` gives one row a SKU of the weeks."""

    def __init__(self, connection: Connection, weeks: StoredWeeks, models: "Models") -> None:
        self._models, self._weeks = models, weeks
        first = weeks.dates[0] - timedelta(days=HISTORY_DAYS)
        self._days = [first + timedelta(days=step) for step in range(HISTORY_DAYS + len(weeks.dates))]
        self._sold, self._served = self._histories(connection)
        self._prices = self._noon_prices(connection)
        self._category_by_sku = dict(rows.categories(connection, weeks.store, weeks.skus))
        self._categories = _members(weeks.skus, self._category_by_sku)
        calendar = rows.document(connection, weeks.store, CALENDAR)
        self._calendar = None if calendar is None else calendar_in(calendar)

    def of(self, day: date) -> Forecast:
        place = (day - self._days[0]).days
        past = slice(place - HISTORY_DAYS, place)
        sold, served = self._sold[:, past], self._served[:, past]
        usual = usual_price(self._prices[:, place + HISTORY_DAYS - PRICE_DAYS : place + HISTORY_DAYS])
        ahead = self._prices[:, place + HISTORY_DAYS : place + HISTORY_DAYS + HORIZON_DAYS]
        return self._models.demand.forecast(
            sold, day, price_ratio=ahead / usual[:, None], category_level=self._levels(sold, served),
            served_share=served, known_days=self._known_days(day), horizon_days=HORIZON_DAYS,
        )  # fmt: skip

    def _known_days(self, day: date) -> dict[str, list[Days]] | None:
        """Of the calendar as it stands: what was known of these days then is not kept."""
        n_days = HISTORY_DAYS + HORIZON_DAYS + 1  # one more makes an eve of the last one
        first = day - timedelta(days=HISTORY_DAYS)
        view = known_days_view(self._calendar, self._category_by_sku, first, n_days)
        return None if view is None else view.columns(self._weeks.skus, n_days)

    def _histories(self, connection: Connection) -> tuple[F64, F64]:
        """Units a day, NaN where nothing was heard, and the share of each day's demand that the shelf could serve."""
        weeks = self._weeks
        open_times = OpenTimes(*rows.hours(connection, weeks.store))
        open_ms = [sum(DayHours(day, weeks.zone, open_times).open) * 3_600_000 for day in self._days]
        heard = weeks.facts.get(STORE_TOTAL, {})
        seeds, first_live = _seeds(connection, weeks.store)
        sold = np.full((len(weeks.skus), len(self._days)), np.nan)
        served = np.ones_like(sold)
        for row, sku in enumerate(weeks.skus):
            of_sku, seed = weeks.facts[sku], seeds.get(sku, [])
            for place, day in enumerate(self._days):
                if day in heard or day in of_sku:  # a SKU without a row sold nothing on such a day
                    units, out_ms, _ = of_sku.get(day, UNSOLD)
                    share = 1 - min(1.0, out_ms / open_ms[place]) if open_ms[place] else 1.0
                    served[row, place] = share
                    all_empty = units <= 0 and share <= 1 - EMPTY_ALL_DAY
                    sold[row, place] = np.nan if all_empty else max(0, units)
                elif first_live is not None and 0 < (first_live - day).days <= len(seed):
                    told = seed[-(first_live - day).days]
                    sold[row, place] = np.nan if told is None else told
        return sold, served

    def _noon_prices(self, connection: Connection) -> F64:
        """(SKUs, days), from HISTORY_DAYS before the first day of the histories on; NaN where none was known."""
        weeks = self._weeks
        first = self._days[0] - timedelta(days=HISTORY_DAYS)
        days = [first + timedelta(days=step) for step in range(len(self._days) + HISTORY_DAYS + HORIZON_DAYS)]
        noons = np.array([day_start_ms(day.isoformat(), weeks.zone) + NOON_MS for day in days])
        known = rows.prices(connection, Span(weeks.store, 0, int(noons[-1])), weeks.skus)
        found = np.full((len(weeks.skus), len(days)), np.nan)
        for row, sku in enumerate(weeks.skus):
            steps = known.get(sku)
            if steps:
                place = np.searchsorted(np.array([from_ms for from_ms, _ in steps]), noons, side="right") - 1
                cents = np.array([float(cents) for _, cents in steps])
                found[row] = np.where(place >= 0, cents[np.maximum(place, 0)], np.nan)
        return found

    def _levels(self, sold: F64, served: F64) -> F64:
        """Mean units a day of each SKU's category, of those with enough whole days; NaN where none has."""
        whole = np.isfinite(sold) & (served >= EMPTY_ALL_DAY)
        recent = np.where(whole, sold, 0.0)[:, -LEVEL_DAYS:].sum(axis=1)
        days = whole[:, -LEVEL_DAYS:].sum(axis=1)
        mean = np.where(days >= MIN_LEVEL_DAYS, recent / np.maximum(days, 1), np.nan)
        found = np.full(len(sold), np.nan)
        for members in self._categories:
            known = mean[members][np.isfinite(mean[members])]
            if len(known):
                found[members] = known.mean()
        return found


def _seeds(connection: Connection, store: str) -> tuple[Mapping[str, Sequence[int | None]], date | None]:
    """Sales from before the shop's first live day, as they were imported."""
    body = rows.document(connection, store, "history")
    if body is None:
        return {}, None
    told = json.loads(body)
    return {row["sku"]: row["units"] for row in told["rows"]}, date.fromisoformat(told["first_live_day"])


def _members(skus: Sequence[str], category_by_sku: Mapping[str, str]) -> list[list[int]]:
    """The SKUs of each category, by index."""
    members: dict[str, list[int]] = {}
    for index, sku in enumerate(skus):
        if sku in category_by_sku:
            members.setdefault(category_by_sku[sku], []).append(index)
    return list(members.values())
