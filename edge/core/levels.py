"""What was last told of each SKU's stock: a level is sent when it changes, at most once a minute unless it is zero."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from edge.core.rows import Row, Rows
from edge.core.stock import Level

MIN_INTERVAL_MS = 60_000


@dataclass(slots=True)
class LevelRow:
    on_hand_units: int | None
    on_shelf_units: int | None
    told_ms: int


class Levels:
    def __init__(self) -> None:
        self.rows: Rows[LevelRow] = Rows("level", TypeAdapter(LevelRow))

    def is_news(self, sku: str, level: Level) -> bool:
        told = self.rows.get(sku)
        if told is None:
            return level.on_hand_units is not None or level.on_shelf_units is not None
        return (told.on_hand_units, told.on_shelf_units) != (level.on_hand_units, level.on_shelf_units)

    def may_tell_ms(self, sku: str, level: Level) -> int:
        """From when the level may be told: at once when nothing is left, or when it becomes known."""
        told = self.rows.get(sku)
        if told is None or 0 in (level.on_hand_units, level.on_shelf_units):
            return 0
        if told.on_hand_units is None and level.on_hand_units is not None:
            return 0
        return told.told_ms + MIN_INTERVAL_MS

    def told(self, sku: str, level: Level, now_ms: int) -> None:
        self.rows.put(sku, LevelRow(level.on_hand_units, level.on_shelf_units, now_ms))

    def changed(self) -> list[Row]:
        return self.rows.changed()
