"""Which loads are in the books already: a load that is noted at the centre and scanned at the dock counts once.

The dock's count wins: its first scan of a load replaces what the note said, later scans of the same load add to it.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter

from edge.core.rows import Row, Rows

MAX_ROWS = 10_000
"""Loads × SKUs: months of them. Beyond, the oldest tenth goes; the centre sends no note of a load older than 30 days."""


@dataclass(slots=True)
class LoadRow:
    """Of one SKU in one load. noted_units: in the books by the note alone. scanned: the dock has counted it."""

    noted_units: int
    scanned: bool
    at_ms: int


class Despatches:
    def __init__(self) -> None:
        self.rows: Rows[LoadRow] = Rows("load", TypeAdapter(LoadRow))

    def noted(self, despatch: str, sku: str, units: int, at_ms: int) -> bool:
        """Whether the books must take the noted units in: neither the note nor the dock has brought them yet."""
        key = _key(despatch, sku)
        if key in self.rows.by_key:
            return False
        self._put(key, LoadRow(units, scanned=False, at_ms=at_ms))
        return True

    def scanned(self, despatch: str, sku: str, units: int, at_ms: int) -> tuple[int, bool]:
        """(units that the books must take in, whether a note had brought some of them before)."""
        key = _key(despatch, sku)
        row = self.rows.get(key)
        noted = 0 if row is None else row.noted_units
        self._put(key, LoadRow(0, scanned=True, at_ms=at_ms))
        return units - noted, row is not None and not row.scanned

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def _put(self, key: str, row: LoadRow) -> None:
        self.rows.put(key, row)
        if len(self.rows.by_key) > MAX_ROWS:
            by_age = sorted(self.rows.by_key, key=lambda each: (self.rows.by_key[each].at_ms, each))
            for each in by_age[: MAX_ROWS // 10]:
                self.rows.drop(each)


def _key(despatch: str, sku: str) -> str:
    return f"{sku}/{despatch}"
