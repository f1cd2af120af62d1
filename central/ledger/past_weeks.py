"""What stores' forecasts missed in the weeks that are over, by category."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from pydantic_core import from_json
from sqlalchemy.engine import Connection

from central.core.outlook import DAYS, WEEKS, spread_of
from central.core.shared_spread import PastWeek
from central.ledger.forecast_text import first_rows
from central.ledger.of_stores import named, of_stores
from contract.records import QUANTILE_LEVELS

_LOW, _HIGH = QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)
_FORECASTS = of_stores(
    """SELECT i.store_id, i.sku, f.mean, f.quantiles FROM (SELECT store_id, sku FROM items WHERE {stores} AND managed = 1) i
    CROSS JOIN forecasts f WHERE f.store_id = i.store_id AND f.sku = i.sku AND f.first_day = :day"""
)

Past = dict[tuple[str, int], PastWeek]
"""(category, weeks ago) -> what was missed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one store sold: SKU -> day -> units. hidden: (SKU, day) of which a stock-out hid what was wanted.

    days: those that were heard of at all; of such a day a SKU without units sold nothing. categories: of the SKUs that count.
    """

    sold: dict[str, dict[date, int]] = field(default_factory=dict)
    hidden: set[tuple[str, date]] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    categories: dict[str, str] = field(default_factory=dict)


def past_weeks(connection: Connection, today: date, heard: Mapping[str, Heard]) -> dict[str, Past]:
    """Of the WEEKS weeks before `today`, store by store those that it heard of whole; of SKUs that were forecast at their beginning.

    A SKU's week of which a stock-out hid some says nothing.
    """
    found: dict[str, Past] = {store: {} for store in heard}
    for back in range(1, WEEKS + 1):
        first = today - timedelta(days=7 * back)
        days = [first + timedelta(days=ahead) for ahead in range(DAYS)]
        whole = [store for store, one in heard.items() if one.days.issuperset(days)]
        if not whole:
            continue
        for row in connection.execute(_FORECASTS, {**named(whole), "day": first.isoformat()}):
            category = heard[row.store_id].categories.get(row.sku)
            if category is not None:
                _add(found[row.store_id], (category, back), row, heard[row.store_id], days)
    return found


def _add(past: Past, key: tuple[str, int], row: Any, heard: Heard, days: list[date]) -> None:
    expected = from_json(row.mean)[:DAYS]
    if len(expected) < DAYS or any((row.sku, day) in heard.hidden for day in days):
        return
    sold = heard.sold.get(row.sku, {})
    missed = sum(sold.get(day, 0) for day in days) - sum(expected)
    past.setdefault(key, PastWeek()).add(missed, spread_of(first_rows(row.quantiles, DAYS), _LOW, _HIGH))
