"""What is known of one SKU in one store, for the question why it is not ordered."""

import json
from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_of, utc_text
from central.core.supplier_calendar import calendar_from
from central.core.why_not import Standing
from central.ledger import supplier_rows
from contract.documents import SupplyDocument, SupplyLine

_ITEM = sa.text("SELECT managed FROM items WHERE store_id = :store AND sku = :sku")
_SUPPLY = sa.text("SELECT body FROM documents WHERE store_id = :store AND kind = 'supply'")
_LISTED = sa.text(
    """SELECT change, from_ms FROM assortment WHERE store_id = :store AND sku = :sku AND change IN ('list', 'delist')
    ORDER BY from_ms"""
)
_SWITCHES = sa.text(
    """SELECT scope, target, reason FROM kill_switches WHERE "on" = 1 AND (scope = 'chain'
    OR (scope = 'store' AND target = :store) OR (scope = 'supplier' AND target = :supplier)) ORDER BY scope"""
)
_OPEN = sa.text(
    """SELECT trigger_id, kind, state, quantity_units, shipped_units, doubt, due_ms FROM triggers WHERE store_id = :store AND sku = :sku
    AND state IN ('proposed', 'snoozed', 'approved', 'sent', 'acknowledged', 'ordered', 'shipped') ORDER BY number DESC"""
)
_OUTSIDE = sa.text(
    """SELECT coalesce(sum(quantity_units), 0) FROM outside_orders WHERE store_id = :store AND sku = :sku AND state = 'open'"""
)
_HEARD = sa.text("SELECT gateway, last_heard_ms FROM gateways WHERE store_id = :store")
_FORECAST = sa.text(
    "SELECT first_day, mean FROM forecasts WHERE store_id = :store AND sku = :sku ORDER BY first_day DESC LIMIT 1"
)
_STOCK = sa.text("SELECT on_hand_units FROM stock WHERE store_id = :store AND sku = :sku")
_PROPOSAL = sa.text(
    """SELECT at_ms, outcome FROM proposals WHERE store_id = :store AND sku = :sku AND at_ms >= :from_ms
    ORDER BY at_ms DESC, seq DESC LIMIT 1"""
)
DAYS_BACK_MS = 28 * 86_400_000


def standing_of(
    connection: Connection,
    store: str,
    sku: str,
    zone: ZoneInfo,
    now_ms: int,
    stale: tuple[int, int],
    heard_ms: Mapping[str, int],
) -> Standing:
    """stale: ms after which a gateway is silent, and days after which a forecast is old. heard_ms: by gateway, what this process
    heard and the ledger does not know yet.
    """
    asked = {"store": store, "sku": sku}
    managed = connection.execute(_ITEM, asked).scalar()
    line = _line(connection, store, sku)
    supplier = "" if line is None else line.supplier
    opened = connection.execute(_OPEN, asked).all()
    on_order = sum(
        row.quantity_units if row.shipped_units is None else row.shipped_units
        for row in opened
        if row.state not in ("proposed", "snoozed")
    )
    forecast = connection.execute(_FORECAST, asked).first()
    today = date.fromisoformat(day_of(now_ms, zone))
    cover_days = 0 if line is None else _cover_days(connection, line, now_ms)
    proposal = connection.execute(_PROPOSAL, {**asked, "from_ms": now_ms - DAYS_BACK_MS}).first()
    return Standing(
        now_ms=now_ms, known=managed is not None, managed=bool(managed), supplier=supplier,
        unlisted=_unlisted(connection, store, sku, now_ms),
        switches=tuple(
            f"kill-switch for {row.scope} {row.target}".strip() + (f": {row.reason}" if row.reason else "")
            for row in connection.execute(_SWITCHES, {"store": store, "supplier": supplier})
        ),
        open_order="" if not opened else _said(opened[0]), heard_ms=_heard(connection, store, heard_ms),
        first_day=None if forecast is None else date.fromisoformat(forecast.first_day), today=today,
        on_hand_units=connection.execute(_STOCK, asked).scalar(),
        on_order_units=on_order + int(connection.execute(_OUTSIDE, asked).scalar_one()),
        expected_units=0.0 if forecast is None else _expected(forecast, today, cover_days), cover_days=cover_days,
        outcome="" if proposal is None else proposal.outcome, proposed_ms=None if proposal is None else proposal.at_ms,
        stale_after_ms=stale[0], stale_forecast_days=stale[1],
    )  # fmt: skip


def _heard(connection: Connection, store: str, heard_ms: Mapping[str, int]) -> int | None:
    rows = connection.execute(_HEARD, {"store": store})
    return max((max(last_ms or 0, heard_ms.get(gateway, 0)) for gateway, last_ms in rows), default=0) or None


def _line(connection: Connection, store: str, sku: str) -> SupplyLine | None:
    body = connection.execute(_SUPPLY, {"store": store}).scalar()
    lines = [] if body is None else SupplyDocument.from_json(body).lines
    return next((line for line in lines if line.sku == sku), None)


def _cover_days(connection: Connection, line: SupplyLine, now_ms: int) -> int:
    """Until the order after the one placed now arrives, about."""
    found = supplier_rows.supplier(connection, line.supplier)
    lead_days = line.lead_time_days if found is None else calendar_from(found[0]).days_until_delivery(now_ms)
    return lead_days + line.review_days


def _expected(forecast: sa.Row[tuple[object, ...]], today: date, days: int) -> float:
    mean = json.loads(str(forecast.mean))
    ahead = max(0, (today - date.fromisoformat(str(forecast.first_day))).days)
    return float(sum(mean[ahead : ahead + days]))


def _unlisted(connection: Connection, store: str, sku: str, now_ms: int) -> str:
    steps = connection.execute(_LISTED, {"store": store, "sku": sku}).all()
    past = [row for row in steps if row.from_ms <= now_ms]
    if past:
        return "" if past[-1].change == "list" else f"delisted from {utc_text(past[-1].from_ms)} on"
    return f"listed from {utc_text(steps[0].from_ms)} on" if steps and steps[0].change == "list" else ""


def _said(row: sa.Row[tuple[object, ...]]) -> str:
    what = f"the {row.kind} {row.trigger_id} of {row.quantity_units} units is {row.state}"
    if row.state in ("proposed", "snoozed"):
        return f"{what} and waits for a person" + (f": {row.doubt}" if row.doubt else "")
    return (
        what
        if row.due_ms is None
        else f"{what} and held for the supplier's cut-off at {utc_text(int(str(row.due_ms)))}"
    )
