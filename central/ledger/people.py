"""Rows of people who log in, of their sessions, and of the one-time links that open one."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_PUT = sa.text(
    """INSERT INTO people (person, password_hash, role, reach, created_ms)
    VALUES (:person, :hash, :role, :reach, :now) ON CONFLICT (person) DO UPDATE SET
    password_hash = excluded.password_hash, role = excluded.role, reach = excluded.reach"""
)
_PERSON = sa.text("SELECT person, password_hash, role, reach FROM people WHERE person = :person")
_ALL = sa.text("SELECT person, role, reach, created_ms FROM people ORDER BY person")
_DELETE = sa.text("DELETE FROM people WHERE person = :person")
_END_ALL = sa.text("DELETE FROM sessions WHERE person = :person")
_OPEN = sa.text(
    """INSERT INTO sessions (token_hash, person, kind, created_ms, expires_ms)
    VALUES (:hash, :person, :kind, :now, :expires)"""
)
_SESSION = sa.text(
    """SELECT p.person, p.role, p.reach, s.expires_ms FROM sessions s JOIN people p ON p.person = s.person
    WHERE s.token_hash = :hash AND s.kind = 'session' AND s.expires_ms > :now"""
)
_LINK = sa.text(
    "SELECT person FROM sessions WHERE token_hash = :hash AND kind = 'link' AND expires_ms > :now"
)
_END = sa.text("DELETE FROM sessions WHERE token_hash = :hash")
_FORGET = sa.text("DELETE FROM sessions WHERE expires_ms <= :now")
_OLDEST = sa.text(
    """DELETE FROM sessions WHERE person = :person AND token_hash NOT IN
    (SELECT token_hash FROM sessions WHERE person = :person ORDER BY created_ms DESC, token_hash LIMIT :keep)"""
)
MAX_SESSIONS = 20
"""Of one person; the oldest ends when one more is opened."""


def put_person(
    connection: Connection, person: str, password_hash: str, role: str, reach: str | None, now_ms: int
) -> None:
    """Makes or changes a person. All sessions opened before end: the password or the role may be another."""
    connection.execute(
        _PUT, {"person": person, "hash": password_hash, "role": role, "reach": reach, "now": now_ms}
    )
    connection.execute(_END_ALL, {"person": person})


def person_row(connection: Connection, person: str) -> Any | None:
    return connection.execute(_PERSON, {"person": person}).first()


def all_people(connection: Connection) -> list[Any]:
    return list(connection.execute(_ALL).all())


def delete_person(connection: Connection, person: str) -> int:
    connection.execute(_END_ALL, {"person": person})
    return int(connection.execute(_DELETE, {"person": person}).rowcount)


def open_session(
    connection: Connection, person: str, token_hash: str, now_ms: int, expires_ms: int, kind: str = "session"
) -> None:
    """now_ms, expires_ms: real time. Forgets what has ended, so that the table stays small."""
    connection.execute(_FORGET, {"now": now_ms})
    connection.execute(
        _OPEN, {"hash": token_hash, "person": person, "kind": kind, "now": now_ms, "expires": expires_ms}
    )
    connection.execute(_OLDEST, {"person": person, "keep": MAX_SESSIONS})


def session_row(connection: Connection, token_hash: str, now_ms: int) -> Any | None:
    return connection.execute(_SESSION, {"hash": token_hash, "now": now_ms}).first()


def use_link(connection: Connection, token_hash: str, now_ms: int) -> str | None:
    """The person whose link it is; the link is gone then. None when there is none, or no longer."""
    person = connection.execute(_LINK, {"hash": token_hash, "now": now_ms}).scalar()
    connection.execute(_END, {"hash": token_hash})
    return None if person is None else str(person)


def end_session(connection: Connection, token_hash: str) -> None:
    connection.execute(_END, {"hash": token_hash})
