"""Reads the audit's chains and the rows that they vouch for, and says where either was changed."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.audit_chain import Break, digest_of, first_break
from central.core.vouched import VOUCHED, Vouched

_STORES = sa.text("SELECT DISTINCT store_id FROM audit ORDER BY store_id")
_CHAIN = sa.text("SELECT * FROM audit WHERE store_id = :store ORDER BY number")
_VOUCHED = sa.text(
    """SELECT number, subject, digest FROM audit WHERE store_id = :store AND action = :action AND digest <> ''
    ORDER BY number"""
)
_ROWS = {
    kind.action: sa.text(f"SELECT {', '.join(kind.columns)} FROM {kind.table} WHERE store_id = :store")  # noqa: S608 - our own names
    for kind in VOUCHED.values()
}


@dataclass(frozen=True, slots=True)
class AuditReport:
    chains: int
    entries: int
    rows: int
    breaks: tuple[Break, ...]


def verify_audit(connection: Connection) -> AuditReport:
    """Every chain from its first entry on, and every row that an entry vouches for.

    A chain cannot tell that its end was cut off together with the rows of that end: keep `entries` of the last run.
    """
    breaks: list[Break] = []
    entries = rows = 0
    stores = [str(row.store_id) for row in connection.execute(_STORES)]
    for store in stores:
        chain = [dict(row) for row in connection.execute(_CHAIN, {"store": store}).mappings()]
        entries += len(chain)
        found = first_break(store, chain)
        if found is not None:
            breaks.append(found)
        for kind in VOUCHED.values():
            checked, wrong = _check_rows(connection, store, kind)
            rows += checked
            breaks.extend(wrong)
    return AuditReport(len(stores), entries, rows, tuple(breaks))


def _check_rows(connection: Connection, store: str, kind: Vouched) -> tuple[int, list[Break]]:
    last = {
        row.subject: (int(row.number), row.digest)
        for row in connection.execute(_VOUCHED, {"store": store, "action": kind.action})
    }
    found = {
        kind.subject_of(dict(row)): digest_of(dict(row))
        for row in connection.execute(_ROWS[kind.action], {"store": store}).mappings()
    }
    wrong = [
        Break(
            store, number, f"the {kind.action} {subject} was {'changed' if subject in found else 'deleted'}"
        )
        for subject, (number, digest) in last.items()
        if found.get(subject) != digest
    ]
    return len(last), wrong
