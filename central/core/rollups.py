"""Sums per SKU over 1 minute, 15 minutes, 1 hour and 1 business day: a projection of the facts, rebuildable.

Sales come from receipts alone; picks and stock-outs from windows; deliveries and shrink from stock facts. The row with
SKU "" sums the store over business days and counts its receipts. Items that are not managed have sums by the day
only: a shop sells ten thousand items and looks at sixty by the quarter hour; finer sums of the others are one query of
the receipts.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from central.core.days import day_start_ms, midnight_before
from contract.records import ReceiptRecord, SkuWindow, StockFact, StockFactKind

MINUTE_MS, QUARTER_MS, HOUR_MS, DAY_MS = 60_000, 900_000, 3_600_000, 86_400_000
"""A day is named 86_400_000 though one with a DST change has an hour more or less: it starts at local midnight."""
STORE_TOTAL = ""
NO_LEVEL_MS = -1


@dataclass(slots=True)
class Sums:
    """on_hand_units: the last level heard in the bucket, at level_ms (NO_LEVEL_MS: none heard)."""

    receipts: int = 0
    sold_units: int = 0
    sold_cents: int = 0
    picked_units: int = 0
    delivered_units: int = 0
    shrink_units: int = 0
    unresolved_g: int = 0
    stock_out_ms: int = 0
    on_hand_units: int | None = None
    level_ms: int = NO_LEVEL_MS


Key = tuple[int, str, int]
"""(step_ms, sku, at_ms of the bucket's start)."""


@dataclass(slots=True)
class RollupSums:
    """Gathers increments of one store; `rows` are then added to what the ledger has."""

    zone: ZoneInfo
    managed: Container[str]
    rows: dict[Key, Sums] = field(default_factory=dict)

    def add_receipt(self, receipt: ReceiptRecord) -> None:
        day_ms = day_start_ms(receipt.business_date, self.zone)
        total = self._row(DAY_MS, STORE_TOTAL, day_ms)
        total.receipts += 1
        total.sold_cents += receipt.total_cents
        for line in receipt.lines:
            units = line.sold_units
            total.sold_units += units
            if line.sku is None:
                continue
            for row in self._buckets(line.sku, receipt.at_ms, day_ms):
                row.sold_units += units
                row.sold_cents += line.extended_cents

    def add_window(self, window: SkuWindow) -> None:
        # The busiest lines of the centre: names are looked up once, and no call is made for each bucket.
        rows, sku, at_ms, on_hand = self.rows, window.sku, window.at_ms, window.on_hand_units
        picked = window.picked_units - window.put_back_units
        unresolved_g, stock_out_ms, end_ms = window.unresolved_g, window.stock_out_ms, at_ms + window.span_ms
        day_ms = midnight_before(at_ms, self.zone)
        keys: list[Key] = [(DAY_MS, sku, day_ms)]
        if sku in self.managed:
            keys += [(step_ms, sku, at_ms - at_ms % step_ms) for step_ms in (MINUTE_MS, QUARTER_MS, HOUR_MS)]
        for key in keys:
            row = rows.get(key)
            if row is None:
                row = rows[key] = Sums()
            row.picked_units += picked
            row.unresolved_g += unresolved_g
            row.stock_out_ms += stock_out_ms
            if end_ms >= row.level_ms:
                row.on_hand_units, row.level_ms = on_hand, end_ms
        total = self._row(DAY_MS, STORE_TOTAL, day_ms)
        total.stock_out_ms += stock_out_ms
        total.picked_units += picked

    def add_stock_fact(self, fact: StockFact) -> None:
        day_ms = midnight_before(fact.at_ms, self.zone)
        delivered = fact.units if fact.fact is StockFactKind.DELIVERY else 0
        shrink = fact.units if fact.fact is StockFactKind.SHRINK else 0
        for row in self._buckets(fact.sku, fact.at_ms, day_ms):
            row.delivered_units += delivered
            row.shrink_units += shrink
            if fact.fact is StockFactKind.LEVEL or fact.on_hand_units is not None:
                _level(row, fact.on_hand_units, fact.at_ms)
        if delivered or shrink:
            total = self._row(DAY_MS, STORE_TOTAL, day_ms)
            total.delivered_units += delivered
            total.shrink_units += shrink

    def _buckets(self, sku: str, at_ms: int, day_ms: int) -> Iterable[Sums]:
        if sku in self.managed:
            for step_ms in (MINUTE_MS, QUARTER_MS, HOUR_MS):
                yield self._row(step_ms, sku, at_ms - at_ms % step_ms)
        yield self._row(DAY_MS, sku, day_ms)

    def _row(self, step_ms: int, sku: str, at_ms: int) -> Sums:
        key = (step_ms, sku, at_ms)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Sums()
        return row


def _level(row: Sums, on_hand_units: int | None, at_ms: int) -> None:
    if at_ms >= row.level_ms:
        row.on_hand_units, row.level_ms = on_hand_units, at_ms
