"""Many units of one SKU that leave the shelf at once, and whether anybody paid for them."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.rules import SuspiciousRemoval
from edge.core.rows import Row, Rows
from edge.core.windows import Windows

REMOVAL = "suspicious-removal"


@dataclass(slots=True)
class RemovalRow:
    """unpaid_units: of those removed, neither sold nor put back since."""

    unpaid_units: int
    since_ms: int


class Removals:
    """Removals that are open, by SKU."""

    def __init__(self) -> None:
        self.rows: Rows[RemovalRow] = Rows("removal", TypeAdapter(RemovalRow))

    def picked(
        self,
        rule: SuspiciousRemoval,
        windows: Windows,
        sku: str,
        units: int,
        price_cents: int | None,
        at_ms: int,
    ) -> int | None:
        """The units taken within the rule's time when they are too many, None otherwise.

        price_cents None: unknown, the units alone decide.
        """
        known = self.rows.get(sku)
        if known is not None:
            known.unpaid_units += units
            self.rows.touch(sku)
            return None
        taken = windows.net_picked_units(sku, at_ms - rule.within_s * 1000, at_ms)
        if taken < rule.units or (price_cents is not None and taken * price_cents < rule.value_cents):
            return None
        self.rows.put(sku, RemovalRow(taken, at_ms))
        return taken

    def settled(self, sku: str, units: int) -> bool:
        """Units were paid or put back; True when nothing of the removal is left."""
        row = self.rows.get(sku)
        if row is None or units <= 0:
            return False
        row.unpaid_units -= units
        self.rows.touch(sku)
        if row.unpaid_units > 0:
            return False
        self.rows.drop(sku)
        return True

    def overdue(self, rule: SuspiciousRemoval, now_ms: int) -> list[tuple[str, int]]:
        """(SKU, unpaid units) of those open for longer than the rule says; they are forgotten."""
        limit_ms = now_ms - rule.clear_min * 60_000
        found = [
            (sku, row.unpaid_units) for sku, row in sorted(self.rows.by_key.items()) if row.since_ms <= limit_ms
        ]  # fmt: skip
        for sku, _ in found:
            self.rows.drop(sku)
        return found

    def changed(self) -> list[Row]:
        return self.rows.changed()
