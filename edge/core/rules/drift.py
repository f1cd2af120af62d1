"""Load cells whose weight has wandered off what their goods explain: creep, a shifted shelf, a cell that ages."""

from math import sqrt

from edge.core.shelf import Shelves
from edge.core.weight import UNIT_BIAS, UNIT_SPREAD, CellFacing, CellRow, tare_of, unit_of

DRIFTED = "drifted-cell"


def drift_g(cell: CellRow, facing: CellFacing) -> float | None:
    """Grams off, None while the cell says nothing clear: moving, faulty, uncounted or with something foreign on it.

    The wandered zero, and what lies beside whole units beyond what uneven units may weigh. A whole unit too much or too
    little is a matter of counting, not of drift.
    """
    unit_g = unit_of(cell, facing)
    if (
        unit_g is None
        or cell.base_g is None
        or cell.units is None
        or cell.unstable
        or cell.fault
        or cell.pending_g is not None
        or cell.foreign_g
        or cell.swap_until_ms is not None
    ):
        return None
    off_g = cell.base_g - tare_of(cell, facing) - cell.units * unit_g
    off_g -= round(off_g / unit_g) * unit_g
    uneven_g = unit_g * (UNIT_SPREAD * sqrt(cell.units) + UNIT_BIAS * cell.units)
    return abs(cell.zero_g) + max(0.0, abs(off_g) - uneven_g)


def drifted_cells(shelves: Shelves) -> dict[str, float]:
    """Grams off of each cell that says something clear."""
    found = {}
    for key, cell in shelves.rows.by_key.items():
        facing = shelves.facing_of(key)
        grams = drift_g(cell, facing) if facing is not None else None
        if grams is not None:
            found[key] = grams
    return found
