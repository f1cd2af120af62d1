"""Which SKU a cell carries when: facings with effective times."""

from bisect import bisect_right
from collections.abc import Sequence

from edge.core.lean import FacingRow


def cell_key(device: str, cell: str) -> str:
    return f"{device}/{cell}"


class Planogram:
    """Looks up facings by cell and time. A later entry of a cell replaces the earlier from its `from_ms` on."""

    def __init__(self, facings: Sequence[FacingRow] = ()) -> None:
        self._by_cell: dict[str, list[FacingRow]] = {}
        for facing in facings:
            self._by_cell.setdefault(cell_key(facing.device, facing.cell), []).append(facing)
        for of_cell in self._by_cell.values():
            of_cell.sort(key=lambda facing: facing.from_ms)
        self._starts = sorted({facing.from_ms for facing in facings})
        self.cells = tuple(sorted(self._by_cell))
        self.labelled_skus = frozenset(facing.sku for facing in facings if facing.sku and facing.tag)

    def facing_at(self, cell: str, at_ms: int) -> FacingRow | None:
        """The facing in effect, None before the first and for a cell that carries nothing."""
        of_cell = self._by_cell.get(cell)
        if not of_cell:
            return None
        place = bisect_right(of_cell, at_ms, key=lambda facing: facing.from_ms)
        return of_cell[place - 1] if place else None

    def facings_at(self, at_ms: int) -> dict[str, FacingRow]:
        found = {cell: self.facing_at(cell, at_ms) for cell in self.cells}
        return {cell: facing for cell, facing in found.items() if facing is not None}

    def next_change_ms(self, after_ms: int) -> int | None:
        """When the next facing comes into effect."""
        place = bisect_right(self._starts, after_ms)
        return self._starts[place] if place < len(self._starts) else None
