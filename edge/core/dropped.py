"""The gap record of what a full outbox had to drop: how many of a kind, of which days, and what they came to."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contract.records import DayCloseRecord, GapRecord, ReceiptRecord, SkuWindow

REASON = "the outbox was full; the centre has been away for long"
_WINDOW_SUMS = ("picked_units", "put_back_units", "refilled_units", "stock_out_ms")


@dataclass(slots=True)
class Dropped:
    """Of one kind. units, cents: of receipts; the extent of other kinds stands in `sums`."""

    kind: str
    count: int = 0
    units: int = 0
    cents: int = 0
    first_ms: int = 2**62
    last_ms: int = 0
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, text: str) -> None:
        values = json.loads(text)
        self.count += 1
        at_ms = int(values["at_ms"])
        self.first_ms, self.last_ms = min(self.first_ms, at_ms), max(self.last_ms, at_ms)
        if self.kind == ReceiptRecord.kind:
            receipt = ReceiptRecord.model_validate_json(f'{{"seq":1,{text[1:]}')
            self.units += sum(line.sold_units for line in receipt.lines)
            self.cents += receipt.total_cents
        elif self.kind == SkuWindow.kind:
            for name in _WINDOW_SUMS:
                self.sums[name] = self.sums.get(name, 0) + int(values[name])

    def record(self, at_ms: int) -> GapRecord:
        is_sale = self.kind == ReceiptRecord.kind
        extent = "".join(f", {name} {total}" for name, total in self.sums.items())
        days = f"{_day(self.first_ms)} to {_day(self.last_ms)}"
        noun = "day closes" if self.kind == DayCloseRecord.kind else f"{self.kind} records"
        return GapRecord(
            seq=1, at_ms=at_ms, what=f"{self.count} {noun} of {days}{extent}"[:200], reason=REASON,
            units=self.units if is_sale else None, cents=self.cents if is_sale else None,
        )  # fmt: skip


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
