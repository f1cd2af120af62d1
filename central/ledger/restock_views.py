"""What people and systems read of triggers, the audit and kill-switches."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.vouched import VOUCHED
from central.ledger.of_stores import Stores, named, of_stores
from contract.api.common import AuditView
from contract.api.restock import KillSwitch, TriggerState, TriggerView

_COLUMNS = """t.store_id, t.number, t.trigger_id, t.revision, t.sku, t.gtin, t.kind, t.supplier, t.state,
    t.quantity_units, t.pack_units, t.shipped_units, t.received_units, t.value_cents, t.on_hand_units, t.on_order_units,
    t.expected_stock_out_units, t.why, t.doubt, t.created_ms, t.changed_ms, t.expires_ms, t.due_ms, t.bundle, t.erp_document,
    t.despatch, s.name AS store_name, i.name AS item_name"""
_FROM = """FROM triggers t LEFT JOIN stores s ON s.store_id = t.store_id
    LEFT JOIN items i ON i.store_id = t.store_id AND i.sku = t.sku"""
_BY_ID = sa.text(f"SELECT {_COLUMNS} {_FROM} WHERE t.trigger_id = :trigger")
_LAST_ACT = sa.text(
    """SELECT who, at_ms FROM audit WHERE store_id = :store AND action = :action AND subject = :subject
    ORDER BY number DESC LIMIT 1"""
)
_AUDIT = of_stores(
    """SELECT store_id, number, at_ms, who, action, subject, reason FROM audit
    WHERE {stores} AND at_ms <= :before AND action NOT IN :vouching
    ORDER BY at_ms DESC, store_id, number DESC
    LIMIT :limit OFFSET :skip"""
).bindparams(sa.bindparam("vouching", sorted(VOUCHED), expanding=True, type_=sa.Text()))
_SWITCHES = sa.text('SELECT scope, target, "on", who, reason FROM kill_switches ORDER BY scope, target')
_INPUTS = sa.text(
    "SELECT inputs, watermark_ms, rule, bundle, quantity_units FROM triggers WHERE trigger_id = :trigger"
)


def trigger_view(connection: Connection, trigger: str) -> TriggerView | None:
    row = connection.execute(_BY_ID, {"trigger": trigger}).first()
    return _view(row) if row else None


def trigger_page(
    connection: Connection,
    *,
    stores: Stores,
    states: list[str],
    sku: str,
    after: tuple[int, str] | None,
    limit: int,
) -> list[TriggerView]:
    """Newest first. after: (created_ms, trigger_id) of the last one seen."""
    where = ["1 = 1"]
    values: dict[str, Any] = {"limit": limit, "sku": sku}
    if stores is not None:
        where.append("t.store_id IN :stores")
        values["stores"] = list(stores)
    if sku:
        where.append("t.sku = :sku")
    if states:
        where.append("t.state IN :states")
        values["states"] = states
    if after is not None:
        where.append("(t.created_ms < :after_ms OR (t.created_ms = :after_ms AND t.trigger_id > :after_id))")
        values["after_ms"], values["after_id"] = after
    statement = sa.text(
        f"SELECT {_COLUMNS} {_FROM} WHERE {' AND '.join(where)} ORDER BY t.created_ms DESC, t.trigger_id LIMIT :limit"
    )
    for name in ("states", "stores"):
        if name in values:
            statement = statement.bindparams(sa.bindparam(name, expanding=True, type_=sa.Text()))
    return [_view(row) for row in connection.execute(statement, values)]


def evidence_row(connection: Connection, trigger: str) -> dict[str, Any] | None:
    row = connection.execute(_INPUTS, {"trigger": trigger}).mappings().first()
    return None if row is None else {**row, "inputs": json.loads(row["inputs"])}


def audit_page(
    connection: Connection, *, stores: Stores, before_ms: int, skip: int, limit: int
) -> list[AuditView]:
    """Newest first. stores None: all, with the chain's own."""
    rows = connection.execute(_AUDIT, {**named(stores), "before": before_ms, "skip": skip, "limit": limit})
    return [
        AuditView(
            at_ms=row.at_ms, store=row.store_id or None, who=row.who, action=row.action, subject=row.subject,
            reason=row.reason,
        )
        for row in rows
    ]  # fmt: skip


def last_act(connection: Connection, store: str, action: str, subject: str) -> tuple[str, int] | None:
    """(who, at_ms) of the newest entry of that action about `subject` in the store's audit; the chain's for store ""."""
    row = connection.execute(_LAST_ACT, {"store": store, "action": action, "subject": subject}).one_or_none()
    return None if row is None else (str(row.who), int(row.at_ms))


def kill_switches(connection: Connection) -> list[KillSwitch]:
    return [
        KillSwitch(scope=row.scope, target=row.target, on=bool(row.on), who=row.who, reason=row.reason)
        for row in connection.execute(_SWITCHES)
    ]


def _view(row: Any) -> TriggerView:
    return TriggerView(
        trigger=row.trigger_id, revision=row.revision, store=row.store_id, store_name=row.store_name or row.store_id,
        sku=row.sku, gtin=row.gtin, name=row.item_name or row.sku, kind=row.kind, supplier=row.supplier,
        state=TriggerState(row.state), quantity_units=row.quantity_units, pack_units=row.pack_units,
        shipped_units=row.shipped_units, received_units=row.received_units, value_cents=row.value_cents,
        on_hand_units=row.on_hand_units, on_order_units=row.on_order_units,
        expected_stock_out_units=row.expected_stock_out_units, why=row.why, doubt=row.doubt,
        created_ms=row.created_ms, changed_ms=row.changed_ms, expires_ms=row.expires_ms, bundle=row.bundle,
        erp_document=row.erp_document, despatch=row.despatch, due_ms=row.due_ms,
    )  # fmt: skip
