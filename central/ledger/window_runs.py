"""A batch's windows as one row: their sums in columns, the windows themselves as columnar JSON, zstd, base64.

Windows are most of what comes in, and nobody asks for one of them: they are read a store at a time, to make sums again.
A row a window cost ten times the space and most of the time of a commit (docs/decisions/014-windows-are-kept-in-runs.md).
"""

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from operator import add
from typing import Any

import sqlalchemy as sa
import zstandard
from pydantic_core import to_json
from sqlalchemy.engine import Connection

from contract.batch_reading import WindowRow
from contract.codec import ZSTD_LEVEL, compress, decompress

NAMES = WindowRow._fields
_SUMMED = ("picked_units", "put_back_units", "refilled_units", "unresolved_g", "stock_out_ms")
_AT, _SPAN, _FROM = NAMES.index("at_ms"), NAMES.index("span_ms"), NAMES.index("seq_from")
_SUMMED_AT = tuple(NAMES.index(name) for name in _SUMMED)
MAX_PLAIN_BYTES = 64 * 2**20
"""Of one run: some hundred times what the largest batch has."""

KEPT_PLAIN_BYTES = 65_536
"""What a writer's own compressor may see: it keeps room for the largest, and a batch of 500 windows has 23 kB."""


class _Compressors(threading.local):
    """A thread's own, and there are few that write: making one costs three times what a batch's windows take."""

    def __init__(self) -> None:
        self.own = zstandard.ZstdCompressor(level=ZSTD_LEVEL)


_compressors = _Compressors()

_RUNS = sa.text(
    """SELECT gateway, epoch, body FROM windows WHERE store_id = :store AND until_ms > :from_ms AND at_ms < :to_ms
    ORDER BY gateway, epoch, seq"""
)


def run_row(place: tuple[str, str, str], rows: Sequence[Any]) -> tuple[Any, ...]:
    """The values of `windows`, in the order of its columns.

    rows: of one batch, in order of seq, each a WindowRow or a tuple like it. place: store, gateway, epoch.
    """
    columns = list(zip(*rows, strict=True))
    until_ms = max(map(add, columns[_AT], columns[_SPAN]))
    sums = [sum(columns[place]) for place in _SUMMED_AT]
    return (*place, rows[0][0], rows[-1][0], min(columns[_AT]), until_ms, len(rows), *sums, pack(columns))


def pack(columns: Sequence[Sequence[Any]]) -> str:
    """columns: in the order of NAMES. A window that was merged of several says from which seq on; most say nothing."""
    named = dict(zip(NAMES, columns, strict=True))
    if all(seq is None for seq in named["seq_from"]):
        del named["seq_from"]
    plain = to_json(named)
    packed = _compressors.own.compress(plain) if len(plain) <= KEPT_PLAIN_BYTES else compress(plain)
    return base64.b64encode(packed).decode()


def unpack(body: str) -> list[WindowRow]:
    named = json.loads(decompress(base64.b64decode(body), MAX_PLAIN_BYTES))
    named.setdefault("seq_from", [None] * len(named["seq"]))
    return list(map(WindowRow._make, zip(*[named[name] for name in NAMES], strict=True)))


def windows_of(
    connection: Connection, store: str, from_ms: int, to_ms: int
) -> Iterator[tuple[str, str, WindowRow]]:
    """(gateway, epoch, window) of the store's windows that began in [from_ms, to_ms), an epoch's in order of seq."""
    found = connection.execute(_RUNS, {"store": store, "from_ms": from_ms, "to_ms": to_ms}).all()
    for gateway, epoch, body in found:
        yield from ((gateway, epoch, window) for window in unpack(body) if from_ms <= window.at_ms < to_ms)
