"""The books of a till's day: what the till says of it, and what the ledger holds of it."""

from dataclasses import dataclass

from contract.records import ReceiptRecord

DayKey = tuple[str, str]
"""(business date, register)."""


@dataclass(frozen=True, slots=True)
class Totals:
    """cents: of receipts, which may be negative where more was returned than sold."""

    receipts: int = 0
    lines: int = 0
    units: int = 0
    grams: int = 0
    cents: int = 0


@dataclass(slots=True)
class TillSums:
    """Of receipts of one till's day, in any order; each is added once.

    first_number, last_number: the lowest and the highest of their numbers, None before the first receipt.
    """

    receipts: int = 0
    lines: int = 0
    units: int = 0
    grams: int = 0
    cents: int = 0
    first_number: int | None = None
    last_number: int | None = None

    def add(self, receipt: ReceiptRecord) -> None:
        number = receipt.sequence
        self.receipts += 1
        self.lines += len(receipt.lines)
        self.units += sum([line.sold_units for line in receipt.lines])
        self.grams += sum([line.sold_g for line in receipt.lines])
        self.cents += receipt.total_cents
        self.first_number = number if self.first_number is None else min(self.first_number, number)
        self.last_number = number if self.last_number is None else max(self.last_number, number)


@dataclass(frozen=True, slots=True)
class TillDay:
    """told: by the till when it closed the day; None while the day is open. A till that closed without a sale counts too."""

    store: str
    register: str
    business_date: str
    held: Totals
    told: Totals | None
    first_number: int | None
    last_number: int | None

    @property
    def is_balanced(self) -> bool:
        """In receipts, lines, units and cents; grams are the scale's, and no till's day hangs on them."""
        told = self.told
        return told is not None and _compared(told) == _compared(self.held)

    @property
    def missing_numbers(self) -> int:
        """Between the first and the last number, those of which there is no receipt."""
        if self.first_number is None or self.last_number is None:
            return 0
        return self.last_number - self.first_number + 1 - self.held.receipts


def _compared(totals: Totals) -> tuple[int, int, int, int]:
    return totals.receipts, totals.lines, totals.units, totals.cents
