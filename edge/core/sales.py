"""Receipts that are known already by their own identity: (register, business date, sequence).

A till that lost its journal starts a new boot and sends again what it still has; the envelope then looks new.
Sequences are kept as runs, so that a register's day costs a few numbers.
"""

from datetime import date, timedelta

from pydantic import TypeAdapter

from edge.core.rows import Row, Rows

KEEP_DAYS = 35


class KnownSales:
    def __init__(self) -> None:
        self.rows: Rows[list[list[int]]] = Rows("sale", TypeAdapter(list[list[int]]))

    def add(self, register: str, business_date: str, sequence: int) -> bool:
        """False when the sale is known already."""
        key = f"{business_date}|{register}"
        runs = self.rows.get(key) or []
        place = 0
        while place < len(runs) and runs[place][1] < sequence - 1:
            place += 1
        if place < len(runs) and runs[place][0] <= sequence <= runs[place][1]:
            return False
        if place < len(runs) and runs[place][1] == sequence - 1:
            runs[place][1] = sequence
        elif place < len(runs) and runs[place][0] == sequence + 1:
            runs[place][0] = sequence
        else:
            runs.insert(place, [sequence, sequence])
        if place + 1 < len(runs) and runs[place][1] + 1 == runs[place + 1][0]:
            runs[place][1] = runs.pop(place + 1)[1]
        self.rows.put(key, runs)
        return True

    def forget_before(self, day: date) -> None:
        oldest = (day - timedelta(days=KEEP_DAYS)).isoformat()
        for key in [key for key in self.rows.by_key if key[:10] < oldest]:
            self.rows.drop(key)

    def changed(self) -> list[Row]:
        return self.rows.changed()
