"""The audit as a chain: each entry's hash covers the entry and the hash before it, so that a changed row shows.

    hash[n] = SHA-256(JSON [hash[n-1], store, number, at_ms, who, action, subject, reason, digest]), hash[0] = ""

digest: of the row that the entry is about, as it stood then; "" when it is about none. There is one chain a store, and
one for what belongs to the chain of shops (store "").
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FIELDS = ("store_id", "number", "at_ms", "who", "action", "subject", "reason", "digest")
FIRST = ""


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold. number: of the entry; 0 for the chain's end."""

    store: str
    number: int
    why: str


def digest_of(row: Mapping[str, object]) -> str:
    """The same for equal rows, whatever the order of their columns."""
    return hashlib.sha256(json.dumps(row, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def entry_hash(previous: str, entry: Mapping[str, object]) -> str:
    text = json.dumps([previous, *(entry[name] for name in FIELDS)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def first_break(store: str, entries: Iterable[Mapping[str, object]]) -> Break | None:
    """The first entry of one chain, in order of number, that does not follow from those before it."""
    previous, expected = FIRST, 1
    for entry in entries:
        number = int(str(entry["number"]))
        if number != expected:
            return Break(store, number, f"entry {expected} is missing")
        if entry["hash"] != entry_hash(previous, entry):
            return Break(store, number, "its content or an entry before it was changed")
        previous, expected = str(entry["hash"]), expected + 1
    return None
