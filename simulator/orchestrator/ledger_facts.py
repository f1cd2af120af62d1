"""What the centre's ledger holds of stock, read from its file: no page of the API lists single facts."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """despatches: one entry a delivery row. opening_counts, stocktakes: counts that a shop made, of however many goods."""

    despatches: tuple[str, ...]
    short_deliveries: int
    opening_counts: int
    stocktakes: int
    damages: int


def ledger_facts(path: Path) -> LedgerFacts:
    """Raises sqlite3.OperationalError where there is no ledger."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as ledger:
        deliveries = ledger.execute(
            "SELECT despatch, units < expected_units FROM stock_facts WHERE fact = 'delivery' ORDER BY despatch"
        ).fetchall()
        counts = dict(
            ledger.execute(
                "SELECT fact, count(DISTINCT store_id || '/' || at_ms) FROM stock_facts"
                " WHERE fact IN ('opening', 'stocktake') GROUP BY fact"
            ).fetchall()
        )
        (damages,) = ledger.execute(
            "SELECT count(*) FROM stock_facts WHERE fact = 'adjustment' AND reason = 'damage'"
        ).fetchone()
    return LedgerFacts(
        despatches=tuple(str(despatch) for despatch, _ in deliveries),
        short_deliveries=sum(bool(short) for _, short in deliveries),
        opening_counts=counts.get("opening", 0),
        stocktakes=counts.get("stocktake", 0),
        damages=damages,
    )
