"""One store's outlook from the ledger: its newest forecasts, and what the same weekdays sold before."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_of, day_start_ms
from central.core.outlook import DAYS, MIN_DAYS, WEEKS, CategorySum, SkuOutlook, spread_of, sums_of
from central.core.rollups import DAY_MS, STORE_TOTAL
from central.ledger.of_skus import OfSkus
from central.ledger.past_weeks import Past, past_weeks
from contract.records import QUANTILE_LEVELS

_LOW, _HIGH = QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)
HIDING_MS = DAY_MS // 20
"""Of a day's stock-out, from which on its sales do not tell what was wanted."""
_LAST = sa.text("SELECT max(at_ms) FROM rollups WHERE store_id = :store AND step_ms = :step")
_ITEMS = sa.text("SELECT sku, name, category FROM items WHERE store_id = :store AND managed = 1")
_FORECASTS = sa.text(
    """SELECT sku, first_day, mean, quantiles FROM forecasts WHERE store_id = :store AND first_day >= :first
    ORDER BY first_day"""
)
_SOLD = OfSkus(
    """SELECT sku, at_ms, sold_units, stock_out_ms FROM rollups WHERE store_id = :store AND step_ms = :step AND at_ms >= :from_ms
    AND at_ms < :to_ms AND {among}"""
)


@dataclass(frozen=True, slots=True)
class StoreOutlook:
    """sums: category -> what it expects. names: of the SKUs that drive one. left_out: SKUs without a fresh forecast.

    is_young: too few days were heard to compare with. past: what forecasts missed in the weeks before.
    """

    sums: dict[str, CategorySum]
    names: dict[str, str]
    from_day: str | None
    left_out: int
    is_young: bool = False
    past: Past = field(default_factory=dict)


def store_outlook(connection: Connection, store: str, zone: ZoneInfo) -> StoreOutlook:
    last_ms = connection.execute(_LAST, {"store": store, "step": DAY_MS}).scalar()
    if last_ms is None:
        return StoreOutlook({}, {}, None, 0)
    today = date.fromisoformat(day_of(int(last_ms), zone))
    items = {row.sku: row for row in connection.execute(_ITEMS, {"store": store})}
    fresh = (today - timedelta(days=1)).isoformat()
    newest = {row.sku: row for row in connection.execute(_FORECASTS, {"store": store, "first": fresh})}
    sold, by_day, covered, heard = _sold(connection, store, zone, today, [STORE_TOTAL, *newest])
    found = [
        _of_sku(store, sku, items[sku].category, row, sold.get(sku, Counter()), covered)
        for sku, row in newest.items()
        if sku in items
    ]
    sums = sums_of(one for one in found if one is not None)
    shown = {one.sku for total in sums.values() for one in (*total.up, *total.down)}
    first_days = [row.first_day for row in newest.values()]
    categories = {sku: items[sku].category for sku in newest if sku in items}
    past = past_weeks(connection, store, today, categories.get, by_day, heard)
    return StoreOutlook(
        sums, {sku: items[sku].name for sku in shown}, min(first_days, default=None), len(items) - len(found),
        covered.total() < MIN_DAYS, past,
    )  # fmt: skip


def _of_sku(
    store: str,
    sku: str,
    category: str,
    row: sa.Row[tuple[object, ...]],
    sold: Counter[int],
    covered: Counter[int],
) -> SkuOutlook | None:
    mean, quantiles = json.loads(row.mean)[:DAYS], json.loads(row.quantiles)[:DAYS]
    first = date.fromisoformat(row.first_day)
    weekdays = [(first + timedelta(days=ahead)).weekday() for ahead in range(len(mean))]
    # A weekday that was never heard tells nothing: its forecast is left out, too.
    known = [place for place, weekday in enumerate(weekdays) if covered[weekday]]
    return SkuOutlook(
        store, sku, category,
        expected_units=sum(mean[place] for place in known),
        usual_units=sum(max(0, sold[weekdays[place]]) / covered[weekdays[place]] for place in known),
        spread_units=spread_of([quantiles[place] for place in known], _LOW, _HIGH),
        usual_variance=sum(max(0, sold[weekdays[place]]) / covered[weekdays[place]] ** 2 for place in known),
        days_compared=len(known), is_young=covered.total() < MIN_DAYS,
    )  # fmt: skip


def _sold(
    connection: Connection, store: str, zone: ZoneInfo, today: date, skus: Sequence[str]
) -> tuple[dict[str, Counter[int]], dict[str, dict[date, int | None]], Counter[int], set[date]]:
    """SKU -> weekday -> units of the weeks before today; SKU -> day -> units, None where a stock-out hid some; how many days of
    each weekday were heard of at all; and which.
    """
    days = [today - timedelta(days=back) for back in range(1, 7 * WEEKS + 1)]
    day_at = {day_start_ms(day.isoformat(), zone): day for day in days}
    span = {
        "store": store,
        "step": DAY_MS,
        "from_ms": day_start_ms(days[-1].isoformat(), zone),
        "to_ms": day_start_ms(today.isoformat(), zone),
    }
    sold: dict[str, Counter[int]] = {}
    by_day: dict[str, dict[date, int | None]] = {}
    heard: set[date] = set()
    for sku, at_ms, sold_units, stock_out_ms in _SOLD.run(connection, span, skus):
        day = day_at.get(at_ms)
        if day is None:
            continue
        heard.add(day)
        sold.setdefault(sku, Counter())[day.weekday()] += sold_units
        by_day.setdefault(sku, {})[day] = sold_units if stock_out_ms <= HIDING_MS else None
    return sold, by_day, Counter(day.weekday() for day in heard), heard
