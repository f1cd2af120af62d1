"""The reading that moves nothing, taken in at a tenth of the cost: nine of ten are the noise of a cell that nobody touches."""

from edge.core.weight import (
    MAX_LEARNED_SHARE,
    MAX_TOLERANCE,
    MIN_NOISE_G,
    PRIOR_UNITS,
    STEADY_G,
    CellFacing,
    CellRow,
    tare_of,
)

SURELY_WHOLE = 0.49
"""Of a unit weight: nearer than half a unit to the count, the absolute book agrees with it."""


def keeps_still(cell: CellRow, facing: CellFacing, weight_g: float, sd_g: float, at_ms: int) -> bool:
    """Takes a stable reading in as `weight.observe` would, when it surely moves nothing; else does nothing and is False."""
    base_g, units, listed_g = cell.base_g, cell.units, facing.unit_weight_g
    if (
        base_g is None
        or not units  # an empty cell's zero is tracked, an unknown count is found
        or listed_g is None
        or not -STEADY_G <= weight_g - base_g <= STEADY_G
        or at_ms < cell.last_ms
        or cell.pending_g is not None
        or cell.swap_until_ms is not None
        or cell.astray_ms is not None
        or cell.fault
    ):
        return False
    unit_g = (listed_g * PRIOR_UNITS + cell.seen_g) / (PRIOR_UNITS + cell.seen_units)
    if not listed_g * (1 - MAX_LEARNED_SHARE) <= unit_g <= listed_g * (1 + MAX_LEARNED_SHARE):
        return False
    astray_g = weight_g - tare_of(cell, facing) - units * unit_g
    if unit_g * MAX_TOLERANCE < STEADY_G or abs(astray_g) > SURELY_WHOLE * unit_g:
        return False
    cell.last_ms = cell.base_ms = at_ms
    cell.unstable = False
    cell.base_g = weight_g
    cell.base_sd_g = max(MIN_NOISE_G, sd_g)
    return True
