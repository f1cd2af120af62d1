"""Stored weeks of a store as a replay plays them: demand by the hour, forecasts by the day, the opening stock and what was on its way."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy.engine import Connection

from central.core.days import day_after, day_of, day_start_ms, midnight_before
from central.core.replay_shelf import PlayedShelf
from central.core.replay_words import Coming, People, PlayedHour
from central.core.rollups import STORE_TOTAL
from central.ledger import played_rows as rows
from central.ledger.played_rows import DAY_MS, HOUR_MS, Span
from central.played_demand import DayHours, OpenTimes, played_hours
from central.replay_forecasts import dispersion_of, lengthened
from contract.documents import SupplyDocument, SupplyLine
from models.arrays import F64

HISTORY_DAYS = 56
HORIZON_DAYS = 14
USUAL_DELIVERY_MS = 6 * HOUR_MS

DayRows = dict[date, tuple[int, int, int | None]]
"""Day -> (units sold, ms of stock-out, on hand at its end)."""
UNSOLD = (0, 0, None)


@dataclass(frozen=True, slots=True)
class Told:
    """A day's forecasts as gateways told them: (SKUs, HORIZON_DAYS) means and (SKUs,) dispersions; is_known: of which SKUs."""

    mean: F64
    dispersion: F64
    is_known: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class StoredWeeks:
    """skus: what is played, in the order of all indices. bundle: by which the newest forecast was made.

    facts: by SKU (and "" for the whole store), HISTORY_DAYS before the first day as well.
    """

    store: str
    zone: ZoneInfo
    dates: tuple[date, ...]
    skus: tuple[str, ...]
    left_out: int
    lines: Mapping[str, SupplyLine]
    facts: Mapping[str, DayRows]
    values: tuple[int | None, ...]
    hours: Sequence[Sequence[PlayedHour]]
    told: Sequence[Told]
    bundle: str
    coming: tuple[Coming, ...]
    people: People
    delivery_ms: int
    _opening: Sequence[Sequence[tuple[int, int]]]

    @property
    def span(self) -> Span:
        return _span(self.store, self.zone, self.dates)

    def shelves(self) -> Iterator[tuple[str, int | None, PlayedShelf]]:
        """The opening stock of each SKU, new at each call."""
        for index, sku in enumerate(self.skus):
            shelf = PlayedShelf(list(self._opening[index]), self.lines[sku].shelf_life_days)
            yield sku, self.values[index], shelf


def stored_weeks(
    connection: Connection, store: str, zone: ZoneInfo, n_days: int, max_skus: int | None = None
) -> StoredWeeks | None:
    """The newest `n_days` days that are over, from the first on of which anything was heard; None when there is no supply, or nothing
    was heard.

    SKUs have a supply line, sales and a forecast in these days; beyond max_skus the slowest sellers are left out.
    """
    body, last_ms = rows.document(connection, store, "supply"), rows.last_day_ms(connection, store)
    if body is None or last_ms is None:
        return None
    end = date.fromisoformat(day_of(last_ms, zone))  # the newest day is not over
    dates = tuple(end - timedelta(days=back) for back in range(n_days, 0, -1))
    lines = {line.sku: line for line in SupplyDocument.from_json(body).lines}
    forecast = rows.forecast_skus(connection, store, dates[0].isoformat(), end.isoformat())
    asked = [STORE_TOTAL, *sorted(lines.keys() & forecast)]
    history = day_start_ms((dates[0] - timedelta(days=HISTORY_DAYS)).isoformat(), zone)
    before = Span(store, history, _span(store, zone, dates).to_ms)
    facts = _facts(connection, before, zone, asked)
    dates = _heard(dates, facts)
    span = _span(store, zone, dates)
    played = [sku for sku in asked[1:] if any(day >= dates[0] for day in facts.get(sku, ()))]
    skus = _best_sellers(played, facts, max_skus)
    told, bundle = _told(connection, store, dates, skus)
    arrived = _arrivals(rows.deliveries(connection, before))
    return StoredWeeks(
        store=store, zone=zone, dates=dates, skus=tuple(skus), left_out=len(played) - len(skus), lines=lines, facts=facts,
        values=_values(connection, span, lines, skus), hours=_hours(connection, span, zone, dates, skus, facts, told),
        told=told, bundle=bundle, coming=_coming(connection, span, zone, skus, lines, arrived),
        people=_people(connection, span), delivery_ms=_delivery_ms(arrived, zone),
        _opening=[_opening(sku, dates[0], facts[sku], arrived, zone) for sku in skus],
    )  # fmt: skip


def _span(store: str, zone: ZoneInfo, dates: Sequence[date]) -> Span:
    after = day_after(dates[-1].isoformat(), 1)
    return Span(store, day_start_ms(dates[0].isoformat(), zone), day_start_ms(after, zone))


def _facts(connection: Connection, span: Span, zone: ZoneInfo, skus: Sequence[str]) -> dict[str, DayRows]:
    found: dict[str, DayRows] = {}
    days: dict[int, date] = {}
    for sku, at_ms, sold_units, stock_out_ms, on_hand_units in rows.sums(connection, span, DAY_MS, skus):
        day = days.get(at_ms)
        if day is None:
            day = days[at_ms] = date.fromisoformat(day_of(at_ms, zone))
        found.setdefault(sku, {})[day] = (sold_units, stock_out_ms, on_hand_units)
    return found


def _heard(dates: tuple[date, ...], facts: Mapping[str, DayRows]) -> tuple[date, ...]:
    """Before its first word a store is not empty: its opening stock would wait there, and expire."""
    first = min((day for of_sku in facts.values() for day in of_sku), default=dates[0])
    return dates[max(0, (first - dates[0]).days) :]


def _best_sellers(skus: list[str], facts: Mapping[str, DayRows], max_skus: int | None) -> list[str]:
    if max_skus is None or len(skus) <= max_skus:
        return skus
    sold = {sku: sum(units for units, _, _ in facts[sku].values()) for sku in skus}
    return sorted(sorted(skus, key=lambda sku: -sold[sku])[:max_skus])


def _told(
    connection: Connection, store: str, dates: Sequence[date], skus: Sequence[str]
) -> tuple[list[Told], str]:
    """A day without a forecast of its own goes on with the one before: its second day is then today."""
    index_of = {sku: index for index, sku in enumerate(skus)}
    by_day: dict[date, list[Any]] = defaultdict(list)
    first = dates[0] - timedelta(days=HORIZON_DAYS - 1)
    end = day_after(dates[-1].isoformat(), 1)
    newest = ("", "")
    for row in rows.forecasts(connection, store, first.isoformat(), end, skus):
        by_day[date.fromisoformat(row.first_day)].append(row)
        newest = max(newest, (row.first_day, row.bundle))
    n = len(skus)
    mean, dispersion = np.zeros((n, HORIZON_DAYS)), np.zeros(n)
    age = np.full(n, HORIZON_DAYS)
    found = []
    for step in range((dates[-1] - first).days + 1):
        age += 1
        today = by_day.get(first + timedelta(days=step), [])
        if today:
            places = np.array([index_of[row.sku] for row in today])
            mean[places] = lengthened([json.loads(row.mean) for row in today], HORIZON_DAYS)
            dispersion[places] = _dispersions(today)
            age[places] = 0
        if first + timedelta(days=step) >= dates[0]:
            columns = age[:, None] + np.arange(HORIZON_DAYS)[None, :]
            # Past its end a forecast repeats its last week.
            over = np.maximum(0, columns - HORIZON_DAYS + 1)
            columns = np.minimum(columns - 7 * -(-over // 7), HORIZON_DAYS - 1)
            known = tuple((age < HORIZON_DAYS).tolist())
            found.append(Told(np.take_along_axis(mean, columns, axis=1), dispersion.copy(), known))
    return found, newest[1]


def _dispersions(told: Sequence[Any]) -> F64:
    means = [json.loads(row.mean) for row in told]
    days = min(len(mean) for mean in means)
    quantiles = [json.loads(row.quantiles)[:days] for row in told]
    return dispersion_of(np.array([mean[:days] for mean in means]), np.array(quantiles, dtype=float))


def _hours(
    connection: Connection, span: Span, zone: ZoneInfo, dates: Sequence[date], skus: Sequence[str],
    facts: Mapping[str, DayRows], told: Sequence[Told],
) -> list[list[PlayedHour]]:  # fmt: skip
    open_times = OpenTimes(*rows.hours(connection, span.store))
    index_of = {sku: index for index, sku in enumerate(skus)}
    hourly = {
        (index_of[sku], at_ms): (sold, out_ms)
        for sku, at_ms, sold, out_ms, _ in rows.sums(connection, span, HOUR_MS, skus)
        if sold or out_ms
    }
    daily = [[facts[sku].get(day, UNSOLD)[:2] for sku in skus] for day in dates]
    gone = [
        (index_of[row.sku], row.at_ms, row.units)
        for row in rows.corrections(connection, span)
        if row.sku in index_of
    ]
    expected = np.stack([np.where(day.is_known, day.mean[:, 0], 0.0) for day in told])
    dispersion = np.stack([day.dispersion for day in told])
    days = [DayHours(day, zone, open_times) for day in dates]
    return played_hours(days, daily, hourly, expected, dispersion, gone)


@dataclass(frozen=True, slots=True)
class _Arrived:
    """by_despatch: (despatch, SKU) -> when. by_sku: SKU -> (when, units), oldest first."""

    by_despatch: Mapping[tuple[str, str], int]
    by_sku: Mapping[str, Sequence[tuple[int, int]]]


def _arrivals(deliveries: Sequence[Any]) -> _Arrived:
    by_sku: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in deliveries:
        by_sku[row.sku].append((row.at_ms, row.units))
    return _Arrived({(row.despatch, row.sku): row.at_ms for row in deliveries if row.despatch}, by_sku)


def _delivery_ms(arrived: _Arrived, zone: ZoneInfo) -> int:
    """After midnight: when lorries came in the middle of all."""
    times = [at_ms - midnight_before(at_ms, zone) for loads in arrived.by_sku.values() for at_ms, _ in loads]
    return int(median(times)) if times else USUAL_DELIVERY_MS


def _coming(
    connection: Connection, span: Span, zone: ZoneInfo, skus: Sequence[str], lines: Mapping[str, SupplyLine],
    arrived: _Arrived,
) -> tuple[Coming, ...]:  # fmt: skip
    """What was ordered before the first day and came later; what others ordered in these days; what other stores gave."""
    index_of = {sku: index for index, sku in enumerate(skus)}
    found = []
    since = Span(span.store, span.from_ms - HISTORY_DAYS * DAY_MS, span.to_ms)
    for row in rows.triggers(connection, since):
        earlier = row.created_ms < span.from_ms or row.kind == "transfer"
        went = row.state not in ("proposed", "snoozed", "superseded", "expired", "cancelled", "rejected")
        if row.sku in index_of and earlier and went:
            units = row.quantity_units if row.shipped_units is None else row.shipped_units
            lead = row.lead_time_days
            found.append(_one(row, index_of[row.sku], units, row.created_ms, lead, arrived, zone))
    for row in rows.outside_orders(connection, since):
        if row.sku in index_of and row.state in ("open", "received"):
            lead = lines[row.sku].lead_time_days
            found.append(_one(row, index_of[row.sku], row.quantity_units, row.at_ms, lead, arrived, zone))
    return tuple(one for one in found if one.arrives_ms >= span.from_ms)


def _one(
    row: Any, index: int, units: int, ordered_ms: int, lead_days: int, arrived: _Arrived, zone: ZoneInfo
) -> Coming:
    came_ms = arrived.by_despatch.get((row.despatch, row.sku)) if row.despatch else None
    if came_ms is None:
        day = row.arrives_day or day_after(day_of(ordered_ms, zone), lead_days)
        came_ms = max(ordered_ms, day_start_ms(day, zone) + USUAL_DELIVERY_MS)
    return Coming(index, units, ordered_ms, came_ms)


def _opening(
    sku: str, first: date, facts: DayRows, arrived: _Arrived, zone: ZoneInfo
) -> list[tuple[int, int]]:
    """The stock of the evening before, else the first that is known; the newest deliveries are what is left of it."""
    before = [day for day, (_, _, on_hand) in facts.items() if day < first and on_hand is not None]
    later = [day for day, (_, _, on_hand) in facts.items() if day >= first and on_hand is not None]
    of = max(before) if before else min(later, default=None)
    left = 0 if of is None else max(0, facts[of][2] or 0)
    start_ms = day_start_ms(first.isoformat(), zone)
    parts = []
    for at_ms, units in reversed(arrived.by_sku.get(sku, ())):
        if at_ms < start_ms and left > 0 and units > 0:
            parts.append((date.fromisoformat(day_of(at_ms, zone)).toordinal(), min(left, units)))
            left -= min(left, units)
    # Since when the rest is here nobody knows: it counts as fresh.
    return [*parts, (first.toordinal(), left)]


def _people(connection: Connection, span: Span) -> People:
    """As they did with the orders of these days that waited: a yes after the usual time; none where nobody ever decided."""
    asked = rows.asked_people(connection, span)
    waits = [row.at_ms - row.created_ms for row in asked if row.action == "approve"]
    return People(say_yes=bool(waits) or not asked, wait_ms=int(median(waits)) if waits else 0)


def _values(
    connection: Connection, span: Span, lines: Mapping[str, SupplyLine], skus: Sequence[str]
) -> tuple[int | None, ...]:
    """What a unit counts as: its cost, or its price where no cost is known."""
    free = [sku for sku in skus if not lines[sku].cost_cents]
    prices = rows.prices(connection, span, free) if free else {}
    return tuple(lines[sku].cost_cents or (prices[sku][-1][1] if prices.get(sku) else None) for sku in skus)
