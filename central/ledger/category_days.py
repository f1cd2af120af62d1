"""A store's hours of one day by category as one row: columns of integers, zstd, base64.

What sold most in fifty shops on one day is sums of fifty thousand rows, and sorting them takes longer than a page may; of packed
days it is fifty rows, which are added up as they lie. Sums add up: what comes late for a day that is packed is a row of
`category_hours` again, counts beside it, and goes into it the next time.
"""

import base64
import json
import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.rollups import DAY_MS
from contract.codec import compress, decompress

NAMES = ("sold_units", "sold_cents", "picked_units", "delivered_units", "shrink_units", "stock_out_ms")
DAYS_AT_ONCE = 8
"""Packed in one transaction: some thousand rows."""
MAX_PLAIN_BYTES = 64 * 2**20
"""Of one day: some ten thousand categories."""

_COLUMNS = ", ".join(NAMES)
_DAYS = sa.text(
    """SELECT DISTINCT at_ms - at_ms % 86400000 AS day_ms FROM category_hours WHERE store_id = :store AND at_ms < :before_ms
    ORDER BY 1 LIMIT :limit"""
)
_HOURS = sa.text(
    f"""SELECT at_ms, category, {_COLUMNS} FROM category_hours WHERE store_id = :store AND at_ms >= :from_ms
    AND at_ms < :to_ms"""  # noqa: S608 - our own names
)
_PACKED = sa.text("SELECT body FROM category_days WHERE store_id = :store AND at_ms = :day_ms")
_PUT = sa.text(
    """INSERT INTO category_days (store_id, at_ms, body) VALUES (:store, :day_ms, :body)
    ON CONFLICT (store_id, at_ms) DO UPDATE SET body = excluded.body"""
)
_DROP_HOURS = sa.text(
    "DELETE FROM category_hours WHERE store_id = :store AND at_ms >= :from_ms AND at_ms < :to_ms"
)
_PACKED_FROM = sa.text("SELECT at_ms, body FROM category_days WHERE store_id = :store AND at_ms > :from_ms")
_DROP_DAYS = sa.text("DELETE FROM category_days WHERE store_id = :store AND at_ms > :from_ms")

Sums = Mapping[tuple[int, str], Sequence[int]]
"""(start of the hour, category) -> sums in the order of NAMES."""


@dataclass(frozen=True, slots=True)
class PackedDay:
    """A column each sum: at_ms; which of `categories`; sums, shape (6, n), in the order of NAMES."""

    categories: Sequence[str]
    at_ms: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    sums: npt.NDArray[np.int64]


def pack(sums: Sums) -> str:
    categories = sorted({category for _, category in sums})
    place = {category: number for number, category in enumerate(categories)}
    keys = sorted(sums)
    table = np.array([[at_ms, place[name], *sums[at_ms, name]] for at_ms, name in keys], dtype="<i8")
    head = json.dumps(categories).encode()
    body = struct.pack("<I", len(head)) + head + table.T.tobytes()
    return base64.b64encode(compress(body)).decode()


def unpack(body: str) -> PackedDay:
    plain = decompress(base64.b64decode(body), MAX_PLAIN_BYTES)
    (length,) = struct.unpack_from("<I", plain)
    table = np.frombuffer(plain, dtype="<i8", offset=4 + length).reshape(2 + len(NAMES), -1)
    return PackedDay(json.loads(plain[4 : 4 + length]), table[0], table[1], table[2:])


def sums_of(body: str) -> dict[tuple[int, str], Sequence[int]]:
    day = unpack(body)
    places = zip(day.at_ms.tolist(), day.category.tolist(), day.sums.T.tolist(), strict=True)
    return {(at_ms, day.categories[place]): values for at_ms, place, values in places}


def pack_hours(connection: Connection, store: str, before_ms: int) -> int:
    """Packs the oldest hours before `before_ms`, a few days of them. Returns how many days; 0: there is nothing to pack."""
    asked = {"store": store, "before_ms": before_ms, "limit": DAYS_AT_ONCE}
    days = list(connection.execute(_DAYS, asked).scalars())
    for day_ms in days:
        span = {"store": store, "from_ms": day_ms, "to_ms": min(day_ms + DAY_MS, before_ms)}
        sums: defaultdict[tuple[int, str], Sequence[int]] = defaultdict(lambda: (0,) * len(NAMES))
        packed = connection.execute(_PACKED, {"store": store, "day_ms": day_ms}).scalar()
        if packed is not None:
            sums.update(sums_of(packed))
        for at_ms, category, *values in connection.execute(_HOURS, span).all():
            known = sums[at_ms, category]
            sums[at_ms, category] = [a + b for a, b in zip(known, values, strict=True)]
        connection.execute(_PUT, {"store": store, "day_ms": day_ms, "body": pack(sums)})
        connection.execute(_DROP_HOURS, span)
    return len(days)


def has_hours(connection: Connection, store: str, before_ms: int) -> bool:
    """Whether `pack_hours` has something to do."""
    asked = {"store": store, "before_ms": before_ms, "limit": 1}
    return connection.execute(_DAYS, asked).first() is not None


def unpacked(connection: Connection, store: str, from_ms: int) -> list[dict[tuple[int, str], Any]]:
    """Takes the days that reach beyond `from_ms` out of the ledger; the caller puts back what stays as hours."""
    of = {"store": store, "from_ms": from_ms - DAY_MS}
    found = [sums_of(body) for _, body in connection.execute(_PACKED_FROM, of).all()]
    connection.execute(_DROP_DAYS, of)
    return [
        {key: dict(zip(NAMES, values, strict=True)) for key, values in sums.items() if key[0] < from_ms}
        for sums in found
    ]
