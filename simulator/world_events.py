"""What happens in a shop, as facts that its devices notice. Times are UTC milliseconds."""

from dataclasses import dataclass

from contract.devices import AdjustmentReason, DeliveryLine, Place, ReceiptLine, StocktakeLine


@dataclass(frozen=True, slots=True)
class CellTouched:
    """The load of cell number `place` (in the shop's order) went from one weight to another; without the tray."""

    at_ms: int
    place: int
    before_g: float
    after_g: float


@dataclass(frozen=True, slots=True)
class CellsRead:
    """Time for every cell to say what it carries: `loads_g` in the shop's order."""

    at_ms: int
    loads_g: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ReceiptRung:
    at_ms: int
    till: str
    member: str
    lines: tuple[ReceiptLine, ...]


@dataclass(frozen=True, slots=True)
class DayEnded:
    """Midnight: the tills close `business_date`."""

    at_ms: int
    business_date: str


@dataclass(frozen=True, slots=True)
class DeliveryTaken:
    at_ms: int
    despatch: str
    lines: tuple[DeliveryLine, ...]


@dataclass(frozen=True, slots=True)
class StockCounted:
    at_ms: int
    place: Place
    opening: bool
    lines: tuple[StocktakeLine, ...]


@dataclass(frozen=True, slots=True)
class GoodsWrittenOff:
    at_ms: int
    gtin: str
    delta_units: int
    place: Place
    reason: AdjustmentReason


WorldEvent = CellTouched | CellsRead | ReceiptRung | DayEnded | DeliveryTaken | StockCounted | GoodsWrittenOff
