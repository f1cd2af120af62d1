"""Whether a bundle is fit for a shop, by what it would have forecast of days that have passed."""

from dataclasses import dataclass

from contract.records import QUANTILE_LEVELS

MIN_ROWS = 50
"""Fewer SKU-days say nothing about coverage."""
MIN_COVERAGE_95 = 0.8
"""Of the central 95 % band. Bands of counts over-cover, so that less than this is far off."""
MIN_UNITS = 30
MAX_BIAS_FACTOR = 4.0
"""The sum of the means may be so many times what was sold, or less, by as many times."""


@dataclass(frozen=True, slots=True)
class Realised:
    """Sums over SKU-days: see contract.records.ModelScore. problem: "" or what no forecast may be."""

    rows: int
    units: float
    mean_units: float
    pinball: float
    inside_95: int
    problem: str = ""


def wql(pinball: float, units: float) -> float | None:
    """Weighted quantile loss over QUANTILE_LEVELS, None when nothing was sold. Lower is better."""
    return 2 * pinball / (len(QUANTILE_LEVELS) * units) if units > 0 else None


def unfit(found: Realised, reference: Realised | None, *, worse_by: float) -> str:
    """Why the bundle must not be used, "" when nothing speaks against it.

    reference: the bundle before on the same days. worse_by: how many times its WQL may be the reference's.
    """
    if found.problem:
        return found.problem
    if found.rows < MIN_ROWS:
        return ""
    coverage = found.inside_95 / found.rows
    if coverage < MIN_COVERAGE_95:
        return (
            f"coverage: {coverage:.0%} of {found.rows} realised SKU-days lie in its 95 % band;"
            f" at least {MIN_COVERAGE_95:.0%} must"
        )
    if found.units >= MIN_UNITS and not (
        found.units / MAX_BIAS_FACTOR <= found.mean_units <= found.units * MAX_BIAS_FACTOR
    ):
        return f"range: it expected {found.mean_units:.0f} units where {found.units:.0f} were sold"
    mine = wql(found.pinball, found.units)
    theirs = wql(reference.pinball, reference.units) if reference is not None else None
    enough = reference is not None and reference.rows >= MIN_ROWS
    if enough and mine is not None and theirs is not None and mine > worse_by * theirs:
        return f"its WQL is {mine:.3f}, the bundle before has {theirs:.3f} on the same days"
    return ""
