"""One SKU's series in one shop on one time axis, as the JSON of `SkuSeries`.

Its points are written as text from the rows as they come: a quarter of a year by the hour is two thousand of them, and an
object for each would cost three times what the database needs to find them.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_after, day_of, day_start_ms
from central.core.rollups import DAY_MS, HOUR_MS, QUARTER_MS
from central.ledger.probes import Probe
from contract.api.stores import ForecastPoint, OrderFlag, PriceStep, SkuSeries

STEPS = {"15m": QUARTER_MS, "1h": HOUR_MS, "1d": DAY_MS}
MAX_POINTS = 3000
LEVEL_REACH_MS = 60 * DAY_MS
"""How far back a level still counts as the one before the span."""

_ITEM = sa.text("SELECT name, managed FROM items WHERE store_id = :store AND sku = :sku")
_POINTS = Probe(
    """SELECT r.at_ms, r.sold_units, r.sold_cents, r.picked_units, r.delivered_units, r.stock_out_ms, r.on_hand_units,
    r.level_ms FROM {starts} rollups r WHERE r.store_id = :store AND r.step_ms = :step
    AND {at_start} AND r.sku = :sku"""
)
_SOLD = sa.text(
    """SELECT r.at_ms - r.at_ms % :step AS at_ms,
    CAST(sum(CASE l.kind WHEN 'sale' THEN l.quantity_units WHEN 'return' THEN -l.quantity_units
        WHEN 'void' THEN -l.quantity_units ELSE 0 END) AS BIGINT) AS sold_units,
    CAST(sum(l.extended_cents) AS BIGINT) AS sold_cents, 0 AS picked_units,
    0 AS delivered_units, 0 AS stock_out_ms, NULL AS on_hand_units, -1 AS level_ms
    FROM receipt_lines l JOIN receipts r ON r.store_id = l.store_id AND r.business_date = l.business_date
    AND r.register_id = l.register_id AND r.sequence = l.sequence
    WHERE l.store_id = :store AND l.business_date >= :first_day AND l.business_date <= :last_day AND l.sku = :sku
    AND r.at_ms >= :from_ms AND r.at_ms < :to_ms GROUP BY 1"""
)
_LEVEL_BEFORE = Probe(
    """SELECT r.at_ms, r.on_hand_units FROM {starts} rollups r WHERE r.store_id = :store
    AND r.step_ms = :step AND {at_start} AND r.sku = :sku AND r.level_ms >= 0"""
)
"""Without an order: a planner that is told to take the latest first looks at every SKU on its way there."""
_FORECAST = sa.text(
    """SELECT first_day, mean, quantiles FROM forecasts WHERE store_id = :store AND sku = :sku AND first_day >= :from_day
    AND first_day <= :to_day ORDER BY first_day DESC"""
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


def sku_series(
    connection: Connection, store: str, sku: str, *, step: str, from_ms: int, to_ms: int, zone: ZoneInfo, currency: str
) -> str | None:  # fmt: skip
    """A SkuSeries as JSON; None when the store has no such SKU."""
    item = connection.execute(_ITEM, {"store": store, "sku": sku}).first()
    if item is None:
        return None
    span = {"store": store, "sku": sku, "step": STEPS[step], "from_ms": from_ms, "to_ms": to_ms}
    around = SkuSeries(
        store=store, sku=sku, name=item.name, currency=currency, timezone=zone.key, step_ms=STEPS[step], points=[],
        forecast=_forecast(connection, span, zone),
        orders=[
            OrderFlag(at_ms=row.at_ms, trigger=row.trigger_id, quantity_units=row.quantity_units, state=row.state)
            for row in connection.execute(_ORDERS, span)
        ],
        prices=[PriceStep(at_ms=row.from_ms, price_cents=row.price_cents) for row in connection.execute(_PRICES, span)],
    )  # fmt: skip
    points = ",".join(_points(connection, span, zone, has_sums=bool(item.managed)))
    # A quote within a name is escaped in JSON: these characters stand only where the field is.
    return around.model_dump_json().replace('"points":[]', f'"points":[{points}]', 1)


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


def _points(connection: Connection, span: dict[str, Any], zone: ZoneInfo, *, has_sums: bool) -> list[str]:
    """Each a SeriesPoint as JSON. has_sums: the item has stored ones below a day, too."""
    starts = bucket_starts(span["step"], span["from_ms"], span["to_ms"], zone)
    if not starts:
        return []
    span = {**span, "from_ms": starts[0]}
    rows = {row[0]: row for row in _sums(connection, span, zone, starts, has_sums=has_sums)}
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
        shown = on_hand if is_heard and on_hand is not None else "null"
        points.append(
            f'{{"at_ms":{start},"sold_units":{sold_units},"sold_cents":{sold_cents},"on_hand_units":{shown},'
            f'"picked_units":{picked},"delivered_units":{delivered},"stock_out_ms":{stock_out_ms},'
            f'"covered":{"true" if is_heard and start not in cut else "false"}}}'
        )
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


def _sums(
    connection: Connection, span: dict[str, Any], zone: ZoneInfo, starts: list[int], *, has_sums: bool
) -> Iterable[Sequence[Any]]:
    """The stored sums; of an item that is not managed those below a day are made from its receipts."""
    if span["step"] == DAY_MS or has_sums:
        return _POINTS.run(connection, span, starts).all()
    # A till may date a receipt of the small hours to the day before.
    first, last = day_after(day_of(span["from_ms"], zone), -1), day_of(span["to_ms"], zone)
    return connection.execute(_SOLD, {**span, "first_day": first, "last_day": last}).all()


@lru_cache(maxsize=2048)
def _days_from(first_day: str, count: int) -> tuple[str, ...]:
    return tuple(day_after(first_day, ahead) for ahead in range(count))


def _forecast(connection: Connection, span: dict[str, Any], zone: ZoneInfo) -> list[ForecastPoint]:
    """For each day the forecast that was made last before it: what was known, not what was learnt later."""
    first_day = day_of(max(span["from_ms"] - DAY_MS, 0), zone)
    values = {
        **span, "from_day": day_after(day_of(span["from_ms"], zone), -28), "to_day": day_of(span["to_ms"], zone),
    }  # fmt: skip
    by_day: dict[str, ForecastPoint] = {}
    for row in connection.execute(
        _FORECAST, values
    ).all():  # the newest first: an older one fills what it left
        mean = json.loads(row.mean)
        days = enumerate(_days_from(row.first_day, len(mean)))
        missing = [(place, day) for place, day in days if day >= first_day and day not in by_day]
        quantiles = json.loads(row.quantiles) if missing else []
        for place, day in missing:
            by_day[day] = ForecastPoint(
                day=day, at_ms=day_start_ms(day, zone), mean=mean[place], quantiles=quantiles[place]
            )
    return [by_day[day] for day in sorted(by_day) if by_day[day].at_ms >= span["from_ms"] - DAY_MS]
