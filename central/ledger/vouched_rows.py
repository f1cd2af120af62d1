"""Rows that the audit vouches for, as they stand now."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.audit_chain import FIRST, digest_of, entry_hash
from central.core.vouched import DERIVED_DOCUMENTS, DOCUMENT, VOUCHED, Vouched


def _select(kind: Vouched) -> str:
    return f"SELECT {', '.join(_quoted(name) for name in kind.columns)} FROM {kind.table} WHERE "  # noqa: S608 - our own names


def _quoted(name: str) -> str:
    return f'"{name}"'


def _of_store(kind: Vouched) -> str:
    return "1 = 1" if kind.of_chain else "store_id = :store"


_ALL = {kind.action: sa.text(_select(kind) + _of_store(kind)) for kind in VOUCHED.values()}
_ONE = {
    kind.action: sa.text(
        _select(kind)
        + _of_store(kind)
        + "".join(f" AND {_quoted(name)} = :s{place}" for place, name in enumerate(kind.subject))
    )
    for kind in VOUCHED.values()
}
_LAST = sa.text(
    "SELECT number, subject, digest FROM audit WHERE store_id = :store AND action = :action ORDER BY number"
)
_END = sa.text("SELECT number, at_ms, hash FROM audit WHERE store_id = :store ORDER BY number DESC LIMIT 1")
_STORES = sa.text("SELECT store_id FROM stores UNION SELECT '' ORDER BY store_id")
_INSERT = sa.text(
    """INSERT INTO audit (store_id, number, at_ms, who, action, subject, reason, digest, hash)
    VALUES (:store_id, :number, :at_ms, :who, :action, :subject, :reason, :digest, :hash)"""
)


def row_of(
    connection: Connection, kind: Vouched, store: str, key: tuple[str, ...]
) -> Mapping[str, object] | None:
    named = {f"s{place}": part for place, part in enumerate(key)}
    row = connection.execute(_ONE[kind.action], {**_named(kind, store), **named}).mappings().one_or_none()
    return None if row is None else dict(row)


def rows_of(connection: Connection, kind: Vouched, store: str) -> Iterator[Mapping[str, object]]:
    """Those of a store, all of a table of the chain: store "" has only these."""
    if kind.of_chain != (store == ""):
        return
    for row in connection.execute(_ALL[kind.action], _named(kind, store)).mappings():
        if kind.action != DOCUMENT or row["kind"] not in DERIVED_DOCUMENTS:
            yield dict(row)


def last_entries(connection: Connection, kind: Vouched, store: str) -> dict[str, tuple[int, str]]:
    """Subject → (number, digest) of the last entry about it; digest "": the row is gone."""
    found = connection.execute(_LAST, {"store": store, "action": kind.action})
    return {row.subject: (int(row.number), row.digest) for row in found}


def vouch_for_all(connection: Connection) -> int:
    """An entry for each row whose last one has another digest, or that has none. Returns how many.

    After a migration that lets the audit vouch for more: what was there before counts as it stands.
    """
    count = 0
    for store in [str(row.store_id) for row in connection.execute(_STORES)]:
        end = connection.execute(_END, {"store": store}).one_or_none()
        number, at_ms, previous = (
            (0, 0, FIRST) if end is None else (int(end.number), int(end.at_ms), str(end.hash))
        )
        entries = []
        for kind in VOUCHED.values():
            last = last_entries(connection, kind, store)
            for row in rows_of(connection, kind, store):
                subject, digest = kind.subject_of(row), digest_of(kind.about(row))
                if last.get(subject, (0, ""))[1] == digest:
                    continue
                number += 1
                entry: dict[str, object] = {
                    "store_id": store, "number": number, "at_ms": at_ms, "who": "the centre", "action": kind.action,
                    "subject": subject, "reason": "as it was at the migration", "digest": digest,
                }  # fmt: skip
                previous = entry_hash(previous, entry)
                entries.append({**entry, "hash": previous})
        if entries:
            connection.execute(_INSERT, entries)
        count += len(entries)
    return count


def _named(kind: Vouched, store: str) -> dict[str, object]:
    return {} if kind.of_chain else {"store": store}
