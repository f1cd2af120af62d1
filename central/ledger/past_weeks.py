"""What a store's forecasts missed in the weeks that are over, by category."""

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.outlook import DAYS, WEEKS, spread_of
from central.core.shared_spread import PastWeek
from contract.records import QUANTILE_LEVELS

_LOW, _HIGH = QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)
_FORECASTS = sa.text(
    "SELECT sku, mean, quantiles FROM forecasts WHERE store_id = :store AND first_day = :day"
)

Past = dict[tuple[str, int], PastWeek]
"""(category, weeks ago) -> what was missed."""


def past_weeks(
    connection: Connection,
    store: str,
    today: date,
    category_of: Callable[[str], str | None],
    sold: Mapping[str, Mapping[date, int | None]],
    heard: set[date],
) -> Past:
    """Of the WEEKS weeks before `today`, those that were heard of whole; of SKUs that were forecast at their beginning.

    category_of: None for a SKU that does not count. sold: SKU -> day -> units, None where a stock-out hid what was wanted: such
    a week of the SKU says nothing. A day that was heard without a row sold nothing.
    """
    found: Past = {}
    for back in range(1, WEEKS + 1):
        first = today - timedelta(days=7 * back)
        days = [first + timedelta(days=ahead) for ahead in range(DAYS)]
        if not heard.issuperset(days):
            continue
        for sku, mean, quantiles in _rows(connection, store, first):
            category, of_sku = category_of(sku), sold.get(sku, {})
            units = [of_sku.get(day, 0) for day in days]
            expected = json.loads(mean)[:DAYS]
            if category is None or None in units or len(expected) < DAYS:
                continue
            spread = spread_of(json.loads(quantiles)[:DAYS], _LOW, _HIGH)
            missed = sum(one for one in units if one is not None) - sum(expected)
            found.setdefault((category, back), PastWeek()).add(missed, spread)
    return found


def _rows(connection: Connection, store: str, first: date) -> Any:
    return connection.execute(_FORECASTS, {"store": store, "day": first.isoformat()}).all()
