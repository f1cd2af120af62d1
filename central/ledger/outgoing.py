"""Rows of outgoing events, their feed positions, the endpoints they go to and the deliveries that wait."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.access import Reach
from central.core.days import utc_text
from central.ledger.credentials import reached_stores
from central.ledger.locks import Lock
from central.ledger.of_stores import Stores, named, of_stores

MAX_RELAYED = 500


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """event_id: stable and derived from what happened, so that the same happening is one event. member, secret: see tables."""

    event_id: str
    store: str
    type: str
    subject: str
    data: dict[str, Any]
    member: str | None = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    endpoint: str
    url: str
    types: tuple[str, ...]
    secret: str
    old_secret: str | None = None
    old_secret_until_ms: int = 0
    stores: frozenset[str] | None = None

    def secrets(self, real_now_ms: int) -> tuple[str, ...]:
        """Those that sign now: the new one first, and the one before it while receivers change over."""
        if self.old_secret is not None and real_now_ms < self.old_secret_until_ms:
            return (self.secret, self.old_secret)
        return (self.secret,)

    def wants(self, kind: str, store: str) -> bool:
        return kind in self.types and (self.stores is None or store in self.stores)


@dataclass(frozen=True, slots=True)
class Due:
    position: int
    attempts: int
    due_ms: int
    event_id: str
    body: str


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """store: "" for the chain's. body: a CloudEvent, structured JSON."""

    position: int
    store: str
    type: str
    body: str


_PUT = sa.text(
    """INSERT INTO outgoing (store_id, number, event_id, type, subject, created_ms, body, member, secret)
    VALUES (:store_id, :number, :event_id, :type, :subject, :created_ms, :body, :member, :secret)"""
)
_UNPLACED = sa.text(
    """SELECT number, type, subject, store_id FROM outgoing WHERE position IS NULL AND :store IN ('*', store_id)
    ORDER BY store_id, number LIMIT :limit"""
)
_STORES_UNPLACED = sa.text("SELECT DISTINCT store_id FROM outgoing WHERE position IS NULL ORDER BY store_id")
_ONE_RELAY = sa.text(f"SELECT pg_advisory_xact_lock({Lock.RELAY})")
_TELL_ALL = sa.text("SELECT pg_notify('shelfloop_placed', '')")
_LAST = sa.text(
    """SELECT max(position) FROM (SELECT max(position) AS position FROM outgoing
    UNION ALL SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'restored_ms') ends"""
)
_PLACE = sa.text("UPDATE outgoing SET position = :position WHERE store_id = :store AND number = :number")
_ENDPOINTS = sa.text(
    """SELECT endpoint, url, types, secret, old_secret, old_secret_until_ms, reach FROM endpoints
    WHERE enabled = 1 ORDER BY endpoint"""
)
_DELIVER = sa.text(
    """INSERT INTO deliveries (endpoint, position, attempts, due_ms, last_status)
    VALUES (:endpoint, :position, 0, :due_ms, '') ON CONFLICT DO NOTHING"""
)
_DUE = sa.text(
    """SELECT d.position, d.attempts, d.due_ms, o.event_id, o.body FROM deliveries d
    JOIN outgoing o ON o.position = d.position WHERE d.endpoint = :endpoint AND d.due_ms <= :now
    ORDER BY d.position LIMIT :limit"""
)
_NEXT_DUE = sa.text("SELECT min(due_ms) FROM deliveries WHERE endpoint = :endpoint")
_DONE = sa.text("DELETE FROM deliveries WHERE endpoint = :endpoint AND position = :position")
_LATER = sa.text(
    """UPDATE deliveries SET attempts = :attempts, due_ms = :due_ms, last_status = :status
    WHERE endpoint = :endpoint AND position = :position"""
)
_ALL_NOW = sa.text("UPDATE deliveries SET due_ms = :now WHERE endpoint = :endpoint AND due_ms > :now")
_SEEN = sa.text(
    """UPDATE endpoints SET delivered_total = delivered_total + :delivered, failed_total = failed_total + :failed,
    last_status = :status, last_ms = :now WHERE endpoint = :endpoint"""
)
_WAITING = sa.text(
    "SELECT count(*) AS lost, min(position) AS first FROM deliveries WHERE endpoint = :endpoint"
)
_GIVE_UP = sa.text(
    """UPDATE endpoints SET given_up_total = given_up_total + :lost, given_up_from = CASE
    WHEN given_up_from IS NULL OR given_up_from > :first THEN :first ELSE given_up_from END WHERE endpoint = :endpoint"""
)
_ASKED_AGAIN = sa.text(
    "UPDATE endpoints SET given_up_from = NULL WHERE endpoint = :endpoint AND given_up_from > :after"
)
_DISABLE = sa.text(
    "UPDATE endpoints SET enabled = 0, last_status = :status, last_ms = :now WHERE endpoint = :endpoint"
)
_DROP = sa.text("DELETE FROM deliveries WHERE endpoint = :endpoint")
_PENDING = sa.text(
    """SELECT (SELECT count(*) FROM deliveries d JOIN endpoints e ON e.endpoint = d.endpoint WHERE e.enabled = 1)
    + (SELECT count(*) FROM outgoing WHERE position IS NULL)"""
)
_FEED = of_stores(
    """SELECT position, body FROM outgoing WHERE position > :after AND type IN :types AND {stores}
    ORDER BY position LIMIT :limit"""
).bindparams(sa.bindparam("types", expanding=True, type_=sa.Text()))
_ROWS_AFTER = sa.text(
    """SELECT position, store_id, type, body FROM outgoing WHERE position > :after AND type IN :types
    ORDER BY position LIMIT :limit"""
).bindparams(sa.bindparam("types", expanding=True, type_=sa.Text()))
_AFTER = of_stores(
    "SELECT position FROM outgoing WHERE position > :after AND type IN :types AND {stores} ORDER BY position"
).bindparams(sa.bindparam("types", expanding=True, type_=sa.Text()))
_SECRETS = sa.text(
    """SELECT store_id, number, body FROM outgoing WHERE secret = 1 AND created_ms < :before
    AND :store IN ('*', store_id) LIMIT 500"""
)
_STORES_WITH_SECRETS = sa.text(
    "SELECT DISTINCT store_id FROM outgoing WHERE secret = 1 AND created_ms < :before ORDER BY store_id"
)
_BLANK = sa.text("UPDATE outgoing SET body = :body, secret = 0 WHERE store_id = :store AND number = :number")
_OF_MEMBER = sa.text(
    "SELECT store_id, number, body FROM outgoing WHERE member = :member AND :store IN ('*', store_id)"
)
_UNLINK = sa.text(
    """UPDATE outgoing SET body = :body, member = NULL, secret = 0 WHERE store_id = :store AND number = :number"""
)
_PUT_ENDPOINT = sa.text(
    """INSERT INTO endpoints (endpoint, url, types, owner, secret, enabled, created_ms, delivered_total, failed_total,
    last_status, reach) VALUES (:endpoint, :url, :types, :owner, :secret, 1, :now, 0, 0, '', :reach)"""
)
_ROTATE = sa.text(
    """UPDATE endpoints SET old_secret = secret, old_secret_until_ms = :until, secret = :secret
    WHERE endpoint = :endpoint"""
)
_REACH = sa.text("SELECT reach FROM endpoints WHERE endpoint = :endpoint")
_DELETE_ENDPOINT = sa.text("DELETE FROM endpoints WHERE endpoint = :endpoint")


def put_events(
    connection: Connection, source: str, events: Iterable[tuple[int, OutgoingEvent]], now_ms: int
) -> None:
    """The events, each with its number within its store, as CloudEvents 1.0, structured JSON, without a position yet."""
    rows = [_row(source, number, event, now_ms) for number, event in events]
    if rows:
        connection.execute(_PUT, rows)


def _row(source: str, number: int, event: OutgoingEvent, now_ms: int) -> dict[str, Any]:
    body = {
        "specversion": "1.0", "id": event.event_id, "source": source, "type": event.type, "time": utc_text(now_ms),
        "subject": event.subject, "datacontenttype": "application/json", "data": event.data,
    }  # fmt: skip
    return {
        "store_id": event.store, "number": number, "event_id": event.event_id, "type": event.type,
        "subject": event.subject, "created_ms": now_ms, "body": json.dumps(body, separators=(",", ":")),
        "member": event.member, "secret": int(event.secret),
    }  # fmt: skip


def stores_with_unplaced(connection: Connection) -> list[str]:
    return [row.store_id for row in connection.execute(_STORES_UNPLACED)]


def place_events(connection: Connection, real_now_ms: int, store: str = "*") -> list[str]:
    """Gives waiting events of `store` ("*": all) their feed positions and endpoints their deliveries: MAX_RELAYED at most.

    Returns the events' subjects. Where several processes do this, one waits for the other's commit: positions become
    visible in their order, so that a cursor never passes one that comes later.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_RELAY)
        connection.execute(_TELL_ALL)
    waiting = connection.execute(_UNPLACED, {"limit": MAX_RELAYED, "store": store}).all()
    if not waiting:
        return []
    last = connection.execute(_LAST).scalar() or 0
    placed = [(last + step + 1, row.type, row.store_id) for step, row in enumerate(waiting)]
    connection.execute(
        _PLACE,
        [
            {"position": position, "store": store_id, "number": row.number}
            for (position, _, store_id), row in zip(placed, waiting, strict=True)
        ],
    )
    wanted = [
        {"endpoint": endpoint.endpoint, "position": position, "due_ms": real_now_ms}
        for endpoint in enabled_endpoints(connection)
        for position, kind, store_id in placed
        if endpoint.wants(kind, store_id)
    ]
    if wanted:
        connection.execute(_DELIVER, wanted)
    return [row.subject for row in waiting]


def enabled_endpoints(connection: Connection) -> list[Endpoint]:
    return [
        Endpoint(
            row.endpoint,
            row.url,
            tuple(json.loads(row.types)),
            row.secret,
            row.old_secret,
            row.old_secret_until_ms or 0,
            _stores(connection, row.reach),
        )
        for row in connection.execute(_ENDPOINTS)
    ]


def _stores(connection: Connection, reach: str | None) -> frozenset[str] | None:
    return reached_stores(connection, None if reach is None else Reach.from_json(reach))


def due_deliveries(connection: Connection, endpoint: str, real_now_ms: int, limit: int) -> list[Due]:
    rows = connection.execute(_DUE, {"endpoint": endpoint, "now": real_now_ms, "limit": limit})
    return [Due(row.position, row.attempts, row.due_ms, row.event_id, row.body) for row in rows]


def next_due_ms(connection: Connection, endpoint: str) -> int | None:
    return connection.execute(_NEXT_DUE, {"endpoint": endpoint}).scalar()


def delivery_done(connection: Connection, endpoint: str, position: int) -> None:
    connection.execute(_DONE, {"endpoint": endpoint, "position": position})


def give_up(connection: Connection, endpoint: str, position: int) -> None:
    """The delivery will not be tried again, and is counted as lost to the endpoint."""
    connection.execute(_GIVE_UP, {"endpoint": endpoint, "lost": 1, "first": position})
    delivery_done(connection, endpoint, position)


def delivery_later(
    connection: Connection, endpoint: str, position: int, *, attempts: int, due_ms: int, status: str
) -> None:
    connection.execute(
        _LATER,
        {
            "endpoint": endpoint,
            "position": position,
            "attempts": attempts,
            "due_ms": due_ms,
            "status": status,
        },
    )


def retry_all_now(connection: Connection, endpoint: str, real_now_ms: int) -> None:
    """The endpoint answers again: what waits for it waits no longer."""
    connection.execute(_ALL_NOW, {"endpoint": endpoint, "now": real_now_ms})


def endpoint_seen(
    connection: Connection, endpoint: str, now_ms: int, *, delivered: int, failed: int, status: str
) -> None:
    connection.execute(
        _SEEN,
        {"endpoint": endpoint, "now": now_ms, "delivered": delivered, "failed": failed, "status": status},
    )


def disable_endpoint(connection: Connection, endpoint: str, now_ms: int, status: str) -> int:
    """Nothing more goes there. Returns how many deliveries waited: they are given up."""
    connection.execute(_DISABLE, {"endpoint": endpoint, "now": now_ms, "status": status})
    row = connection.execute(_WAITING, {"endpoint": endpoint}).one()
    if row.lost:
        connection.execute(_GIVE_UP, {"endpoint": endpoint, "lost": row.lost, "first": row.first})
    connection.execute(_DROP, {"endpoint": endpoint})
    return int(row.lost)


def put_endpoint(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_PUT_ENDPOINT, row)


def rotate_secret(connection: Connection, endpoint: str, secret: str, old_until_ms: int) -> None:
    """`secret` signs from now on, and the one before it too until `old_until_ms` (real time)."""
    connection.execute(_ROTATE, {"endpoint": endpoint, "secret": secret, "until": old_until_ms})


def delete_endpoint(connection: Connection, endpoint: str) -> None:
    connection.execute(_DELETE_ENDPOINT, {"endpoint": endpoint})
    connection.execute(_DROP, {"endpoint": endpoint})


def replay(
    connection: Connection, endpoint: str, types: tuple[str, ...], after: int, real_now_ms: int
) -> int:
    """Sends the feed's rows after `after` to the endpoint again. Returns how many."""
    stores = _stores(connection, connection.execute(_REACH, {"endpoint": endpoint}).scalar())
    rows = connection.execute(_AFTER, {"after": after, "types": list(types), **named(stores)}).all()
    if rows:
        connection.execute(
            _DELIVER,
            [{"endpoint": endpoint, "position": row.position, "due_ms": real_now_ms} for row in rows],
        )
    connection.execute(_ASKED_AGAIN, {"endpoint": endpoint, "after": after})
    return len(rows)


def pending(connection: Connection) -> int:
    """Events without a position, and deliveries that enabled endpoints have not confirmed."""
    return int(connection.execute(_PENDING).scalar() or 0)


def feed_rows(
    connection: Connection, after: int, limit: int, types: tuple[str, ...], stores: Stores = None
) -> list[tuple[int, str]]:
    rows = connection.execute(_FEED, {"after": after, "limit": limit, "types": list(types), **named(stores)})
    return [(row.position, row.body) for row in rows]


def rows_after(connection: Connection, after: int, limit: int, types: tuple[str, ...]) -> list[PlacedEvent]:
    """Of all stores, in the feed's order."""
    rows = connection.execute(_ROWS_AFTER, {"after": after, "limit": limit, "types": list(types)})
    return [PlacedEvent(row.position, row.store_id, row.type, row.body) for row in rows]


def last_position(connection: Connection) -> int:
    """Of the newest event in the feed, 0 before the first; after a restore at least where positions go on (backup.py)."""
    return int(connection.execute(_LAST).scalar() or 0)


def stores_with_secrets(connection: Connection, before_ms: int) -> list[str]:
    """Stores in which `blank_secrets` finds something."""
    return list(connection.execute(_STORES_WITH_SECRETS, {"before": before_ms}).scalars())


def blank_secrets(connection: Connection, before_ms: int, store: str = "*") -> int:
    """Takes the codes out of events of `store` ("*": all) made before `before_ms`. Returns how many."""
    rows = connection.execute(_SECRETS, {"before": before_ms, "store": store}).all()
    if rows:
        blank = [
            {"store": row.store_id, "number": row.number, "body": _without(row.body, "code")} for row in rows
        ]
        connection.execute(_BLANK, blank)
    return len(rows)


def unlink_member(connection: Connection, member: str, store: str = "*") -> None:
    """The events of `store` ("*": all) stay, and no longer say whom they were about."""
    rows = connection.execute(_OF_MEMBER, {"member": member, "store": store}).all()
    if rows:
        unlinked = [
            {"store": row.store_id, "number": row.number, "body": _without(row.body, "code", member="")}
            for row in rows
        ]
        connection.execute(_UNLINK, unlinked)


def _without(body: str, *names: str, **values: str) -> str:
    event = json.loads(body)
    event["data"].update(dict.fromkeys(names), **values)
    return json.dumps(event, separators=(",", ":"))
