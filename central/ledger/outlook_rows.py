"""Stores' outlooks from the ledger: their newest forecasts, and what the same weekdays sold before.

Stores are read in parts: a chain of small shops costs few statements, and a big shop no more memory than it needs alone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json
from sqlalchemy.engine import Connection

from central.core.days import day_of, day_start_ms
from central.core.outlook import DAYS, MIN_DAYS, WEEKS, CategorySum, SkuOutlook, spread_of, sums_of
from central.core.rollups import DAY_MS, STORE_TOTAL
from central.ledger.forecast_text import first_rows
from central.ledger.of_stores import named, of_stores
from central.ledger.past_weeks import Heard, Past, past_weeks
from contract.records import QUANTILE_LEVELS

_LOW, _HIGH = QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)
HIDING_MS = DAY_MS // 20
"""Of a day's stock-out, from which on its sales do not tell what was wanted."""
SKUS_AT_ONCE = 2_000
"""Of all stores of a part; a bigger store is a part of its own."""
_SHOPS = of_stores(
    """SELECT store_id, timezone, (SELECT max(r.at_ms) FROM rollups r WHERE r.store_id = s.store_id AND r.step_ms = :step) AS last_ms,
    (SELECT count(*) FROM items i WHERE i.store_id = s.store_id AND i.managed = 1) AS skus FROM stores s WHERE {stores}"""
)
_ITEMS = of_stores("SELECT store_id, sku, name, category FROM items WHERE {stores} AND managed = 1")
# By each SKU's key: a scan would pass every forecast that the stores ever told.
_FORECASTS = of_stores(
    """SELECT i.store_id, i.sku, f.first_day, f.mean, f.quantiles
    FROM (SELECT store_id, sku FROM items WHERE {stores} AND managed = 1) i CROSS JOIN forecasts f
    WHERE f.store_id = i.store_id AND f.sku = i.sku AND f.first_day >= :first ORDER BY f.first_day"""
)
_SOLD = of_stores(
    """SELECT store_id, sku, at_ms, sold_units, stock_out_ms FROM rollups r WHERE {stores} AND step_ms = :step
    AND at_ms >= :from_ms AND at_ms < :to_ms AND (sku = :total
    OR EXISTS (SELECT 1 FROM items i WHERE i.store_id = r.store_id AND i.sku = r.sku AND i.managed = 1))"""
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


@dataclass(frozen=True, slots=True)
class Part:
    """Stores that are read together: of one zone, with the same newest day. today: that day, None where nothing was heard."""

    stores: tuple[str, ...]
    today: date | None
    zone: ZoneInfo


def outlook_parts(connection: Connection, stores: Sequence[str]) -> list[Part]:
    """The first part holds the first store, and so on; strange stores are in none."""
    rows = {row.store_id: row for row in connection.execute(_SHOPS, {**named(stores), "step": DAY_MS})}
    alike: dict[tuple[date | None, str], list[Any]] = {}
    for row in (rows[store] for store in stores if store in rows):
        alike.setdefault((_newest_day(row), row.timezone), []).append(row)
    return [
        Part(tuple(some), today, ZoneInfo(timezone))
        for (today, timezone), found in alike.items()
        for some in _together(found)
    ]


def store_outlooks(connection: Connection, part: Part) -> dict[str, StoreOutlook]:
    """One of each store of the part."""
    if part.today is None:
        return {store: StoreOutlook({}, {}, None, 0) for store in part.stores}
    of_part = named(part.stores)
    items: dict[str, dict[str, Any]] = {store: {} for store in part.stores}
    for row in connection.execute(_ITEMS, of_part):
        items[row.store_id][row.sku] = row
    heard = _heard(connection, part, part.today)
    newest: dict[str, dict[str, Any]] = {store: {} for store in part.stores}
    fresh = (part.today - timedelta(days=1)).isoformat()
    for row in connection.execute(_FORECASTS, {**of_part, "first": fresh}):
        newest[row.store_id][row.sku] = row
        heard[row.store_id].categories[row.sku] = items[row.store_id][row.sku].category
    past = past_weeks(connection, part.today, heard)
    return {store: _outlook(items[store], newest[store], heard[store], past[store]) for store in part.stores}


def _newest_day(row: Any) -> date | None:
    return (
        None if row.last_ms is None else date.fromisoformat(day_of(int(row.last_ms), ZoneInfo(row.timezone)))
    )


def _together(rows: Sequence[Any]) -> Iterator[list[str]]:
    found: list[str] = []
    skus = 0
    for row in rows:
        if found and skus + row.skus > SKUS_AT_ONCE:
            yield found
            found, skus = [], 0
        found.append(row.store_id)
        skus += row.skus
    if found:
        yield found


def _outlook(items: Mapping[str, Any], newest: Mapping[str, Any], heard: Heard, past: Past) -> StoreOutlook:
    covered = Counter(day.weekday() for day in heard.days)
    found = [
        _of_sku(row, heard.categories[sku], heard.sold.get(sku, {}), covered) for sku, row in newest.items()
    ]
    sums = sums_of(found)
    shown = {one.sku for total in sums.values() for one in (*total.up, *total.down)}
    return StoreOutlook(
        sums, {sku: items[sku].name for sku in shown}, min((row.first_day for row in newest.values()), default=None),
        len(items) - len(found), covered.total() < MIN_DAYS, past,
    )  # fmt: skip


def _of_sku(row: Any, category: str, sold: Mapping[date, int], covered: Counter[int]) -> SkuOutlook:
    """covered: how many days of each weekday were heard of at all."""
    mean, quantiles = from_json(row.mean)[:DAYS], first_rows(row.quantiles, DAYS)
    first = date.fromisoformat(row.first_day)
    weekdays = [(first + timedelta(days=ahead)).weekday() for ahead in range(len(mean))]
    of_weekday: Counter[int] = Counter()
    for day, units in sold.items():
        of_weekday[day.weekday()] += units
    # A weekday that was never heard tells nothing: its forecast is left out, too.
    known = [place for place, weekday in enumerate(weekdays) if covered[weekday]]
    return SkuOutlook(
        row.store_id, row.sku, category,
        expected_units=sum(mean[place] for place in known),
        usual_units=sum(max(0, of_weekday[weekdays[place]]) / covered[weekdays[place]] for place in known),
        spread_units=spread_of([quantiles[place] for place in known], _LOW, _HIGH),
        usual_variance=sum(max(0, of_weekday[weekdays[place]]) / covered[weekdays[place]] ** 2 for place in known),
        days_compared=len(known), is_young=covered.total() < MIN_DAYS,
    )  # fmt: skip


def _heard(connection: Connection, part: Part, today: date) -> dict[str, Heard]:
    """Of the weeks before today, store by store."""
    days = [today - timedelta(days=back) for back in range(1, 7 * WEEKS + 1)]
    day_at = {day_start_ms(day.isoformat(), part.zone): day for day in days}
    span = {
        "step": DAY_MS, "total": STORE_TOTAL, "from_ms": day_start_ms(days[-1].isoformat(), part.zone),
        "to_ms": day_start_ms(today.isoformat(), part.zone),
    }  # fmt: skip
    found = {store: Heard() for store in part.stores}
    for store, sku, at_ms, units, stock_out_ms in connection.execute(_SOLD, {**named(part.stores), **span}):
        day = day_at.get(at_ms)
        if day is None:
            continue
        heard = found[store]
        heard.days.add(day)
        heard.sold.setdefault(sku, {})[day] = units
        if stock_out_ms > HIDING_MS:
            heard.hidden.add((sku, day))
    return found
