"""Work that must reach every store: a transaction a store, and a row that says how far it came.

The row is written with what caused the work; a process that dies leaves it, and whoever finds it goes on. Each kind may
be done twice in one store without harm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central import couponing
from central.context import CHAIN, Work
from central.ledger import coupon_rows, outgoing

if TYPE_CHECKING:
    from central.centre import Centre

CAMPAIGN_KEYS, UNLINK_MEMBER = "campaign-keys", "unlink-member"
LEFT_MS = 30_000
"""A saga that did not move for so long was left by its process."""

_BEGIN = sa.text(
    """INSERT INTO sagas (saga, kind, subject, through_store, changed_ms) VALUES (:saga, :kind, :subject, '', :now)
    ON CONFLICT (saga) DO UPDATE SET through_store = '', changed_ms = excluded.changed_ms"""
)
_MOVE = sa.text("UPDATE sagas SET through_store = :store, changed_ms = :now WHERE saga = :saga")
_END = sa.text("DELETE FROM sagas WHERE saga = :saga")
_LEFT = sa.text(
    "SELECT saga, kind, subject, through_store FROM sagas WHERE changed_ms <= :before ORDER BY saga"
)
MOVES_EVERY = 50
"""Stores between two notes of how far it came."""


@dataclass(frozen=True, slots=True)
class Saga:
    saga: str
    kind: str
    subject: str
    through_store: str = ""


def begin(connection: Connection, kind: str, subject: str, real_now_ms: int) -> Saga:
    """In the transaction that causes the work. The same kind and subject again starts over."""
    saga = Saga(f"{kind} {subject}", kind, subject)
    connection.execute(_BEGIN, {"saga": saga.saga, "kind": kind, "subject": subject, "now": real_now_ms})
    return saga


def left_over(connection: Connection, real_now_ms: int) -> list[Saga]:
    return [
        Saga(row.saga, row.kind, row.subject, row.through_store)
        for row in connection.execute(_LEFT, {"before": real_now_ms - LEFT_MS})
    ]


def carry_out(centre: "Centre", saga: Saga, real_ms: Callable[[], int]) -> None:
    """Store after store, then the saga is gone. Not from the writer's own thread: it waits for each store."""
    with centre.ledger.read.connect() as connection:
        stores = [store for store in couponing.all_stores(connection) if store > saga.through_store]
    for place, store in enumerate(stores, 1):
        centre.call_store(store, lambda work: _STEPS[saga.kind](work, saga.subject))
        if place % MOVES_EVERY == 0:
            moved: dict[str, object] = {"saga": saga.saga, "store": store, "now": real_ms()}
            centre.call_store(CHAIN, partial(_run, statement=_MOVE, values=moved))
    centre.call_store(CHAIN, partial(_run, statement=_END, values={"saga": saga.saga}))


def _run(work: Work, statement: sa.TextClause, values: dict[str, object]) -> None:
    work.connection.execute(statement, values)


def _campaign_keys(work: Work, _subject: str) -> None:
    couponing.refresh_keys(work, coupon_rows.all_campaigns(work.connection))


def _unlink_member(work: Work, member: str) -> None:
    coupon_rows.unlink_member(work.connection, member, work.store.store)
    outgoing.unlink_member(work.connection, member, work.store.store)


_STEPS: dict[str, Callable[[Work, str], None]] = {
    CAMPAIGN_KEYS: _campaign_keys,
    UNLINK_MEMBER: _unlink_member,
}
