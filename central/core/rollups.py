"""Sums per SKU over 15 minutes, 1 hour and 1 business day: a projection of the facts, rebuildable.

Sales come from receipts alone; picks and stock-outs from windows; deliveries and shrink from stock facts. The row with
SKU "" sums the store over business days and counts its receipts. Items that are not managed have sums by the day
only: a shop sells ten thousand items and looks at sixty by the quarter hour; finer sums of the others are one query of
the receipts.

Quarter hours nest in hours, and in business days as well: every zone's midnight is at a full quarter of UTC. So what a
batch says is summed by the quarter hour first, and once more for the wider steps when it is read off.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from central.core.days import day_start_ms, midnight_before
from contract.batch_reading import WindowRow
from contract.records import ReceiptRecord, StockFact, StockFactKind

QUARTER_MS, HOUR_MS, DAY_MS = 900_000, 3_600_000, 86_400_000
"""A day is named 86_400_000 though one with a DST change has an hour more or less: it starts at local midnight."""
STORE_TOTAL = ""
NO_LEVEL_MS = -1
EPOCH_ORDERS, MAX_EPOCH = 2**40, 2**22


@dataclass(slots=True)
class Sums:
    """on_hand_units: the last level heard in the bucket, at level_ms (NO_LEVEL_MS: none heard).

    level_order: where its record stands in the gateway's stream, so that of two levels of one moment the one that was told
    later stands, in which quarter hour or batch ever it came: a window ends when the next quarter hour begins.
    """

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
    level_order: int = 0

    def hear(self, on_hand_units: int | None, at_ms: int, order: int) -> None:
        """A level: it stays unless a later one is here, or one of the same moment that was told later."""
        if at_ms > self.level_ms or (at_ms == self.level_ms and order >= self.level_order):
            self.on_hand_units, self.level_ms, self.level_order = on_hand_units, at_ms, order

    def add(self, other: "Sums") -> None:
        """Adds what was told after all that is here."""
        self.receipts += other.receipts
        self.sold_units += other.sold_units
        self.sold_cents += other.sold_cents
        self.picked_units += other.picked_units
        self.delivered_units += other.delivered_units
        self.shrink_units += other.shrink_units
        self.unresolved_g += other.unresolved_g
        self.stock_out_ms += other.stock_out_ms
        self.hear(other.on_hand_units, other.level_ms, other.level_order)

    def plus(self, other: "Sums") -> "Sums":
        """A new row. Of two levels the later one stays, of two of the same moment the one told later."""
        is_newer = (other.level_ms, other.level_order) >= (self.level_ms, self.level_order)
        newer = other if is_newer else self
        return Sums(
            self.receipts + other.receipts, self.sold_units + other.sold_units, self.sold_cents + other.sold_cents,
            self.picked_units + other.picked_units, self.delivered_units + other.delivered_units,
            self.shrink_units + other.shrink_units, self.unresolved_g + other.unresolved_g,
            self.stock_out_ms + other.stock_out_ms, newer.on_hand_units, newer.level_ms,
            newer.level_order,
        )  # fmt: skip


def order_of_epoch(ordinal: int) -> int:
    """What is added to a record's seq to give its place in all that its gateway told. ordinal: 1 for the first epoch.

    A gateway that says a seq above EPOCH_ORDERS, or opens more than MAX_EPOCH epochs, mixes up its own order alone.
    """
    return min(ordinal, MAX_EPOCH) * EPOCH_ORDERS


@dataclass(slots=True)
class _Part:
    """Windows of one SKU that began in one quarter hour. window: the one that ended last, at end_ms."""

    picked_units: int
    unresolved_g: int
    stock_out_ms: int
    end_ms: int
    window: WindowRow


_Parts = dict[int, dict[str, _Part]]
"""By the quarter hour's begin and SKU."""

Key = tuple[int, str, int]
"""(step_ms, sku, at_ms of the bucket's start)."""
CategoryHour = tuple[int, str]
"""(at_ms of the hour's start, category)."""


@dataclass(slots=True)
class RollupSums:
    """Gathers increments of one store; `rows` are then added to what the ledger has.

    Windows are added in order of seq, all of an epoch or a part of it; stock facts before, between or after them.
    """

    zone: ZoneInfo
    managed: Container[str]
    epoch_order: int = 0
    """Of the epoch whose records are added now; see `order_of_epoch`."""
    _quarters: dict[tuple[str, int], Sums] = field(default_factory=dict)
    """Of (SKU, quarter hour): what belongs to the day in which the quarter hour lies."""
    _dated: dict[Key, Sums] = field(default_factory=dict)
    """Sales, which belong to the business date of their receipt, and the store's own sums."""

    @property
    def held(self) -> int:
        """How many sums of windows and stock facts are gathered."""
        return len(self._quarters)

    def give_shelf(self) -> dict[tuple[str, int], Sums]:
        """What was told of windows and stock facts, by (SKU, quarter hour); it is not here any more."""
        given, self._quarters = self._quarters, {}
        return given

    def give_sales(self) -> dict[Key, Sums]:
        given, self._dated = self._dated, {}
        return given

    def take_shelf(self, given: dict[tuple[str, int], Sums]) -> None:
        """Adds what was told after all that is here. The values are this one's from now on."""
        for key, row in given.items():
            known = self._quarters.get(key)
            if known is None:
                self._quarters[key] = row
            else:
                known.add(row)

    def take_sales(self, given: dict[Key, Sums]) -> None:
        for key, row in given.items():
            known = self._dated.get(key)
            self._dated[key] = row if known is None else known.plus(row)

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
            for row in self._dated_buckets(line.sku, receipt.at_ms, day_ms):
                row.sold_units += units
                row.sold_cents += line.extended_cents

    def add_windows(self, windows: Iterable[WindowRow]) -> dict[str, WindowRow]:
        """windows: of one epoch, in order of seq. Returns the one of each SKU that ended last; of two, the one told later."""
        # The busiest lines of the centre: one look-up a window, and what is once a SKU and quarter hour stands after the loop.
        parts: _Parts = {}
        of_quarter: dict[str, _Part] = {}
        begun_ms = -1
        for window in windows:
            _, at_ms, sku, span_ms, picked, put_back, _, unresolved_g, _, _, stock_out_ms, _ = window
            quarter_ms, end_ms = at_ms - at_ms % QUARTER_MS, at_ms + span_ms
            if quarter_ms != begun_ms:
                begun_ms, of_quarter = quarter_ms, parts.setdefault(quarter_ms, {})
            part = of_quarter.get(sku)
            if part is None:
                of_quarter[sku] = _Part(picked - put_back, unresolved_g, stock_out_ms, end_ms, window)
                continue
            part.picked_units += picked - put_back
            if unresolved_g:
                part.unresolved_g += unresolved_g
            if stock_out_ms:
                part.stock_out_ms += stock_out_ms
            if end_ms >= part.end_ms:
                part.end_ms, part.window = end_ms, window
        return self._add_parts(parts)

    def _add_parts(self, parts: "_Parts") -> dict[str, WindowRow]:
        newest: dict[str, _Part] = {}
        for quarter_ms, of_quarter in parts.items():
            for sku, part in of_quarter.items():
                row = self._quarters.get((sku, quarter_ms))
                if row is None:
                    row = self._quarters[sku, quarter_ms] = Sums()
                row.picked_units += part.picked_units
                row.unresolved_g += part.unresolved_g
                row.stock_out_ms += part.stock_out_ms
                row.hear(part.window.on_hand_units, part.end_ms, self.epoch_order + part.window.seq)
                known = newest.get(sku)
                if known is None or (part.end_ms, part.window.seq) > (known.end_ms, known.window.seq):
                    newest[sku] = part
        return {sku: part.window for sku, part in newest.items()}

    def add_stock_fact(self, fact: StockFact) -> None:
        key = (fact.sku, fact.at_ms - fact.at_ms % QUARTER_MS)
        row = self._quarters.get(key)
        if row is None:
            row = self._quarters[key] = Sums()
        if fact.fact is StockFactKind.DELIVERY:
            row.delivered_units += fact.units
        elif fact.fact is StockFactKind.SHRINK:
            row.shrink_units += fact.units
        if fact.fact is StockFactKind.LEVEL or fact.on_hand_units is not None:
            row.hear(fact.on_hand_units, fact.at_ms, self.epoch_order + fact.seq)

    def rows(self) -> dict[Key, Sums]:
        """All that was added, in each of its buckets; buckets with the same content may be one object."""
        rows = dict(self._dated)
        totals: dict[int, Sums] = {}
        days: dict[int, int] = {}
        for (sku, at_ms), row in self._quarters.items():
            day_ms = days.get(at_ms)
            if day_ms is None:
                day_ms = days[at_ms] = midnight_before(at_ms, self.zone)
                totals.setdefault(day_ms, Sums())
            keys: tuple[Key, ...] = ((DAY_MS, sku, day_ms),)
            if sku in self.managed:
                keys = (
                    (DAY_MS, sku, day_ms),
                    (HOUR_MS, sku, at_ms - at_ms % HOUR_MS),
                    (QUARTER_MS, sku, at_ms),
                )
            for key in keys:
                known = rows.get(key)
                rows[key] = row if known is None else known.plus(row)
            total = totals[day_ms]
            total.picked_units += row.picked_units
            total.delivered_units += row.delivered_units
            total.shrink_units += row.shrink_units
            total.stock_out_ms += row.stock_out_ms
        for day_ms, total in totals.items():
            known = rows.get((DAY_MS, STORE_TOTAL, day_ms))
            rows[DAY_MS, STORE_TOTAL, day_ms] = total if known is None else known.plus(total)
        return rows

    def _dated_buckets(self, sku: str, at_ms: int, day_ms: int) -> Iterable[Sums]:
        if sku in self.managed:
            for step_ms in (QUARTER_MS, HOUR_MS):
                yield self._row(step_ms, sku, at_ms - at_ms % step_ms)
        yield self._row(DAY_MS, sku, day_ms)

    def _row(self, step_ms: int, sku: str, at_ms: int) -> Sums:
        key = (step_ms, sku, at_ms)
        row = self._dated.get(key)
        if row is None:
            row = self._dated[key] = Sums()
        return row


def category_hours(
    rows: dict[Key, Sums], category_of: Callable[[str], str | None]
) -> dict[CategoryHour, Sums]:
    """The hours of `rows`, summed over the SKUs of a category. category_of: None for what has none here."""
    hours: dict[CategoryHour, Sums] = {}
    for (step_ms, sku, at_ms), row in rows.items():
        if step_ms != HOUR_MS:
            continue
        category = category_of(sku)
        if category is None:
            continue
        known = hours.get((at_ms, category))
        if known is None:
            known = hours[at_ms, category] = Sums()
        known.sold_units += row.sold_units
        known.sold_cents += row.sold_cents
        known.picked_units += row.picked_units
        known.delivered_units += row.delivered_units
        known.shrink_units += row.shrink_units
        known.stock_out_ms += row.stock_out_ms
    return hours
