"""How far the levels of each bundle's forecasts are off, learned from the days that are over, kept like all other state.

What the numbers mean is known to `models.recalibration`: rows of a histogram, one row a class of SKUs. Here they are added up,
faded and saved, in the commit that marks the day as scored: a kill at any moment neither loses a day nor counts it twice.
"""

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from pydantic import TypeAdapter

from edge.core.rows import Row, Rows

Evidence: TypeAlias = tuple[tuple[float, ...], ...]
"""Rows of numbers, one a class; () says nothing."""

KEPT_A_DAY = 0.5 ** (1 / 10)
"""As models.recalibration.KEPT_A_DAY: of older evidence, each day that brings new."""
KEPT_LATELY, LATELY_NUMBERS = 0.7, 2
"""As there: so much is kept of so many numbers at the end of each row."""
MAX_BUNDLES = 4
_DIGITS = 4


@dataclass(slots=True)
class CalibrationRow:
    """days: that brought evidence. last_day: the newest of them."""

    numbers: Evidence
    days: int
    last_day: str


class Calibrations:
    """By bundle (`name@version`): each has errors of its own, also while it only runs in the shadow."""

    def __init__(self) -> None:
        self.rows: Rows[CalibrationRow] = Rows("calibration", TypeAdapter(CalibrationRow))

    def of(self, bundle: str) -> Evidence:
        row = self.rows.get(bundle)
        return row.numbers if row is not None else ()

    def all(self) -> tuple[tuple[str, Evidence], ...]:
        return tuple((bundle, row.numbers) for bundle, row in sorted(self.rows.by_key.items()))

    def after_day(self, bundle: str, day: date, evidence: Evidence) -> None:
        """Takes in a day that is over. One without evidence, or one that was taken in before, changes nothing."""
        known = self.rows.get(bundle)
        text = day.isoformat()
        if not any(any(row) for row in evidence) or (known is not None and known.last_day >= text):
            return
        # Numbers of another form are another version's: it begins anew.
        before = known.numbers if known is not None and _shape(known.numbers) == _shape(evidence) else ()
        days = known.days + 1 if known is not None and before else 1
        self.rows.put(bundle, CalibrationRow(_rounded(added(_faded(before), evidence)), days, text))
        oldest = sorted(self.rows.by_key, key=lambda name: (self.rows.by_key[name].last_day, name == bundle))
        for name in oldest[:-MAX_BUNDLES]:
            self.rows.drop(name)

    def changed(self) -> list[Row]:
        return self.rows.changed()


def added(one: Evidence, other: Evidence) -> Evidence:
    """Number by number; () adds nothing."""
    if not one or not other:
        return one or other
    return tuple(tuple(a + b for a, b in zip(*rows, strict=True)) for rows in zip(one, other, strict=True))


def _faded(numbers: Evidence) -> Evidence:
    return tuple(
        tuple(value * KEPT_A_DAY for value in row[:-LATELY_NUMBERS])
        + tuple(value * KEPT_LATELY for value in row[-LATELY_NUMBERS:])
        for row in numbers
    )


def _rounded(numbers: Evidence) -> Evidence:
    """As they are saved, so that a restart changes nothing."""
    return tuple(tuple(round(value, _DIGITS) for value in row) for row in numbers)


def _shape(numbers: Evidence) -> tuple[int, ...]:
    return tuple(len(row) for row in numbers)
