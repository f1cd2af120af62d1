"""Rows that the audit vouches for, as they stand now."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.audit_chain import FIRST, digest_of, entry_hash
from central.core.vouched import DERIVED_DOCUMENTS, DOCUMENT, VOUCHED, VOUCHED_LISTS, Vouched, VouchedList
from central.ledger.tables import metadata


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
    "SELECT number, at_ms, subject, digest FROM audit WHERE store_id = :store AND action = :action ORDER BY number"
)
_LISTS = {
    kind.action: sa.text(
        f"SELECT {', '.join(kind.columns)} FROM {kind.table} WHERE {kind.owner} = :owner ORDER BY {', '.join(kind.columns[:2])}"  # noqa: S608
    )
    for kind in VOUCHED_LISTS.values()
}
_OWNERS = {
    kind.action: sa.text(f"SELECT DISTINCT {kind.owner} FROM {kind.table}")  # noqa: S608 - our own names
    for kind in VOUCHED_LISTS.values()
}
_END = sa.text("SELECT number, at_ms, hash FROM audit WHERE store_id = :store ORDER BY number DESC LIMIT 1")
_STORES = sa.text(
    "SELECT store_id FROM stores UNION SELECT store_id FROM audit UNION SELECT '' ORDER BY store_id"
)
_INSERT = sa.text(
    """INSERT INTO audit (store_id, number, at_ms, who, action, subject, reason, digest, hash)
    VALUES (:store_id, :number, :at_ms, :who, :action, :subject, :reason, :digest, :hash)"""
)


def row_of(
    connection: Connection, kind: Vouched, store: str, key: tuple[str, ...]
) -> Mapping[str, object] | None:
    columns = metadata.tables[kind.table].c
    named = {
        f"s{place}": int(part) if isinstance(columns[name].type, sa.BigInteger) else part
        for place, (name, part) in enumerate(zip(kind.subject, key, strict=True))
    }
    row = connection.execute(_ONE[kind.action], {**_named(kind, store), **named}).mappings().one_or_none()
    return None if row is None else dict(row)


def rows_of(connection: Connection, kind: Vouched, store: str) -> Iterator[Mapping[str, object]]:
    """Those of a store, all of a table of the chain: store "" has these, and documents that are kept for later stores."""
    if kind.of_chain != (store == "") and kind.action != DOCUMENT:
        return
    for row in connection.execute(_ALL[kind.action], _named(kind, store)).mappings():
        if kind.action != DOCUMENT or row["kind"] not in DERIVED_DOCUMENTS:
            yield dict(row)


@dataclass(slots=True)
class Entry:
    """The last one about a row. digest "": the row is gone. first_ms: when the first one was made."""

    number: int
    digest: str
    first_ms: int


def last_entries(connection: Connection, action: str, store: str) -> dict[str, Entry]:
    """By subject."""
    entries: dict[str, Entry] = {}
    for row in connection.execute(_LAST, {"store": store, "action": action}):
        known = entries.get(row.subject)
        first_ms = int(row.at_ms) if known is None else known.first_ms
        entries[row.subject] = Entry(int(row.number), row.digest, first_ms)
    return entries


def list_entries(connection: Connection, kind: VouchedList, store: str) -> dict[str, Entry | None]:
    """The last entry about each list that the store's chain is to vouch for, by its owner; None: there is none.

    Those of suppliers, who have rows or once had: of store "" alone.
    """
    if kind.of_supplier != (store == ""):
        return {}
    last = last_entries(connection, kind.action, store)
    if not kind.of_supplier:
        return {store: last.get(store)}
    owners = {str(owner) for owner in connection.execute(_OWNERS[kind.action]).scalars()}
    return {owner: last.get(owner) for owner in sorted(owners | last.keys())}


def about_list(connection: Connection, kind: VouchedList, owner: str) -> dict[str, object]:
    """What an entry about a store's or supplier's whole list says: how many rows, and their digest."""
    digest, count = hashlib.sha256(), 0
    for row in connection.execute(_LISTS[kind.action], {"owner": owner}):
        digest.update(json.dumps(list(row), separators=(",", ":")).encode() + b"\n")
        count += 1
    return {"rows": count, "sha256": digest.hexdigest()}


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
        for action, subject, digest in _unvouched(connection, store):
            number += 1
            entry: dict[str, object] = {
                "store_id": store, "number": number, "at_ms": at_ms, "who": "the centre", "action": action,
                "subject": subject, "reason": "as it was at the migration", "digest": digest,
            }  # fmt: skip
            previous = entry_hash(previous, entry)
            entries.append({**entry, "hash": previous})
        if entries:
            connection.execute(_INSERT, entries)
        count += len(entries)
    return count


def _unvouched(connection: Connection, store: str) -> Iterator[tuple[str, str, str]]:
    """(action, subject, digest) of what has no entry, or another one."""
    for kind in VOUCHED.values():
        last = last_entries(connection, kind.action, store)
        for row in rows_of(connection, kind, store):
            subject, digest = kind.subject_of(row), digest_of(kind.about(row))
            if subject not in last or last[subject].digest != digest:
                yield kind.action, subject, digest
    for of in VOUCHED_LISTS.values():
        for owner, entry in list_entries(connection, of, store).items():
            about = about_list(connection, of, owner)
            if (entry is not None and entry.digest != digest_of(about)) or (entry is None and about["rows"]):
                yield of.action, owner, digest_of(about)


def _named(kind: Vouched, store: str) -> dict[str, object]:
    return {} if kind.of_chain else {"store": store}
