"""Since when goods that expire are in the shop: the last deliveries of each SKU with a shelf life, the oldest sold first."""

from datetime import date

from pydantic import TypeAdapter

from edge.core.reach import Aged
from edge.core.rows import Row, Rows

MAX_DELIVERIES = 8

Deliveries = list[tuple[int, int]]
"""(day of delivery as its ordinal, units), oldest first."""


class Ages:
    def __init__(self) -> None:
        self.rows: Rows[Deliveries] = Rows("ages", TypeAdapter(Deliveries))

    def delivered(self, sku: str, day: date, units: int) -> None:
        """units: may be negative, a delivery that is taken back."""
        known = dict(self.rows.get(sku) or [])
        known[day.toordinal()] = known.get(day.toordinal(), 0) + units
        kept = sorted((at, count) for at, count in known.items() if count > 0)[-MAX_DELIVERIES:]
        if kept:
            self.rows.put(sku, kept)
        else:
            self.rows.drop(sku)

    def of(self, sku: str, on_hand: int, life_days: int | None, today: date, share_left: float) -> Aged:
        """What is on hand by when it expires. Customers take the oldest: what is left came last.

        More than the known deliveries is as old as the oldest of them; without any its age is unknown.
        """
        deliveries = self.rows.get(sku)
        if life_days is None or on_hand <= 0 or not deliveries:
            return ((None, float(on_hand)),)
        left, found = on_hand, []
        for at, units in reversed(deliveries):
            taken = min(left, units)
            if taken:
                found.append((_days_left(at, life_days, today, share_left), float(taken)))
            left -= taken
        if left:
            found.append((_days_left(deliveries[0][0], life_days, today, share_left), float(left)))
        return tuple(found)

    def forget(self, skus: set[str]) -> None:
        """Those that no longer expire here."""
        for sku in skus & set(self.rows.by_key):
            self.rows.drop(sku)

    def changed(self) -> list[Row]:
        return self.rows.changed()


def _days_left(delivered: int, life_days: int, today: date, share_left: float) -> float:
    """A unit serves `life_days` days, that of its delivery included."""
    return max(0.0, delivered + life_days - today.toordinal() - 1 + share_left)
