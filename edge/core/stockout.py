"""Stock-out time: opening time during which a SKU's facing is empty, handed out in pieces of a quarter of an hour."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from edge.core.day import ShopCalendar
from edge.core.rows import Row, Rows

PIECE_MS = 15 * 60_000


@dataclass(slots=True)
class EmptyRow:
    """since_ms: when the facing became empty. counted_to_ms: up to where the time has been handed out."""

    since_ms: int
    counted_to_ms: int


@dataclass(frozen=True, slots=True)
class StockOutPiece:
    sku: str
    from_ms: int
    to_ms: int
    open_ms: int


class StockOuts:
    def __init__(self) -> None:
        self.rows: Rows[EmptyRow] = Rows("empty", TypeAdapter(EmptyRow))

    def is_empty(self, sku: str) -> bool:
        return sku in self.rows.by_key

    def since_ms(self, sku: str) -> int | None:
        row = self.rows.get(sku)
        return row.since_ms if row else None

    def set_empty(self, sku: str, at_ms: int) -> None:
        if sku not in self.rows.by_key:
            self.rows.put(sku, EmptyRow(at_ms, at_ms))

    def set_filled(self, sku: str, at_ms: int, calendar: ShopCalendar | None) -> list[StockOutPiece]:
        """The last pieces; the facing has goods again, or is unknown."""
        row = self.rows.get(sku)
        if row is None:
            return []
        pieces = self._pieces(sku, row, at_ms, calendar, whole_only=False)
        self.rows.drop(sku)
        return pieces

    def advance(self, now_ms: int, calendar: ShopCalendar | None) -> list[StockOutPiece]:
        """The whole pieces that have passed since the last call."""
        found: list[StockOutPiece] = []
        for sku in sorted(self.rows.by_key):
            found.extend(self._pieces(sku, self.rows.by_key[sku], now_ms, calendar, whole_only=True))
        return found

    def next_due_ms(self) -> int | None:
        return min((_piece_end(row.counted_to_ms) for row in self.rows.by_key.values()), default=None)

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def _pieces(
        self, sku: str, row: EmptyRow, to_ms: int, calendar: ShopCalendar | None, *, whole_only: bool
    ) -> list[StockOutPiece]:
        pieces: list[StockOutPiece] = []
        while row.counted_to_ms < to_ms:
            end_ms = _piece_end(row.counted_to_ms)
            if end_ms > to_ms:
                if whole_only:
                    break
                end_ms = to_ms
            open_ms = calendar.open_ms(row.counted_to_ms, end_ms) if calendar else 0
            if open_ms:
                pieces.append(StockOutPiece(sku, row.counted_to_ms, end_ms, open_ms))
            row.counted_to_ms = end_ms
            self.rows.touch(sku)
        return pieces


def _piece_end(from_ms: int) -> int:
    return from_ms - from_ms % PIECE_MS + PIECE_MS
