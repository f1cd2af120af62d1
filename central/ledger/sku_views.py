"""What people read of one SKU in one shop: its figures, and its series on one time axis."""

import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_after, day_of, day_start_ms
from central.core.rollups import DAY_MS, HOUR_MS, QUARTER_MS
from central.ledger.probes import Probe
from contract.api.stores import ForecastPoint, OrderFlag, PriceStep, SeriesPoint, SkuSeries, SkuView

STEPS = {"15m": QUARTER_MS, "1h": HOUR_MS, "1d": DAY_MS}
MAX_POINTS = 3000
LEVEL_REACH_MS = 60 * DAY_MS
"""How far back a level still counts as the one before the span."""
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
_POINTS = Probe(
    """SELECT r.at_ms, r.sold_units, r.sold_cents, r.picked_units, r.delivered_units, r.stock_out_ms, r.on_hand_units,
    r.level_ms FROM {starts} s CROSS JOIN rollups r WHERE r.store_id = :store AND r.step_ms = :step
    AND r.at_ms = s.start_ms AND r.sku = :sku"""
)
_IS_MANAGED = sa.text("SELECT managed FROM items WHERE store_id = :store AND sku = :sku")
_SOLD = sa.text(
    """SELECT r.at_ms - r.at_ms % :step AS at_ms,
    sum(CASE l.kind WHEN 'sale' THEN l.quantity_units WHEN 'return' THEN -l.quantity_units
        WHEN 'void' THEN -l.quantity_units ELSE 0 END) AS sold_units, sum(l.extended_cents) AS sold_cents, 0 AS picked_units,
    0 AS delivered_units, 0 AS stock_out_ms, NULL AS on_hand_units, -1 AS level_ms
    FROM receipt_lines l JOIN receipts r ON r.store_id = l.store_id AND r.business_date = l.business_date
    AND r.register_id = l.register_id AND r.sequence = l.sequence
    WHERE l.store_id = :store AND l.business_date >= :first_day AND l.business_date <= :last_day AND l.sku = :sku
    AND r.at_ms >= :from_ms AND r.at_ms < :to_ms GROUP BY 1"""
)
_LEVEL_BEFORE = Probe(
    """SELECT r.at_ms, r.on_hand_units FROM {starts} s CROSS JOIN rollups r WHERE r.store_id = :store
    AND r.step_ms = :step AND r.at_ms = s.start_ms AND r.sku = :sku AND r.level_ms >= 0"""
)
"""Without an order: a planner that is told to take the latest first looks at every SKU on its way there."""
_FORECAST = sa.text(
    """SELECT first_day, mean, quantiles FROM forecasts WHERE store_id = :store AND sku = :sku AND first_day >= :from_day
    AND first_day <= :to_day ORDER BY first_day"""
)
_ORDERS = sa.text(
    """SELECT created_ms AS at_ms, trigger_id, quantity_units, state FROM triggers WHERE store_id = :store AND sku = :sku
    AND created_ms >= :from_ms AND created_ms < :to_ms
    UNION ALL SELECT at_ms, order_number, quantity_units, state FROM outside_orders WHERE store_id = :store
    AND sku = :sku AND at_ms >= :from_ms AND at_ms < :to_ms ORDER BY 1"""
)
_PRICES = sa.text(
    """SELECT from_ms, price_cents FROM prices WHERE store_id = :store AND sku = :sku AND from_ms < :to_ms
    ORDER BY from_ms"""
)
_HEARD = sa.text(
    """SELECT (SELECT min(opened_ms) FROM positions WHERE store_id = :store) AS first_ms,
    (SELECT max(watermark_ms) FROM gateways WHERE store_id = :store) AS watermark_ms,
    (SELECT max(at_ms) FROM stock WHERE store_id = :store) AS stock_ms"""
)
_GAPS = sa.text("SELECT at_ms FROM gaps WHERE store_id = :store AND at_ms >= :from_ms AND at_ms < :to_ms")


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


def sku_series(
    connection: Connection, store: str, sku: str, name: str, *, step: str, from_ms: int, to_ms: int, zone: ZoneInfo,
    currency: str,
) -> SkuSeries:  # fmt: skip
    step_ms = STEPS[step]
    span = {
        "store": store,
        "sku": sku,
        "step": step_ms,
        "from_ms": from_ms,
        "to_ms": to_ms,
    }
    return SkuSeries(
        store=store, sku=sku, name=name, currency=currency, timezone=zone.key, step_ms=step_ms,
        points=_points(connection, span, zone), forecast=_forecast(connection, span, zone),
        orders=[
            OrderFlag(at_ms=row.at_ms, trigger=row.trigger_id, quantity_units=row.quantity_units, state=row.state)
            for row in connection.execute(_ORDERS, span)
        ],
        prices=[PriceStep(at_ms=row.from_ms, price_cents=row.price_cents) for row in connection.execute(_PRICES, span)],
    )  # fmt: skip


def bucket_starts(step_ms: int, from_ms: int, to_ms: int, zone: ZoneInfo) -> list[int]:
    """Starts of the buckets that touch [from_ms, to_ms), at most MAX_POINTS of them, the latest when there are more."""
    if step_ms != DAY_MS:
        first = from_ms - from_ms % step_ms
        return list(range(first, to_ms, step_ms))[-MAX_POINTS:]
    starts: list[int] = []
    day = max(day_of(from_ms, zone), day_after(day_of(max(to_ms, 0), zone), -MAX_POINTS))
    while (start := day_start_ms(day, zone)) < to_ms:
        starts.append(start)
        day = day_after(day, 1)
    return starts[-MAX_POINTS:]


def _points(connection: Connection, span: dict[str, Any], zone: ZoneInfo) -> list[SeriesPoint]:
    starts = bucket_starts(span["step"], span["from_ms"], span["to_ms"], zone)
    if not starts:
        return []
    span = {**span, "from_ms": starts[0]}
    rows = {row[0]: tuple(row) for row in _sums(connection, span, zone, starts)}
    first = rows.get(starts[0], _NOTHING)
    on_hand = _level_before(connection, span, zone, starts[0]) if first[-1] < 0 else None
    heard = connection.execute(_HEARD, span).one()
    first_ms = heard.first_ms
    until_ms = max((at for at in (heard.watermark_ms, heard.stock_ms) if at is not None), default=0)
    cut = {starts[bisect_right(starts, row.at_ms) - 1] for row in connection.execute(_GAPS, span)}
    points = []
    for start, end in zip(starts, [*starts[1:], starts[-1] + span["step"]], strict=True):
        _, sold_units, sold_cents, picked, delivered, stock_out_ms, level, level_ms = rows.get(
            start, _NOTHING
        )
        if level_ms >= 0:
            on_hand = level
        is_heard = first_ms is not None and end > first_ms and start < until_ms
        points.append(
            SeriesPoint(
                at_ms=start, sold_units=sold_units, sold_cents=sold_cents, on_hand_units=on_hand if is_heard else None,
                picked_units=picked, delivered_units=delivered, stock_out_ms=stock_out_ms,
                covered=is_heard and start not in cut,
            )
        )  # fmt: skip
    return points


_NOTHING = (0, 0, 0, 0, 0, 0, None, -1)
"""A bucket without sums, in the order of the columns of _POINTS and _SOLD."""


def _level_before(connection: Connection, span: dict[str, Any], zone: ZoneInfo, start_ms: int) -> int | None:
    """The last level that was told before `start_ms`: mostly just before, so it looks there first."""
    seen_ms = start_ms
    for reach_ms in (DAY_MS, LEVEL_REACH_MS):
        before = bucket_starts(span["step"], start_ms - reach_ms, seen_ms, zone)
        found = max(_LEVEL_BEFORE.run(connection, span, before), key=lambda row: row.at_ms, default=None)
        if found is not None:
            level: int | None = found.on_hand_units
            return level
        seen_ms = start_ms - reach_ms
    return None


def _sums(connection: Connection, span: dict[str, Any], zone: ZoneInfo, starts: list[int]) -> Iterable[Any]:
    """The stored sums; of an item that is not managed those below a day are made from its receipts."""
    if span["step"] == DAY_MS or connection.execute(_IS_MANAGED, span).scalar():
        return _POINTS.run(connection, span, starts)
    # A till may date a receipt of the small hours to the day before.
    first, last = day_after(day_of(span["from_ms"], zone), -1), day_of(span["to_ms"], zone)
    return connection.execute(_SOLD, {**span, "first_day": first, "last_day": last})


def _forecast(connection: Connection, span: dict[str, Any], zone: ZoneInfo) -> list[ForecastPoint]:
    """For each day the forecast that was made last before it: what was known, not what was learnt later."""
    values = {
        **span, "from_day": day_after(day_of(span["from_ms"], zone), -28), "to_day": day_of(span["to_ms"], zone),
    }  # fmt: skip
    by_day: dict[str, ForecastPoint] = {}
    for row in connection.execute(_FORECAST, values):
        quantiles = json.loads(row.quantiles)
        for place, mean in enumerate(json.loads(row.mean)):
            day = day_after(row.first_day, place)
            by_day[day] = ForecastPoint(
                day=day, at_ms=day_start_ms(day, zone), mean=mean, quantiles=quantiles[place]
            )
    return [by_day[day] for day in sorted(by_day) if by_day[day].at_ms >= span["from_ms"] - DAY_MS]


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
