from zoneinfo import ZoneInfo

from central_rows import delivery, level, receipt, sale, window
from hypothesis import given
from hypothesis import strategies as st

from central.core.days import (
    day_after,
    day_of,
    day_start_ms,
    days_between,
    midnight_before,
    minute_of_day,
    utc_text,
)
from central.core.rollups import DAY_MS, HOUR_MS, QUARTER_MS, RollupSums
from contract.batch_reading import WindowRow
from contract.records import ReceiptRecord, SkuWindow, StockFact, StockFactKind

ZONES = [
    ZoneInfo(name)
    for name in ("America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu")
]
NEW_YORK = ZONES[0]
START_MS = 1_504_526_400_000


@given(st.integers(1_500_000_000_000, 1_600_000_000_000), st.sampled_from(ZONES))
def test_the_midnight_before_a_moment_opens_its_day(at_ms: int, zone: ZoneInfo) -> None:
    start = midnight_before(at_ms, zone)
    assert start == day_start_ms(day_of(at_ms, zone), zone)
    assert start <= at_ms < day_start_ms(day_after(day_of(at_ms, zone), 1), zone)


def test_a_day_with_a_clock_change_is_23_or_25_hours_long() -> None:
    def hours(day: str) -> float:
        return (day_start_ms(day_after(day, 1), NEW_YORK) - day_start_ms(day, NEW_YORK)) / HOUR_MS

    assert (hours("2017-03-12"), hours("2017-11-05"), hours("2017-09-04")) == (23, 25, 24)


def test_days_count_and_print() -> None:
    assert days_between("2017-02-27", "2017-03-01") == 2
    assert utc_text(START_MS) == "2017-09-04T12:00:00.000Z"
    assert minute_of_day(START_MS, NEW_YORK) == 8 * 60


def sums_of(*records: object) -> RollupSums:
    sums = RollupSums(NEW_YORK, {"sku-1", "sku-2"})
    for record in records:
        if isinstance(record, SkuWindow):
            sums.add_windows([WindowRow._make([getattr(record, name) for name in WindowRow._fields])])
        elif isinstance(record, StockFact):
            sums.add_stock_fact(record)
        elif isinstance(record, ReceiptRecord):
            sums.add_receipt(record)
    return sums


def test_a_sale_counts_once_at_every_step_and_once_for_the_store() -> None:
    rows = sums_of(receipt(1, [sale(1, 2), sale(2, 1)])).rows()
    for step in (QUARTER_MS, HOUR_MS, DAY_MS):
        assert sum(row.sold_units for (of, sku, _), row in rows.items() if of == step and sku) == 3
    total = rows[DAY_MS, "", day_start_ms("2017-09-04", NEW_YORK)]
    assert (total.receipts, total.sold_units, total.sold_cents) == (1, 3, 750)


def test_a_sale_after_midnight_belongs_to_its_business_date() -> None:
    late = day_start_ms("2017-09-05", NEW_YORK) + 60_000
    rows = sums_of(receipt(1, at_ms=late)).rows()
    assert (DAY_MS, "sku-1", day_start_ms("2017-09-04", NEW_YORK)) in rows
    assert (HOUR_MS, "sku-1", late - 60_000) in rows


def test_windows_add_picks_and_never_sales() -> None:
    rows = sums_of(window(1, picked_units=3, put_back_units=1, stock_out_ms=500)).rows()
    row = rows[HOUR_MS, "sku-1", START_MS]
    assert (row.sold_units, row.picked_units, row.stock_out_ms) == (0, 2, 500)


def test_the_last_level_of_a_bucket_stays_whatever_comes_first() -> None:
    early, late = level(1, 9), level(1, 4, at_ms=START_MS + 1000)
    for order in ((early, late), (late, early)):
        assert sums_of(*order).rows()[HOUR_MS, "sku-1", START_MS].on_hand_units == 4
    unknown = level(1, None, at_ms=START_MS + 2000)
    assert sums_of(late, unknown).rows()[HOUR_MS, "sku-1", START_MS].on_hand_units is None


def test_deliveries_and_shrink_are_told_apart() -> None:
    lost = level(1, 3, fact=StockFactKind.SHRINK, units=-2)
    row = sums_of(delivery("D-1", 12), lost).rows()[DAY_MS, "sku-1", day_start_ms("2017-09-04", NEW_YORK)]
    assert (row.delivered_units, row.shrink_units) == (12, -2)


def test_items_that_are_not_managed_have_sums_by_the_day_only() -> None:
    rows = sums_of(receipt(1, [sale(9, 2)])).rows()
    assert {(step, sku) for step, sku, _ in rows} == {(DAY_MS, "sku-9"), (DAY_MS, "")}
