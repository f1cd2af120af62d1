"""The books side by side: what the tills say of a day, and what the ledger holds of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.api.stores import Accounting, Balance, DayBalance

DayKey = tuple[str, str, str]
"""(store, register, business date)."""


@dataclass(frozen=True, slots=True)
class Totals:
    receipts: int = 0
    lines: int = 0
    units: int = 0
    cents: int = 0


def balance_books(
    tills: Mapping[DayKey, Totals], ledger: Mapping[DayKey, Totals], declared_gaps: int
) -> Accounting:
    """Balanced only when every closed day agrees in receipts, lines, units and cents. A till that closed without a sale counts too."""
    days = [_day_balance(key, tills[key], ledger.get(key, Totals())) for key in sorted(tills)]
    return Accounting(
        balanced=all(day.balanced for day in days),
        receipts=_sum([day.receipts for day in days]),
        lines=_sum([day.lines for day in days]),
        units=_sum([day.units for day in days]),
        cents=_sum([day.cents for day in days]),
        declared_gaps=declared_gaps,
        days=days,
        open_days=len(set(ledger) - set(tills)),
    )


def _day_balance(key: DayKey, till: Totals, ledger: Totals) -> DayBalance:
    store, register, day = key
    return DayBalance(
        store=store,
        register_id=register,
        business_date=day,
        receipts=Balance(tills=till.receipts, ledger=ledger.receipts),
        lines=Balance(tills=till.lines, ledger=ledger.lines),
        units=Balance(tills=till.units, ledger=ledger.units),
        cents=Balance(tills=till.cents, ledger=ledger.cents),
        balanced=till == ledger,
    )


def _sum(parts: list[Balance]) -> Balance:
    return Balance(tills=sum(part.tills for part in parts), ledger=sum(part.ledger for part in parts))
