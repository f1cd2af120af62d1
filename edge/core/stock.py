"""What is on hand of each SKU, from two sides, and what is missing between them.

    with cells:     on hand = shelf (by weight, it wins for its facing) + back room (by book)
    without cells:  on hand = book
    book            = opening count + deliveries - sold + returned + adjustments

Deliveries fill the back room, refills carry goods from it to the shelf, goods that come back over the till go into it.
In a quiet hour both sides are compared: goods missing from shelf and back room are shrink; goods that were sold but
never left a cell came out of the back room. Unknown is None, never 0: without an opening count nothing is known.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.devices import Place
from edge.core.rows import Row, Rows

QUIET_MS = 2 * 3_600_000
"""Picked goods are paid within this time."""


@dataclass(slots=True)
class StockRow:
    """book_units, back_room_units: None is unknown. moved_ms: the last pick, put-back or sale."""

    book_units: int | None = None
    back_room_units: int | None = None
    moved_ms: int = 0


@dataclass(frozen=True, slots=True)
class Level:
    on_hand_units: int | None
    on_shelf_units: int | None


class Stock:
    """on_shelf is always an argument: the units by weight, None for unknown; `has_cell` says whether there is a cell."""

    def __init__(self) -> None:
        self.rows: Rows[StockRow] = Rows("stock", TypeAdapter(StockRow))

    def level(self, sku: str, on_shelf: int | None, *, has_cell: bool) -> Level:
        row = self.rows.get(sku)
        if not has_cell:
            return Level(row.book_units if row else None, None)
        if row is None or row.back_room_units is None or on_shelf is None:
            return Level(None, on_shelf)
        return Level(on_shelf + row.back_room_units, on_shelf)

    def book_units(self, sku: str) -> int | None:
        row = self.rows.get(sku)
        return row.book_units if row else None

    def sold(self, sku: str, units: int, at_ms: int) -> None:
        """units: negative for goods that came back. Goods of which nothing is known stay unknown and cost no row."""
        row = self.rows.get(sku)
        if row is None:
            return
        self.rows.touch(sku)
        if row.book_units is not None:
            row.book_units -= units
        row.moved_ms = max(row.moved_ms, at_ms)

    def returned(self, sku: str, units: int, at_ms: int) -> None:
        """Goods handed back at the till lie in the back room until someone shelves them."""
        self.sold(sku, -units, at_ms)
        row = self.rows.get(sku)
        if row is not None and row.back_room_units is not None:
            row.back_room_units += units

    def delivered(self, sku: str, units: int) -> None:
        self.adjusted(sku, units, Place.BACK_ROOM)

    def adjusted(self, sku: str, delta_units: int, place: Place) -> None:
        """A write-off from the shelf shows on the scale by itself; only the book needs telling."""
        row = self.rows.get(sku)
        if row is None:
            return
        self.rows.touch(sku)
        if row.book_units is not None:
            row.book_units += delta_units
        if place is not Place.SHELF and row.back_room_units is not None:
            row.back_room_units = max(0, row.back_room_units + delta_units)

    def refilled(self, sku: str, units: int) -> None:
        row = self._row(sku)
        if row.back_room_units is not None:
            # More than the book has there: the book was wrong, and the day's comparison says by how much.
            row.back_room_units = max(0, row.back_room_units - units)

    def moved(self, sku: str, at_ms: int) -> None:
        row = self._row(sku)
        row.moved_ms = max(row.moved_ms, at_ms)

    def counted(
        self, sku: str, place: Place, units: int, on_shelf: int | None, *, has_cell: bool
    ) -> int | None:
        """Takes a person's count in; returns counted minus known before, None when nothing was known."""
        row = self._row(sku)
        before = self.level(sku, on_shelf, has_cell=has_cell).on_hand_units
        if not has_cell or place is Place.STORE:
            row.book_units = units
            # With the shelf unknown the back room follows as soon as the scale speaks (see `shelf_counted`).
            row.back_room_units = None if on_shelf is None or not has_cell else max(0, units - on_shelf)
            return None if before is None else units - before
        if place is Place.BACK_ROOM:
            missing = None if row.back_room_units is None else units - row.back_room_units
            row.back_room_units = units
        else:
            missing = None if on_shelf is None else units - on_shelf
            on_shelf = units
        if on_shelf is not None and row.back_room_units is not None:
            row.book_units = on_shelf + row.back_room_units
        return missing

    def shelf_counted(self, sku: str, on_shelf: int | None) -> None:
        """The scale's first word on a SKU of which only the whole is known."""
        row = self.rows.get(sku)
        if row is None or on_shelf is None or row.back_room_units is not None or row.book_units is None:
            return
        row.back_room_units = max(0, row.book_units - on_shelf)
        self.rows.touch(sku)

    def reconcile(self, sku: str, on_shelf: int | None, now_ms: int) -> int:
        """Shrink in units (negative: missing) once nothing has moved for QUIET_MS, else 0. Both books agree afterwards."""
        row = self.rows.get(sku)
        level = self.level(sku, on_shelf, has_cell=True)
        if row is None or level.on_hand_units is None or now_ms - row.moved_ms < QUIET_MS:
            return 0
        assert row.back_room_units is not None
        if row.book_units is None:
            row.book_units = level.on_hand_units
            self.rows.touch(sku)
            return 0
        off = level.on_hand_units - row.book_units
        if off == 0:
            return 0
        self.rows.touch(sku)
        if off > 0:
            from_back_room = min(off, row.back_room_units)
            row.back_room_units -= from_back_room
            off -= from_back_room
        row.book_units += off
        return off

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def _row(self, sku: str) -> StockRow:
        row = self.rows.get(sku)
        if row is None:
            row = StockRow()
        self.rows.put(sku, row)
        return row
