"""The port through which sums go to a time-series store. What a store cannot do it says; what it did not take it names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Point:
    """One quarter hour of one category in one store. Few tags: SKUs would be too many series, and stay in SQL."""

    store: str
    category: str
    at_ms: int
    sold_units: int
    sold_cents: int
    picked_units: int
    delivered_units: int
    shrink_units: int
    stock_out_ms: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """upserts: writing a point again replaces it. reads_back: the store can be asked how many points it has."""

    upserts: bool
    reads_back: bool


@dataclass(frozen=True, slots=True)
class WriteReport:
    accepted: int
    rejected: tuple[tuple[Point, str], ...] = ()


class TimeSeriesUnavailableError(Exception):
    """Nobody's fault here: the store did not answer. The same points are written again later."""


class TimeSeriesStore(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    def write(self, points: Sequence[Point]) -> WriteReport:
        """Raises TimeSeriesUnavailableError when none of `points` can be counted as written."""
        ...

    def close(self) -> None: ...
