"""What a business day's forecasts are made of: histories up to yesterday, prices, and what comparable goods sell.

All of it stays as it is for the whole day, unless a document or a late receipt changes it; so it is gathered once.
"""

from datetime import date, timedelta
from math import isnan, nan

from contract.known_days import KnownDaysView, known_days_view
from edge.core.day import DAY_MS, ShopCalendar
from edge.core.demand import HISTORY_DAYS, Demand, seeded_shares
from edge.core.documents import Documents
from edge.core.hours import Hours
from edge.core.replenish import SkuInputs, price_ratios

HORIZON_DAYS = 14
PRICE_DAYS = 28
WHOLE_FROM = 0.95
"""Share of a day's demand from which on its sales count as demand."""
MIN_HISTORY_DAYS = 14
"""With fewer known days a SKU leans on its category."""


class DayInputs:
    """Look up with `of`; call `forget` when documents changed."""

    def __init__(self, documents: Documents, demand: Demand, hours: Hours) -> None:
        self._documents, self._demand, self._hours = documents, demand, hours
        self._day: date | None = None
        self._revision = -1
        self._by_sku: dict[str, SkuInputs] = {}
        self._known: tuple[date, KnownDaysView | None] | None = None

    def forget(self) -> None:
        self._day, self._known = None, None

    def of(self, skus: list[str], today: date, calendar: ShopCalendar) -> list[SkuInputs]:
        """The same objects for the same day and facts, so that an answer can be kept by identity."""
        if self._day != today or self._revision != self._demand.past_revision(today):
            self._gather(today, calendar)
        missing = [sku for sku in skus if sku not in self._by_sku]
        if missing:  # managed, but without sales or supply until now
            self._add(missing, today, calendar)
        return [self._by_sku[sku] for sku in skus]

    def for_day(self, skus: list[str], day: date, calendar: ShopCalendar) -> list[SkuInputs]:
        """As `of`, of any day and for these SKUs alone; nothing is kept."""
        self._by_sku = {}
        self._add(skus, day, calendar)
        found, self._by_sku, self._day, self._known = [self._by_sku[sku] for sku in skus], {}, None, None
        return found

    def _gather(self, today: date, calendar: ShopCalendar) -> None:
        self._day, self._revision = today, self._demand.past_revision(today)
        self._by_sku.clear()
        self._add(self._documents.managed_skus(), today, calendar)

    def _add(self, skus: list[str], today: date, calendar: ShopCalendar) -> None:
        open_ms = {}
        for back in range(1, HISTORY_DAYS + 1):
            day = today - timedelta(days=back)
            span = calendar.open_span(day)
            open_ms[day] = span[1] - span[0] if span else 0
        histories = self._demand.histories(skus, today, self._documents.history, open_ms)
        seeded = seeded_shares(self._documents.history, today, HISTORY_DAYS)
        served = {
            sku: _less_of(
                self._hours.served(
                    sku, self._documents.item_by_sku[sku].category, today, HISTORY_DAYS, calendar
                ),
                seeded.get(sku, ()),
            )
            for sku in skus
        }
        levels = self._category_levels(skus, histories, served)
        known = self._known_days(today)
        midnight_ms = calendar.day_start_ms(today)
        # Noon, give or take an hour of daylight saving: prices change at night.
        noons_ms = [midnight_ms + ahead * DAY_MS + DAY_MS // 2 for ahead in range(-PRICE_DAYS, HORIZON_DAYS)]
        for sku, history in zip(skus, histories, strict=True):
            category = self._documents.item_by_sku[sku].category
            prices = [self._documents.price_cents(sku, noon_ms) for noon_ms in noons_ms]
            self._by_sku[sku] = SkuInputs(
                sku,
                tuple(history),
                price_ratios(prices, PRICE_DAYS),
                levels.get(category, nan),
                served[sku],
                known,
            )

    def _known_days(self, today: date) -> KnownDaysView | None:
        """One day more than the horizon: it makes an eve of the last one."""
        if self._known is None or self._known[0] != today:
            categories = {
                sku: item.category for sku, item in self._documents.item_by_sku.items() if item.managed
            }
            first = today - timedelta(days=HISTORY_DAYS)
            days = HISTORY_DAYS + HORIZON_DAYS + 1
            self._known = today, known_days_view(self._documents.known_days, categories, first, days)
        return self._known[1]

    def _category_levels(
        self, skus: list[str], histories: list[list[float]], served: dict[str, tuple[float, ...]]
    ) -> dict[str, float]:
        """Mean units a day of a category's SKUs, of those that have enough history and were not sold out on most days."""
        sums: dict[str, list[float]] = {}
        for sku, history in zip(skus, histories, strict=True):
            shares = served[sku] or (1.0,) * len(history)
            known = [
                units
                for units, share in zip(history[-PRICE_DAYS:], shares[-PRICE_DAYS:], strict=True)
                if share >= WHOLE_FROM and not isnan(units)
            ]
            if len(known) >= MIN_HISTORY_DAYS:
                category = self._documents.item_by_sku[sku].category
                sums.setdefault(category, []).append(sum(known) / len(known))
        return {category: sum(levels) / len(levels) for category, levels in sums.items()}


def _less_of(live: tuple[float, ...], seeded: tuple[float, ...]) -> tuple[float, ...]:
    """Each day's smaller share; () is all of every day. A day is live or seeded: the other says 1 of it."""
    if not live or not seeded:
        return live or seeded
    return tuple(map(min, live, seeded))
