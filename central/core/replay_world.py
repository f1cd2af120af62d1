"""What others did in the weeks of a replay, the same in both plays: kill-switches, what depots had, loads that came late or short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

NEAR_MS = 36 * 3_600_000
"""A played order was brought as the real one of its SKU that was decided nearest to it, at most a day and a half away."""


@dataclass(frozen=True, slots=True)
class Switched:
    """A kill-switch that covered the store's orders from from_ms until until_ms (None: it is on). supplier: "" of all suppliers."""

    words: str
    supplier: str
    from_ms: int
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DepotWord:
    """What a supplier had of a SKU, as was known from at_ms on: when an order would be picked, and that day; None: nothing was known.

    arriving: (day, units) that were to come besides.
    """

    at_ms: int
    units: int | None
    now_units: int | None
    arriving: tuple[tuple[date, int], ...] = ()

    def by(self, picked: date, today: date) -> tuple[int | None, int | None]:
        """(for an order that is picked that day, for one that is picked today)."""
        if self.units is None:
            return None, None
        now_units = self.units if self.now_units is None else self.now_units
        return self.units + self._come(picked), now_units + self._come(today)

    def _come(self, until: date) -> int:
        return sum(units for day, units in self.arriving if day <= until)


@dataclass(frozen=True, slots=True)
class Load:
    """How the order that was decided at made_ms came: so many days after its day, and short_units fewer than were to come."""

    made_ms: int
    late_days: int = 0
    short_units: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """depot, loads: by the SKU's index, oldest first."""

    switches: Sequence[Switched] = ()
    depot: Mapping[int, Sequence[DepotWord]] = field(default_factory=dict)
    loads: Mapping[int, Sequence[Load]] = field(default_factory=dict)

    def switches_for(self, supplier: str, now_ms: int) -> tuple[str, ...]:
        """Those that are on and cover an order from `supplier`, as words."""
        return tuple(one.words for one in self._on(supplier, now_ms))

    def thrown_since(self, supplier: str, since_ms: int, now_ms: int) -> bool:
        """Whether one that is on was thrown at since_ms or later: what was approved before waits for it."""
        return any(one.from_ms >= since_ms for one in self._on(supplier, now_ms))

    def depot_has(self, index: int, now_ms: int, picked: date, today: date) -> tuple[int | None, int | None]:
        """As DepotWord.by, of the newest word."""
        known = [word for word in self.depot.get(index, ()) if word.at_ms <= now_ms]
        return known[-1].by(picked, today) if known else (None, None)

    def load_of(self, index: int, decided_ms: int) -> Load | None:
        near = [load for load in self.loads.get(index, ()) if abs(load.made_ms - decided_ms) <= NEAR_MS]
        return min(near, key=lambda load: abs(load.made_ms - decided_ms), default=None)

    def _on(self, supplier: str, now_ms: int) -> list[Switched]:
        return [
            one
            for one in self.switches
            if one.supplier in ("", supplier)
            and one.from_ms <= now_ms
            and (one.until_ms is None or now_ms < one.until_ms)
        ]
