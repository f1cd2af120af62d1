"""Who took note of which alert: at HQ or in the shop. What HQ notes reaches the shop as a document."""

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from central.context import Work

MAX_SENT = 1000

_OPEN = sa.text(
    """SELECT max(at_ms) AS raised_ms FROM alerts WHERE store_id = :store AND code = :code AND subject = :subject
    AND cleared_ms IS NULL AND at_ms <= :at_ms"""
)
_NOTE = sa.text(
    """INSERT INTO alert_acks (store_id, code, subject, raised_ms, who, at_ms)
    VALUES (:store, :code, :subject, :raised_ms, :who, :at_ms)
    ON CONFLICT (store_id, code, subject, raised_ms) DO NOTHING"""
)
_STILL_OPEN = sa.text(
    """SELECT k.code, k.subject, k.raised_ms, k.who FROM alert_acks k JOIN alerts a ON a.store_id = k.store_id
    AND a.code = k.code AND a.subject = k.subject AND a.at_ms = k.raised_ms AND a.cleared_ms IS NULL
    WHERE k.store_id = :store ORDER BY k.at_ms DESC, k.code, k.subject LIMIT :limit"""
)


def note(work: "Work", code: str, subject: str, *, who: str, at_ms: int) -> int | None:
    """The moment at which the open alert was raised that is now noted; None when none is open. Again is the same."""
    store = work.store.store
    key = {"store": store, "code": code, "subject": subject, "at_ms": at_ms}
    raised_ms = work.connection.execute(_OPEN, key).scalar()
    if raised_ms is None:
        return None
    work.connection.execute(_NOTE, {**key, "raised_ms": raised_ms, "who": who})
    return int(raised_ms)


def document_content(connection: Connection, store: str) -> str:
    """The acks document of the store: the notes of alerts that are open, newest first."""
    rows = connection.execute(_STILL_OPEN, {"store": store, "limit": MAX_SENT})
    acks = [
        {"code": row.code, "subject": row.subject, "raised_ms": row.raised_ms, "who": row.who} for row in rows
    ]
    return json.dumps({"acks": acks}, separators=(",", ":"))
