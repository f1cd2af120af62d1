"""Rows of suppliers, and of the stores' daily budgets. What suppliers have is in `supplier_stock`."""

import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.budget import cents_since
from contract.api.suppliers import SupplierPut

_PUT = sa.text(
    """INSERT INTO suppliers (supplier, body, changed_ms) VALUES (:supplier, :body, :now)
    ON CONFLICT (supplier) DO UPDATE SET body = excluded.body, changed_ms = excluded.changed_ms"""
)
_ONE = sa.text("SELECT supplier, body, changed_ms FROM suppliers WHERE supplier = :supplier")
_KNOWN = sa.text(
    """SELECT 1 FROM suppliers WHERE supplier = :supplier UNION ALL
    SELECT 1 FROM documents WHERE kind = 'supply' AND body LIKE :line LIMIT 1"""
)
_ALL = sa.text("SELECT supplier, body, changed_ms FROM suppliers ORDER BY supplier")
_PUT_BUDGET = sa.text(
    """INSERT INTO budgets (store_id, cents_a_day) VALUES (:store, :cents)
    ON CONFLICT (store_id) DO UPDATE SET cents_a_day = excluded.cents_a_day"""
)
_NO_BUDGET = sa.text("DELETE FROM budgets WHERE store_id = :store")
_BUDGET = sa.text("SELECT cents_a_day FROM budgets WHERE store_id = :store")
_APPROVED = "state IN ('approved', 'sent', 'acknowledged', 'ordered', 'shipped', 'received', 'closed')"
_SPENT = sa.text(
    f"""SELECT coalesce(sum(value_cents), 0) FROM triggers WHERE store_id = :store AND created_ms >= :since
    AND {_APPROVED} AND trigger_id <> :without"""  # noqa: S608 - our own words
)
_DECIDED_ANEW = sa.text(
    f"""SELECT value_cents, quantity_units, inputs FROM triggers WHERE store_id = :store AND created_ms < :since
    AND changed_ms >= :since AND revision > 1 AND {_APPROVED} AND trigger_id <> :without"""  # noqa: S608
)


def put_supplier(connection: Connection, supplier: str, put: SupplierPut, now_ms: int) -> None:
    connection.execute(_PUT, {"supplier": supplier, "body": put.model_dump_json(), "now": now_ms})


def supplier(connection: Connection, name: str) -> tuple[SupplierPut, int] | None:
    """The supplier, and when it was changed."""
    row = connection.execute(_ONE, {"supplier": name}).first()
    return None if row is None else (SupplierPut.model_validate_json(row.body), row.changed_ms)


def is_known(connection: Connection, name: str) -> bool:
    """By its calendar, or by a supply line of any store."""
    line = f'%"supplier":"{name}"%'
    return connection.execute(_KNOWN, {"supplier": name, "line": line}).first() is not None


def all_suppliers(connection: Connection) -> list[tuple[str, SupplierPut, int]]:
    return [
        (row.supplier, SupplierPut.model_validate_json(row.body), row.changed_ms)
        for row in connection.execute(_ALL)
    ]


def put_budget(connection: Connection, store: str, cents_a_day: int | None) -> None:
    if cents_a_day is None:
        connection.execute(_NO_BUDGET, {"store": store})
    else:
        connection.execute(_PUT_BUDGET, {"store": store, "cents": cents_a_day})


def budget_left_cents(connection: Connection, store: str, since_ms: int, without: str) -> int | None:
    """What may still be ordered since `since_ms` (the day's start), without the trigger `without`; None: no budget."""
    budget = connection.execute(_BUDGET, {"store": store}).scalar()
    if budget is None:
        return None
    named = {"store": store, "since": since_ms, "without": without}
    spent = int(connection.execute(_SPENT, named).scalar() or 0)
    for row in connection.execute(_DECIDED_ANEW, named):
        spent += cents_since(json.loads(row.inputs), row.value_cents, row.quantity_units, since_ms)
    return max(0, int(budget) - spent)
