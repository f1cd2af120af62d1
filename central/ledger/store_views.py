"""What people read of stores: the accounting, alerts and quarantine."""

import json
from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.accounting import DayKey, Totals, balance_books
from central.core.lifecycle import WAITING
from central.ledger.of_stores import Stores, named, of_stores
from contract.api.stores import (
    Accounting,
    AlertView,
    CellTally,
    QuarantineView,
    TransmissionTally,
    TriggerTally,
)  # fmt: skip

_WAITING = tuple(state.value for state in WAITING)

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
