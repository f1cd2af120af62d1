"""What people read of stores: the accounting, alerts and quarantine."""

import json
from collections import Counter

from sqlalchemy.engine import Connection

from central.core.accounting import TillDay, Totals
from central.ledger import till_days
from central.ledger.of_stores import Stores, named, of_stores
from contract.api.stores import (
    Accounting,
    AlertView,
    Balance,
    CellTally,
    DayBalance,
    QuarantineView,
    TransmissionTally,
)  # fmt: skip

_COUNTERS = of_stores("SELECT counters FROM gateways WHERE {stores}")
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


def accounting(connection: Connection, stores: Stores = None, limit: int = 1000) -> Accounting:
    """Both sides of each till's day, and what gateways counted of devices and cells; nothing of the triggers.

    limit: how many days are named; those that differ come first.
    """
    of = named(stores)
    books = till_days.books(connection, stores, limit)
    told: Counter[str] = Counter()
    for (counters,) in connection.execute(_COUNTERS, of):
        told.update(json.loads(counters))
    return Accounting(
        balanced=not books.wrong, **_sides(books.told, books.held),  # type: ignore[arg-type]
        declared_gaps=connection.execute(_GAPS, of).scalar() or 0,
        days=[_day_balance(day) for day in books.days],
        closed_days=books.closed, wrong_days=books.wrong, open_days=books.open, missing_numbers=books.missing_numbers,
        transmissions=TransmissionTally(
            accepted=told["accepted_total"], duplicates=told["duplicates_total"], rejected=told["rejected_total"],
            quarantined=told["quarantined_total"],
        ),
        cells=CellTally(
            picked_units=told["picks_counted_units"], put_back_units=told["put_back_units"],
            unresolved_units=told["unresolved_units"],
        ),
    )  # fmt: skip


def _day_balance(day: TillDay) -> DayBalance:
    return DayBalance(
        store=day.store, register_id=day.register, business_date=day.business_date,
        **_sides(day.told or Totals(), day.held), balanced=day.is_balanced, first_number=day.first_number,
        last_number=day.last_number, missing_numbers=day.missing_numbers,
    )  # fmt: skip


def _sides(told: Totals, held: Totals) -> dict[str, Balance]:
    return {
        name: Balance(tills=getattr(told, name), ledger=getattr(held, name))
        for name in ("receipts", "lines", "units", "cents")
    }


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
