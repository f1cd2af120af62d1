import sqlite3
from datetime import date

import pyarrow.parquet as pq
import pytest

from contract.calendar import Calendar
from contract.ids import gtin14_from_text
from simulator import journey, journey_promotions, journey_receipts
from simulator.catalogue import MAX_CAPACITY_UNITS, MIN_CAPACITY_UNITS, ShopFile, local_day, midnight_ms
from simulator.orchestrator.chain_setup import put_calendars


def _rows(path, sql):
    with sqlite3.connect(path) as file:
        return file.execute(sql).fetchall()


def test_every_line_of_goods_lands_in_exactly_one_shop(journey_source, shop_paths):
    table = pq.read_table(journey_source / "transactions.parquet").to_pylist()
    first, end = midnight_ms(date(2017, 9, 4)), midnight_ms(date(2017, 9, 8))
    times = (
        pq.read_table(journey_source / "transactions.parquet")["transaction_timestamp"]
        .cast("timestamp[ms]")
        .cast("int64")
    )
    expected = sum(
        first <= at_ms < end and row["product_id"] < 5000 and (row["quantity"] > 0 or row["sales_value"] > 0)
        for row, at_ms in zip(table, times.to_pylist(), strict=True)
    )
    assert sum(_rows(path, "SELECT count(*) FROM lines")[0][0] for path in shop_paths) == expected


def test_a_basket_is_in_one_shop_with_one_member_and_one_time(shop_paths):
    baskets = [row[0] for path in shop_paths for row in _rows(path, "SELECT basket FROM baskets")]
    assert len(baskets) == len(set(baskets)) > 100


def test_stores_are_dealt_so_that_shops_are_about_equal():
    placed = journey.partition_stores({store: 10 + store for store in range(40)}, 3)
    loads = [sum(10 + store for store, shop in placed.items() if shop == number) for number in range(3)]
    assert max(loads) - min(loads) <= 49
    assert placed == journey.partition_stores({store: 10 + store for store in reversed(range(40))}, 3)


def test_odd_lines_are_dropped_or_clamped_and_counted(shop_paths):
    lines = [
        row
        for path in shop_paths
        for row in _rows(path, "SELECT * FROM lines WHERE basket = 99001 ORDER BY sku")
    ]
    assert [(sku, quantity) for _, sku, quantity, *_ in lines] == [
        ("1001", 1),
        ("1002", journey_receipts.MAX_QUANTITY),
    ]
    _, _, _, regular, discount, coupon = lines[1]
    assert (regular, discount, coupon) == (
        10_000,
        100,
        9_900,
    )  # the maker's coupon never exceeds what is left
    meta = dict(_rows(shop_paths[0], "SELECT * FROM meta"))
    counted = {name: int(meta[name]) for name in meta if name.startswith(("dropped", "changed"))}
    assert counted == {
        "dropped_lines_not_goods": 2,
        "dropped_lines_empty": 1,
        "changed_lines_quantity_zero": 1,
        "changed_lines_quantity_high": 1,
    }


def test_cells_are_chosen_by_the_training_part_alone(shop_paths, journey_source, tmp_path, monkeypatch):
    monkeypatch.setattr(journey_receipts, "data_folder", lambda: journey_source)
    other = journey.prepare_shops(tmp_path, shops=2, first_day=date(2017, 9, 6), days=1)
    ranks = "SELECT sku, cell_rank FROM items WHERE cell_rank IS NOT NULL ORDER BY cell_rank"
    assert _rows(other[0], ranks) == _rows(shop_paths[0], ranks)


def test_history_ends_the_day_before_the_first(shop_paths):
    days = _rows(shop_paths[0], "SELECT min(day), max(day) FROM history")
    assert days == [("2017-01-01", "2017-09-03")]


def test_gtins_are_of_the_demonstration_prefix_with_a_right_check_digit():
    assert journey.gtin_of(1082185) == gtin14_from_text(journey.gtin_of(1082185))
    assert journey.gtin_of(1082185).lstrip("0").startswith("952")


@pytest.mark.parametrize(
    ("shops", "first", "days", "word"),
    [
        (0, date(2017, 9, 4), 3, "shops"),
        (3, date(2017, 9, 4), 101, "days"),
        (3, date(2017, 8, 1), 3, "replay part"),
        (3, date(2017, 12, 31), 3, "replay part"),
    ],
)
def test_a_request_outside_the_data_is_refused_by_name(tmp_path, shops, first, days, word):
    with pytest.raises(journey_receipts.JourneyError, match=word):
        journey.prepare_shops(tmp_path, shops=shops, first_day=first, days=days)


def test_the_documents_of_a_shop_are_valid_and_agree(shop):
    items, planogram = shop.items_document(), shop.planogram_document(with_swap=True)
    managed = {item.sku for item in items.items if item.managed}
    assert {facing.sku for facing in planogram.facings} == managed == {cell.sku for cell in shop.cells}
    assert {row.sku for row in shop.history_document().rows} == managed
    assert all(len(row.units) == 120 for row in shop.history_document().rows)
    assert all(
        MIN_CAPACITY_UNITS <= facing.capacity_units <= MAX_CAPACITY_UNITS for facing in planogram.facings
    )
    assert shop.swap is not None
    swapped = [facing for facing in planogram.facings if facing.from_ms == shop.swap.at_ms]
    assert {facing.sku for facing in swapped} == {
        shop.cells[shop.swap.first].sku,
        shop.cells[shop.swap.second].sku,
    }


def test_baskets_come_in_order_of_time_with_their_lines(shop):
    baskets = list(shop.baskets())
    assert [basket.at_ms for basket in baskets] == sorted(basket.at_ms for basket in baskets)
    assert all(basket.lines for basket in baskets)
    assert sum(len(basket.lines) for basket in baskets) == _rows_of(shop)


def _rows_of(shop: ShopFile) -> int:
    return shop._file.execute("SELECT count(*) FROM lines").fetchone()[0]


def test_a_business_day_begins_at_five_utc():
    midnight = midnight_ms(date(2017, 9, 4))
    assert local_day(midnight) == "2017-09-04"
    assert local_day(midnight - 1) == "2017-09-03"
    assert midnight % 86_400_000 == 5 * 3_600_000


def test_the_shops_do_not_depend_on_how_the_file_is_cut(journey_source, shop_paths, tmp_path, monkeypatch):
    monkeypatch.setattr(journey_receipts, "data_folder", lambda: journey_source)
    monkeypatch.setattr(journey_receipts, "BATCH_ROWS", 97)
    other = journey.prepare_shops(tmp_path, shops=2, first_day=date(2017, 9, 4), days=4)
    for table in ("items", "baskets", "lines", "history", "meta"):
        sql = (
            f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4"
            if table in ("lines", "items")
            else f"SELECT * FROM {table} ORDER BY 1, 2"
        )
        assert _rows(other[0], sql) == _rows(shop_paths[0], sql)


def test_what_the_mailer_showed_in_most_stores_is_promoted_at_what_the_receipts_took_off(
    journey_source, shop
):
    weeks = {promotion.from_day: promotion for promotion in shop.promotions()}
    assert sorted(weeks) == ["2017-07-17", "2017-09-04"]
    assert {sku for promotion in weeks.values() for sku in promotion.skus} == {"1000"}
    now = weeks["2017-09-04"]
    assert (now.until_day, now.name) == ("2017-09-10", "Mailer, week 36")
    table = pq.read_table(journey_source / "transactions.parquet")
    times = table["transaction_timestamp"].cast("timestamp[ms]").cast("int64").to_pylist()
    columns = (table[name].to_pylist() for name in ("product_id", "quantity", "retail_disc", "sales_value"))
    monday, next_monday = midnight_ms(date(2017, 9, 4)), midnight_ms(date(2017, 9, 11))
    mine = [
        (discount, value)
        for at_ms, product, quantity, discount, value in zip(times, *columns, strict=True)
        if product == 1000 and quantity > 0 and monday <= at_ms < next_monday
    ]
    off = sum(discount for discount, _ in mine)
    percent = round(100 * off / sum(sum(row) for row in mine) / 5) * 5
    assert percent > 0
    assert now.discount_percent == percent


def test_the_centre_is_told_of_promotions_and_holidays_around_the_replayed_days(shop):
    told: dict[str, dict] = {}

    class Admin:
        def put(self, path: str, body: dict) -> None:
            told[path] = body

    put_calendars(Admin(), [shop])
    chain, own = told["/v1/calendar"], told[f"/v1/stores/{shop.shop}/calendar"]
    assert [day["name"] for day in chain["days"]] == ["Independence Day", "Labor Day"]
    assert "promotions" not in chain
    made = Calendar.model_validate(own)
    assert (made.from_day, made.until_day) == ("2017-07-03", "2017-10-06")
    assert made.promotions == shop.promotions()
    assert all(made.from_day <= each.from_day for each in made.promotions)


def test_weeks_run_from_monday_to_sunday_as_the_receipts_count_them():
    for day, week in ((date(2017, 1, 2), 2), (date(2017, 1, 8), 2), (date(2017, 12, 31), 53)):
        assert journey_promotions.week_of(day) == week
    assert journey_promotions.first_day_of(37) == date(2017, 9, 4)
