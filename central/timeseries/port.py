"""The port through which sums go to a time-series server. What a server cannot do it says; what it did not take it names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

FIELDS = ("sold_units", "sold_cents", "picked_units", "delivered_units", "shrink_units", "stock_out_ms")
"""Of a point, in the order of its `values`."""


@dataclass(frozen=True, slots=True)
class Point:
    """One quarter hour of one category in one store, or of one watched SKU: then `sku` is its name.

    Few tags: all SKUs would be too many series, and stay in SQL.
    """

    store: str
    category: str
    at_ms: int
    sold_units: int
    sold_cents: int
    picked_units: int
    delivered_units: int
    shrink_units: int
    stock_out_ms: int
    sku: str = ""

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(getattr(self, name) for name in FIELDS)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server does, as it was found to.

    write: `v2` is POST /api/v2/write by influxdb-client, `v1` POST /write, `sql` the ledger's own tables.
    query: the language for people's charts. overwrites: writing a point again replaces it; where not, the later revision
    stands beside the earlier one and queries take the last. names_bad_lines: a bad line is
    answered with an error; where not, only reading back shows it. keeps_all_times: no point is too old or too new.
    """

    write: Literal["v1", "v2", "sql"]
    query: Literal["influxql", "promql", "sql"]
    overwrites: bool = True
    names_bad_lines: bool = True
    keeps_all_times: bool = True


@dataclass(frozen=True, slots=True)
class WriteReport:
    """accepted: read back as written. rejected: refused, with the server's reason. unknown: the server said yes, and has
    another value or none; it is written again later.
    """

    accepted: int
    rejected: tuple[tuple[Point, str], ...] = ()
    unknown: tuple[Point, ...] = ()


class TimeSeriesUnavailableError(Exception):
    """Nobody's fault here: the server did not answer. The same points are written again later."""


class TimeSeriesStore(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    def write(self, points: Sequence[Point]) -> WriteReport:
        """Raises TimeSeriesUnavailableError when none of `points` can be counted as written."""
        ...

    def close(self) -> None: ...


Key = tuple[str, str, str, int]
"""(store, category, sku, at_ms), as the server keeps the names: see `line_protocol.tag`."""


class Writer(Protocol):
    def send(self, points: Sequence[Point]) -> str:
        """Empty when the server said yes; else its reason to refuse: some of the points may be there all the same.

        Raises TimeSeriesUnavailableError.
        """
        ...

    def close(self) -> None: ...


class Reader(Protocol):
    def read(self, stores: Sequence[str], from_ms: int, to_ms: int) -> dict[Key, tuple[int, ...]]:
        """All points of the stores in [from_ms, to_ms], each with its values. Raises TimeSeriesUnavailableError."""
        ...

    def close(self) -> None: ...
