"""What people read of stores: their figures of today, the accounting, gateways, alerts and quarantine."""

import json
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.accounting import DayKey, Totals, balance_books
from central.core.days import day_of
from central.core.lifecycle import OPEN, WAITING
from central.core.rollups import DAY_MS
from central.ledger.gateway_views import GatewayLook, gateway_views
from central.ledger.of_stores import Stores, named, of_stores
from central.ledger.probes import Probe
from central.ledger.restock_views import states_count
from central.ledger.series_views import bucket_starts
from contract.api.stores import (
    Accounting,
    AlertView,
    CellTally,
    DayPoint,
    Overview,
    QuarantineView,
    StoreView,
    TransmissionTally,
    TriggerTally,
)  # fmt: skip

_OPEN = tuple(state.value for state in OPEN)
_WAITING = tuple(state.value for state in WAITING)

_STORES = of_stores("SELECT * FROM stores WHERE {stores} ORDER BY store_id")
_FIGURES = sa.text(
    """SELECT
    (SELECT max(at_ms) FROM receipts WHERE store_id = :store AND business_date =
        (SELECT max(business_date) FROM receipts WHERE store_id = :store)) AS receipt_ms,
    (SELECT max(at_ms) FROM stock WHERE store_id = :store) AS stock_ms,
    (SELECT max(watermark_ms) FROM gateways WHERE store_id = :store) AS watermark_ms,
    (SELECT count(*) FROM items i WHERE i.store_id = :store AND (i.managed = 1 OR EXISTS (SELECT 1 FROM stock s
        WHERE s.store_id = :store AND s.sku = i.sku AND s.on_hand_units IS NOT NULL))) AS skus,
    (SELECT count(*) FROM stock WHERE store_id = :store AND on_hand_units <= 0) AS skus_out,
    (SELECT count(*) FROM triggers WHERE store_id = :store AND state IN :open) AS open_triggers,
    (SELECT count(*) FROM triggers WHERE store_id = :store AND state IN :waiting) AS waiting_triggers,
    (SELECT count(*) FROM alerts WHERE store_id = :store AND cleared_ms IS NULL AND severity <> 'info') AS open_alerts,
    (SELECT count(*) FROM quarantine WHERE store_id = :store) AS quarantined,
    (SELECT count(*) FROM gaps WHERE store_id = :store) AS gaps"""
).bindparams(
    sa.bindparam("open", expanding=True, type_=sa.Text()),
    sa.bindparam("waiting", expanding=True, type_=sa.Text()),
)
_TODAY = sa.text(
    """SELECT count(*) AS receipts, coalesce(sum(sold_units), 0) AS units, coalesce(sum(total_cents), 0) AS cents
    FROM receipts WHERE store_id = :store AND business_date = :day"""
)
_LEDGER = of_stores(
    """SELECT store_id, register_id, business_date, count(*) AS receipts, sum(line_count) AS lines,
    sum(sold_units) AS units, sum(total_cents) AS cents FROM receipts WHERE {stores}
    GROUP BY store_id, business_date, register_id"""
)
_TILLS = of_stores("SELECT * FROM day_closes WHERE {stores}")
_COUNTERS = of_stores("SELECT counters FROM gateways WHERE {stores}")
_TRIGGERS = of_stores(
    """SELECT
    (SELECT count(*) FROM triggers WHERE {stores}) AS created,
    (SELECT count(DISTINCT subject) FROM outgoing WHERE type = 'shelfloop.restock.trigger.v1'
        AND position IS NOT NULL AND {stores}) AS sent,
    (SELECT count(DISTINCT trigger_id) FROM trigger_statuses WHERE {stores}) AS acknowledged,
    (SELECT count(*) FROM triggers WHERE {stores} AND state IN :waiting) AS waiting"""
).bindparams(sa.bindparam("waiting", expanding=True, type_=sa.Text()))
_GAPS = of_stores("SELECT count(*) FROM gaps WHERE {stores}")
_FIRST_DAY = sa.text("SELECT min(at_ms) FROM rollups WHERE store_id = :store AND step_ms = :step")
_DAYS = Probe(
    """SELECT r.at_ms, r.receipts, r.sold_units, r.sold_cents, r.stock_out_ms, r.shrink_units
    FROM {starts} s CROSS JOIN rollups r WHERE r.store_id = :store AND r.step_ms = :step AND r.at_ms = s.start_ms
    AND r.sku = ''"""
)
"""A store at a time: over all stores at once SQLite's planner may read the whole table first, to make a filter of it."""
_ALERTS = of_stores(
    """SELECT alerts.*, (SELECT who FROM alert_acks k WHERE k.store_id = alerts.store_id AND k.code = alerts.code
        AND k.subject = alerts.subject AND k.raised_ms = alerts.at_ms) AS acknowledged_by
    FROM alerts WHERE {stores} AND (:any = 1 OR cleared_ms IS NULL)
    ORDER BY at_ms DESC, seq DESC LIMIT :limit OFFSET :skip"""
)
_QUARANTINE = of_stores(
    """SELECT * FROM quarantine WHERE {stores}
    ORDER BY at_ms DESC, number DESC LIMIT :limit OFFSET :skip"""
)
_COUPONS = of_stores("SELECT event, count(*) AS n FROM coupon_events WHERE {stores} GROUP BY event")


def store_views(connection: Connection, stores: Stores = None) -> list[StoreView]:
    """The stores named, those that exist; None is all."""
    return [_store_view(connection, row) for row in connection.execute(_STORES, named(stores)).all()]


def _store_view(connection: Connection, row: Any) -> StoreView:
    zone = ZoneInfo(row.timezone)
    figures = connection.execute(
        _FIGURES, {"store": row.store_id, "open": list(_OPEN), "waiting": list(_WAITING)}
    ).one()
    newest = max((at for at in (figures.receipt_ms, figures.stock_ms) if at is not None), default=None)
    today = day_of(newest, zone) if newest is not None else None
    sold = connection.execute(_TODAY, {"store": row.store_id, "day": today or ""}).one()
    return StoreView(
        store=row.store_id, name=row.name, region=row.region, timezone=row.timezone, currency=row.currency,
        h3_cell=row.h3_cell, today=today, receipts=sold.receipts, units=sold.units, cents=sold.cents,
        skus=figures.skus, skus_out_of_stock=figures.skus_out, open_triggers=figures.open_triggers,
        waiting_triggers=figures.waiting_triggers, open_alerts=figures.open_alerts,
        quarantined_total=figures.quarantined, gaps_total=figures.gaps, newest_ms=newest,
        watermark_ms=figures.watermark_ms,
    )  # fmt: skip


def accounting(connection: Connection, stores: Stores = None) -> Accounting:
    """Both sides from their own rows: day closes as the tills sent them, receipts as the ledger holds them.

    With what gateways counted of devices and cells, and what became of the triggers.
    """
    of = named(stores)
    tills = {
        _key(row): Totals(row.receipts, row.lines, row.units, row.cents)
        for row in connection.execute(_TILLS, of)
    }
    ledger = {
        _key(row): Totals(row.receipts, int(row.lines), int(row.units), int(row.cents))
        for row in connection.execute(_LEDGER, of)
    }
    books = balance_books(tills, ledger, connection.execute(_GAPS, of).scalar() or 0)
    told: Counter[str] = Counter()
    for (counters,) in connection.execute(_COUNTERS, of):
        told.update(json.loads(counters))
    triggers = connection.execute(_TRIGGERS, {**of, "waiting": list(_WAITING)}).one()
    return books.model_copy(
        update={
            "transmissions": TransmissionTally(
                accepted=told["accepted_total"], duplicates=told["duplicates_total"],
                rejected=told["rejected_total"], quarantined=told["quarantined_total"],
            ),
            "cells": CellTally(
                picked_units=told["picks_counted_units"], put_back_units=told["put_back_units"],
                unresolved_units=told["unresolved_units"],
            ),
            "triggers": TriggerTally(
                created=triggers.created, sent=triggers.sent, acknowledged=triggers.acknowledged,
                waiting=triggers.waiting,
            ),
        }
    )  # fmt: skip


def _key(row: Any) -> DayKey:
    return (row.store_id, row.register_id, row.business_date)


def _days(connection: Connection, stores: list[StoreView], from_ms: int, to_ms: int) -> list[DayPoint]:
    points = []
    for store in stores:
        zone, of = ZoneInfo(store.timezone), {"store": store.store, "step": DAY_MS}
        first_ms = connection.execute(_FIRST_DAY, of).scalar()
        if first_ms is None:
            continue
        starts = bucket_starts(DAY_MS, max(from_ms, first_ms), to_ms, zone)
        points += [
            DayPoint(
                day=day_of(row.at_ms, zone), store=store.store, receipts=row.receipts, units=row.sold_units,
                cents=row.sold_cents, stock_out_ms=row.stock_out_ms, shrink_units=row.shrink_units,
            )
            for row in _DAYS.run(connection, of, [at_ms for at_ms in starts if at_ms >= from_ms])
        ]  # fmt: skip
    return sorted(points, key=lambda point: (point.store, point.day))


def overview(
    connection: Connection,
    *,
    now_ms: int,
    from_ms: int,
    to_ms: int,
    look: GatewayLook,
    of: Stores = None,
) -> Overview:
    stores = store_views(connection, of)
    days = _days(connection, stores, from_ms, to_ms)
    gateways = gateway_views(connection, now_ms=now_ms, look=look, stores=of)
    counts = {"issued": 0, "redeemed": 0, "reversed": 0, "refused": 0}
    counts.update({row.event: row.n for row in connection.execute(_COUPONS, named(of))})
    heard = [store.newest_ms for store in stores if store.newest_ms is not None]
    return Overview(
        now_ms=now_ms, stores=stores, days=days, triggers_by_state=states_count(connection, of),
        waiting_triggers=sum(store.waiting_triggers for store in stores),
        open_alerts=sum(store.open_alerts for store in stores), coupons=counts,
        gateways_online=sum(gateway.online for gateway in gateways), gateways_total=len(gateways),
        losses=sum(store.gaps_total for store in stores),
        quarantined_total=sum(store.quarantined_total for store in stores),
        lag_ms=max(now_ms - min(heard), 0) if heard else None,
    )  # fmt: skip


def alert_views(
    connection: Connection, *, stores: Stores, only_open: bool, skip: int, limit: int
) -> list[AlertView]:
    rows = connection.execute(
        _ALERTS, {**named(stores), "any": int(not only_open), "skip": skip, "limit": limit}
    )
    return [
        AlertView(
            at_ms=row.at_ms, store=row.store_id, code=row.code, subject=row.subject, severity=row.severity,
            text=row.text, cleared_ms=row.cleared_ms, acknowledged_by=row.acknowledged_by or "",
        )
        for row in rows
    ]  # fmt: skip


def quarantine_views(
    connection: Connection, *, stores: Stores, skip: int, limit: int
) -> list[QuarantineView]:
    rows = connection.execute(_QUARANTINE, {**named(stores), "skip": skip, "limit": limit})
    return [
        QuarantineView(
            at_ms=row.at_ms, store=row.store_id, where=row.found_at, source=row.source, stream=row.stream,
            reason=row.reason, sample=row.sample,
        )
        for row in rows
    ]  # fmt: skip
