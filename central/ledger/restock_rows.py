"""Rows of triggers, their reported statuses, outside orders, kill-switches and the audit."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.audit_chain import FIRST
from central.core.lifecycle import OPEN, WAITING
from central.ledger import tables
from contract.api.restock import TriggerState

_INSERT_TRIGGER = tables.triggers.insert()
_REVISE = sa.text(
    """UPDATE triggers SET revision = :revision, quantity_units = :quantity_units, value_cents = :value_cents,
    on_hand_units = :on_hand_units, on_order_units = :on_order_units, pack_units = :pack_units,
    expected_stock_out_units = :expected_stock_out_units, why = :why, doubt = :doubt, state = :state,
    changed_ms = :changed_ms, expires_ms = :expires_ms, watermark_ms = :watermark_ms, bundle = :bundle, rule = :rule,
    inputs = :inputs, due_ms = :due_ms, kind = :kind, lead_time_days = :lead_time_days
    WHERE store_id = :store_id AND number = :number"""
)
_CHANGE = sa.text(
    """UPDATE triggers SET revision = :revision, quantity_units = :quantity_units, value_cents = :value_cents, why = :why,
    changed_ms = :changed_ms, rule = :rule, inputs = :inputs WHERE store_id = :store_id AND number = :number"""
)
_AGREED = sa.text(
    """UPDATE triggers SET agreed_revision = :revision, agreed_units = :units, quantity_units = :units
    WHERE store_id = :store AND number = :number"""
)
_SET_DUE = sa.text(
    """UPDATE triggers SET due_ms = :due, expires_ms = :expires WHERE store_id = :store AND number = :number"""
)
_STATE = sa.text(
    "UPDATE triggers SET state = :state, changed_ms = :now WHERE store_id = :store AND number = :number"
)
_QUANTITY = sa.text(
    """UPDATE triggers SET quantity_units = :quantity, value_cents = :value, revision = :revision
    WHERE store_id = :store AND number = :number"""
)
_REPACK = sa.text(
    """UPDATE triggers SET quantity_units = :quantity, value_cents = :value, revision = :revision, pack_units = :pack
    WHERE store_id = :store AND number = :number"""
)
_THROWN = sa.text(
    """SELECT count(*) FROM kill_switches WHERE "on" = 1 AND changed_ms >= :since AND (scope = 'chain'
    OR (scope = 'store' AND target = :store) OR (scope = 'supplier' AND target = :supplier))"""
)
_REPORTED = sa.text(
    """UPDATE triggers SET state = :state, changed_ms = :now, shipped_units = coalesce(:shipped, shipped_units),
    despatch = coalesce(:despatch, despatch), erp_document = coalesce(:erp_document, erp_document),
    arrives_day = coalesce(:arrives_day, arrives_day) WHERE store_id = :store AND number = :number"""
)
_RECEIVED = sa.text(
    """UPDATE triggers SET state = :state, changed_ms = :now, received_units = :units
    WHERE store_id = :store AND number = :number"""
)
_BY_ID = sa.text("SELECT * FROM triggers WHERE trigger_id = :trigger")
_STATUS = sa.text(
    """SELECT effect, body FROM trigger_statuses WHERE store_id = :store AND trigger_id = :trigger
    AND revision = :revision AND status = :status"""
)
_INSERT_STATUS = tables.trigger_statuses.insert()
_PUT_ORDER = sa.text(
    """INSERT INTO outside_orders (store_id, order_number, sku, quantity_units, at_ms, despatch, arrives_day, state)
    VALUES (:store, :order, :sku, :quantity, :at_ms, :despatch, :arrives_day, 'open')"""
)
_ORDER = sa.text(
    """SELECT quantity_units, despatch, state FROM outside_orders WHERE store_id = :store AND order_number = :order
    AND sku = :sku"""
)
_FILL_ORDER = sa.text(
    """UPDATE outside_orders SET despatch = :despatch, arrives_day = coalesce(:arrives_day, arrives_day)
    WHERE store_id = :store AND order_number = :order AND sku = :sku"""
)
_ORDER_UNITS = sa.text(
    """UPDATE outside_orders SET quantity_units = :units WHERE store_id = :store AND order_number = :order
    AND sku = :sku"""
)
_ORDER_RECEIVED = sa.text(
    """UPDATE outside_orders SET state = :state, received_units = :units WHERE store_id = :store
    AND order_number = :order AND sku = :sku"""
)
_DUE = sa.text(
    """SELECT store_id FROM triggers WHERE (state IN :waiting AND expires_ms <= :now)
    OR (state IN :going AND changed_ms < :overdue) OR due_ms <= :now
    UNION SELECT store_id FROM outside_orders WHERE state = 'open' AND at_ms < :overdue ORDER BY 1"""
).bindparams(
    sa.bindparam("waiting", expanding=True, type_=sa.Text()),
    sa.bindparam("going", expanding=True, type_=sa.Text()),
)
_UNANSWERED = sorted(state.value for state in WAITING | {TriggerState.APPROVED, TriggerState.SENT})
_GOING = sorted(state.value for state in OPEN if state.value not in _UNANSWERED)
_NEWEST_DIGEST = sa.text(
    "SELECT digest FROM audit WHERE store_id = :store AND action = :action ORDER BY number DESC LIMIT 1"
)
_PUT_SWITCH = sa.text(
    """INSERT INTO kill_switches (scope, target, "on", who, reason, changed_ms)
    VALUES (:scope, :target, :on, :who, :reason, :now) ON CONFLICT (scope, target) DO UPDATE SET
    "on" = excluded."on", who = excluded.who, reason = excluded.reason, changed_ms = excluded.changed_ms"""
)
_AUDIT_END = sa.text("SELECT number, hash FROM audit WHERE store_id = :store ORDER BY number DESC LIMIT 1")
_INSERT_AUDIT = tables.audit.insert()


def insert_trigger(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_INSERT_TRIGGER, row)


def revise_trigger(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_REVISE, row)


def set_state(connection: Connection, store: str, number: int, state: str, now_ms: int) -> None:
    connection.execute(_STATE, {"store": store, "number": number, "state": state, "now": now_ms})


def set_quantity(
    connection: Connection, store: str, number: int, *, quantity: int, value: int, revision: int
) -> None:
    connection.execute(
        _QUANTITY,
        {"store": store, "number": number, "quantity": quantity, "value": value, "revision": revision},
    )


def repack(
    connection: Connection,
    store: str,
    number: int,
    *,
    quantity: int,
    value: int,
    revision: int,
    pack: int,
) -> None:
    connection.execute(
        _REPACK,
        {
            "store": store, "number": number, "quantity": quantity, "value": value, "revision": revision, "pack": pack,
        },
    )  # fmt: skip


def switch_thrown_since(connection: Connection, store: str, supplier: str, since_ms: int) -> bool:
    """Whether a kill-switch that covers the order is on and was thrown at `since_ms` or later."""
    named = {"store": store, "supplier": supplier, "since": since_ms}
    return bool(connection.execute(_THROWN, named).scalar_one())


def set_reported(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_REPORTED, row)


def set_received(
    connection: Connection, store: str, number: int, *, state: str, units: int, now_ms: int
) -> None:
    connection.execute(
        _RECEIVED, {"store": store, "number": number, "state": state, "units": units, "now": now_ms}
    )


def trigger_row(connection: Connection, trigger: str) -> dict[str, Any] | None:
    row = connection.execute(_BY_ID, {"trigger": trigger}).mappings().first()
    return dict(row) if row else None


def status_row(connection: Connection, store: str, trigger: str, revision: int, status: str) -> str | None:
    """The body of the status as first reported, None when it was not."""
    key = {"store": store, "trigger": trigger, "revision": revision, "status": status}
    row = connection.execute(_STATUS, key).first()
    return row.body if row else None


def insert_status(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_INSERT_STATUS, row)


def outside_order(connection: Connection, store: str, order: str, sku: str) -> dict[str, Any] | None:
    row = connection.execute(_ORDER, {"store": store, "order": order, "sku": sku}).mappings().first()
    return dict(row) if row else None


def put_outside_order(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_PUT_ORDER, row)


def fill_outside_order(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_FILL_ORDER, row)


def set_outside_units(connection: Connection, store: str, order: str, sku: str, *, units: int) -> None:
    """Other than ordered: so much is on the road."""
    connection.execute(_ORDER_UNITS, {"store": store, "order": order, "sku": sku, "units": units})


def outside_order_ended(
    connection: Connection, store: str, order: str, sku: str, *, state: str, units: int | None
) -> None:
    connection.execute(
        _ORDER_RECEIVED, {"store": store, "order": order, "sku": sku, "state": state, "units": units}
    )


def change_trigger(connection: Connection, row: dict[str, Any]) -> None:
    """Another quantity of an order that the replenishment system has acknowledged."""
    connection.execute(_CHANGE, row)


def set_agreed(connection: Connection, store: str, number: int, *, revision: int, units: int) -> None:
    connection.execute(_AGREED, {"store": store, "number": number, "revision": revision, "units": units})


def set_due(
    connection: Connection, store: str, number: int, *, due_ms: int | None, expires_ms: int | None
) -> None:
    connection.execute(_SET_DUE, {"store": store, "number": number, "due": due_ms, "expires": expires_ms})


def stores_with_due(connection: Connection, span: dict[str, int]) -> list[str]:
    """Stores with a trigger that nobody answered by `now` or that is due then, or one or an order that did not move since `overdue`."""
    found = connection.execute(_DUE, {**span, "waiting": _UNANSWERED, "going": _GOING})
    return [row.store_id for row in found]


def put_switch(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_PUT_SWITCH, row)


def newest_digest(connection: Connection, store: str, action: str) -> str | None:
    """Of the newest entry of that action in the store's chain; None when there is none."""
    found = connection.execute(_NEWEST_DIGEST, {"store": store, "action": action}).scalar()
    return None if found is None else str(found)


def audit_end(connection: Connection, store: str) -> tuple[int, str]:
    """(number, hash) of the newest entry of the store's chain."""
    row = connection.execute(_AUDIT_END, {"store": store}).one_or_none()
    return (0, FIRST) if row is None else (int(row.number), str(row.hash))


def insert_audit(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_INSERT_AUDIT, row)
