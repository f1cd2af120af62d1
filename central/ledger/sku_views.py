"""What people read of the SKUs of one shop: a page of them with their figures."""

import json
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_after, day_of, day_start_ms
from contract.api.stores import SkuView

SORTS = {
    "sku": "i.sku", "name": "i.name", "category": "i.category", "on_hand_units": "coalesce(st.on_hand_units, 0)",
    "sold_today_units": "coalesce(today.sold_units, 0)", "sold_7_days_units": "coalesce(week.sold_units, 0)",
    "stock_out_today_ms": "coalesce(today.stock_out_ms, 0)", "shrink_units": "coalesce(st.shrink_units, 0)",
}  # fmt: skip
SHORT_SORTS = {"on_hand": "on_hand_units", "sold_today": "sold_today_units", "sold_7_days": "sold_7_days_units",
    "stock_out": "stock_out_today_ms", "shrink": "shrink_units"}  # fmt: skip

_SKUS = """SELECT i.sku, i.gtin, i.name, i.category, st.on_hand_units, st.on_shelf_units, st.at_ms AS stock_ms,
    coalesce(st.shrink_units, 0) AS shrink_units, coalesce(today.sold_units, 0) AS sold_today,
    coalesce(today.stock_out_ms, 0) AS stock_out_ms, coalesce(week.sold_units, 0) AS sold_week,
    (SELECT p.price_cents FROM prices p WHERE p.store_id = i.store_id AND p.sku = i.sku AND p.from_ms <= :now
     ORDER BY p.from_ms DESC LIMIT 1) AS price_cents,
    (SELECT t.trigger_id FROM triggers t WHERE t.store_id = i.store_id AND t.sku = i.sku
     AND t.state IN ('proposed', 'snoozed', 'approved', 'sent', 'acknowledged', 'ordered', 'shipped')
     ORDER BY t.number DESC LIMIT 1) AS open_trigger,
    (SELECT coalesce(sum(coalesce(t.shipped_units, t.quantity_units)), 0) FROM triggers t
     WHERE t.store_id = i.store_id AND t.sku = i.sku
     AND t.state IN ('approved', 'sent', 'acknowledged', 'ordered', 'shipped'))
    + (SELECT coalesce(sum(o.quantity_units), 0) FROM outside_orders o
       WHERE o.store_id = i.store_id AND o.sku = i.sku AND o.state = 'open') AS on_order_units,
    f.first_day, f.mean
    FROM items i LEFT JOIN stock st ON st.store_id = i.store_id AND st.sku = i.sku
    LEFT JOIN rollups today ON today.store_id = i.store_id AND today.step_ms = 86400000 AND today.sku = i.sku
        AND today.at_ms = :day_ms
    LEFT JOIN (SELECT sku, sum(sold_units) AS sold_units FROM rollups WHERE store_id = :store AND step_ms = 86400000
        AND at_ms > :week_ms AND at_ms <= :day_ms GROUP BY sku) week ON week.sku = i.sku
    LEFT JOIN (SELECT sku, max(first_day) AS first_day FROM forecasts WHERE store_id = :store GROUP BY sku) newest
        ON newest.sku = i.sku
    LEFT JOIN forecasts f ON f.store_id = i.store_id AND f.sku = i.sku AND f.first_day = newest.first_day
    WHERE i.store_id = :store"""
_COUNT = sa.text(
    "SELECT count(*) FROM items i WHERE i.store_id = :store AND (:search = '' OR lower(i.name) LIKE :like OR lower(i.sku) LIKE :like OR i.gtin LIKE :like OR lower(i.category) LIKE :like)"
)
_STORE = sa.text("SELECT timezone, currency FROM stores WHERE store_id = :store")


@dataclass(frozen=True, slots=True)
class SkuQuery:
    store: str
    search: str = ""
    sort: str = "name"
    descending: bool = False
    skip: int = 0
    limit: int = 50
    sku: str = ""


def store_zone(connection: Connection, store: str) -> tuple[ZoneInfo, str] | None:
    row = connection.execute(_STORE, {"store": store}).first()
    return (ZoneInfo(row.timezone), row.currency) if row else None


def sku_page(
    connection: Connection, query: SkuQuery, *, now_ms: int, zone: ZoneInfo
) -> tuple[list[SkuView], int]:
    """A page of SKUs and how many there are in all. `now_ms`: the newest data's moment decides what is today."""
    today = day_of(now_ms, zone)
    values: dict[str, Any] = {
        "store": query.store, "now": now_ms, "day_ms": day_start_ms(today, zone),
        "week_ms": day_start_ms(day_after(today, -7), zone), "search": query.search,
        "like": f"%{_escaped(query.search.lower())}%", "limit": query.limit, "skip": query.skip, "sku": query.sku,
    }  # fmt: skip
    order = f"{SORTS[query.sort]} {'DESC' if query.descending else 'ASC'}, i.sku"
    narrowed = " AND i.sku = :sku" if query.sku else ""
    found = (
        " AND (lower(i.name) LIKE :like OR lower(i.sku) LIKE :like OR i.gtin LIKE :like OR lower(i.category) LIKE :like)"
        if query.search
        else ""
    )
    statement = sa.text(f"{_SKUS}{narrowed}{found} ORDER BY {order} LIMIT :limit OFFSET :skip")
    rows = connection.execute(statement, values).all()
    total = 1 if query.sku else connection.execute(_COUNT, values).scalar() or 0
    return [_sku_view(query.store, row, today) for row in rows], total


def _sku_view(store: str, row: Any, today: str) -> SkuView:
    return SkuView(
        store=store, sku=row.sku, name=row.name, category=row.category, price_cents=row.price_cents,
        on_hand_units=row.on_hand_units, on_shelf_units=row.on_shelf_units, on_order_units=int(row.on_order_units),
        sold_today_units=row.sold_today, sold_7_days_units=int(row.sold_week),
        forecast_7_days_units=_week_ahead(row, today), stock_out_today_ms=row.stock_out_ms,
        shrink_units=row.shrink_units, open_trigger=row.open_trigger, newest_ms=row.stock_ms,
    )  # fmt: skip


def _week_ahead(row: Any, today: str) -> float | None:
    if row.first_day is None:
        return None
    mean = [
        value for place, value in enumerate(json.loads(row.mean)) if day_after(row.first_day, place) >= today
    ]
    return round(sum(mean[:7]), 2) if mean else None


def _escaped(text: str) -> str:
    """Without the wildcards of LIKE: they would match everything."""
    return text.replace("%", "").replace("_", "")
