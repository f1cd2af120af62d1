"""Units sold a day of each SKU: from receipts since this gateway listens, from the history document before.

Unknown is NaN, never 0: days on which the shop was closed, nothing was heard, or the facing was empty all day.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import TypeAdapter

from edge.core.lean import LeanHistory
from edge.core.rows import Row, Rows

HISTORY_DAYS = 56
KEEP_DAYS = 63
EMPTY_ALL_DAY = 0.9
"""Share of the opening time; a SKU that was sold out for this long and sold nothing says nothing about demand."""
NAN = float("nan")


@dataclass(slots=True)
class SkuDayRow:
    """units: net of voids, returns left out. empty_ms: opening time with an empty facing."""

    units: int = 0
    empty_ms: int = 0


class Demand:
    """Rows are kept per SKU and day, so that a receipt saves only what it sold."""

    def __init__(self) -> None:
        self.rows: Rows[SkuDayRow] = Rows("sold", TypeAdapter(SkuDayRow))
        self.heard: Rows[int] = Rows("heard", TypeAdapter(int))
        """Business day -> receipts heard."""
        self._revisions: dict[str, int] = {}

    def past_revision(self, today: date) -> int:
        """Changes whenever a day before `today` does: a receipt may come a day late."""
        text = today.isoformat()
        return sum(count for day, count in self._revisions.items() if day < text)

    def sold(self, sku: str, day: str, units: int) -> None:
        row = self._row(sku, day)
        row.units += units

    def was_empty(self, sku: str, day: str, empty_ms: int) -> None:
        self._row(sku, day).empty_ms += empty_ms
        self._revise(day)

    def heard_receipt(self, day: str) -> None:
        self.heard.put(day, self.heard.by_key.get(day, 0) + 1)
        self._revise(day)

    def forget_before(self, day: date) -> None:
        """Drops days that no forecast uses."""
        oldest = (day - timedelta(days=KEEP_DAYS)).isoformat()
        for key in [key for key in self.rows.by_key if key[:10] < oldest]:
            self.rows.drop(key)
        for key in [key for key in self.heard.by_key if key < oldest]:
            self.heard.drop(key)
            self._revisions.pop(key, None)

    def histories(
        self,
        skus: list[str],
        before: date,
        document: LeanHistory | None,
        open_ms_by_day: dict[date, int],
    ) -> list[list[float]]:
        """One list of HISTORY_DAYS values a SKU, the last one the day before `before`.

        open_ms_by_day: opening time of each day of the history, 0 where closed.
        """
        days = [before - timedelta(days=back) for back in range(HISTORY_DAYS, 0, -1)]
        texts = [day.isoformat() for day in days]
        seeds = _seeds(document)
        first_live = date.fromisoformat(document.first_live_day) if document else None
        found = []
        for sku in skus:
            seed = seeds.get(sku)
            values = []
            for day, text in zip(days, texts, strict=True):
                if text in self.heard.by_key:
                    values.append(self._live(sku, text, open_ms_by_day.get(day, 0)))
                elif seed is not None and first_live is not None and day < first_live:
                    back = (first_live - day).days
                    unit = seed[-back] if back <= len(seed) else None
                    values.append(NAN if unit is None else float(unit))
                else:
                    values.append(NAN)
            found.append(values)
        return found

    def changed(self) -> list[Row]:
        return self.rows.changed() + self.heard.changed()

    def _revise(self, day: str) -> None:
        self._revisions[day] = self._revisions.get(day, 0) + 1

    def _live(self, sku: str, day: str, open_ms: int) -> float:
        row = self.rows.by_key.get(f"{day}|{sku}")
        if row is None:
            return 0.0
        if row.units <= 0 and open_ms and row.empty_ms >= EMPTY_ALL_DAY * open_ms:
            return NAN
        return float(max(row.units, 0))

    def _row(self, sku: str, day: str) -> SkuDayRow:
        key = f"{day}|{sku}"
        row = self.rows.get(key)
        if row is None:
            row = SkuDayRow()
        self.rows.put(key, row)
        return row


def seeded_shares(document: LeanHistory | None, before: date, days: int) -> dict[str, tuple[float, ...]]:
    """SKU -> share of each day's demand that the shelf could serve, as `document` tells of days before its first live one.

    `days` values, the last one the day before `before`; 1 where nothing is told. SKUs of which nothing is told are left out.
    """
    if document is None:
        return {}
    live_days = (before - date.fromisoformat(document.first_live_day)).days
    found = {}
    for row in document.rows:
        if row.served_percent is None or live_days < 0:
            continue
        told = [1.0 if percent is None else percent / 100 for percent in row.served_percent]
        shares = ([1.0] * days + told + [1.0] * live_days)[-days:]
        if min(shares) < 1:
            found[row.sku] = tuple(shares)
    return found


def _seeds(document: LeanHistory | None) -> dict[str, list[int | None]]:
    return {row.sku: row.units for row in document.rows} if document else {}
