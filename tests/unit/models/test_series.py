from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import TrainingDataError
from models.features import FEATURE_NAMES, inputs_from
from models.training.completejourney import shop_of_store
from models.training.examples import category_levels, examples_from, price_ratios
from models.training.series import DailySeries, joined, series_from_file, series_from_table, thinned

CSV = """store,sku,date,units,category,price
a,milk,2017-01-01,2,dairy,1.00
a,milk,2017-01-01,1,dairy,1.00
a,bread,2017-01-02,4,bakery,2.00
a,milk,2017-01-04,5,dairy,0.50
b,milk,2017-01-03,7,dairy,1.00
"""


def series_of(units: np.ndarray) -> DailySeries:
    shape = units.shape
    return DailySeries(
        date(2017, 1, 1),
        units.astype(np.float32),
        np.full(shape, np.nan, np.float32),
        np.zeros(shape[0], np.int64),
        "x",
    )


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text(CSV)
    return path


def test_missing_rows_are_zero_only_where_the_shop_was_open_and_the_item_listed(table):
    series = series_from_file(table)
    nan = np.nan
    assert series.first_day == date(2017, 1, 1)
    # Shop a was closed on the 3rd; bread is listed from the 2nd; shop b knows one day.
    expected = [[3, 0, nan, 5], [nan, 4, nan, 0], [nan, nan, 7, nan]]
    assert np.array_equal(series.units, np.array(expected, np.float32), equal_nan=True)


def test_empty_units_are_unknown(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text("store,sku,date,units\na,b,2017-01-01,3\na,b,2017-01-02,\na,b,2017-01-03,1\n")
    assert np.array_equal(series_from_file(path).units, np.float32([[3, np.nan, 1]]), equal_nan=True)


def test_a_price_holds_until_the_next(table):
    assert np.array_equal(series_from_file(table).price[0], np.float32([1, 1, 1, 0.5]))


def test_parquet_reads_as_csv_does(table, tmp_path):
    path = tmp_path / "sales.parquet"
    pq.write_table(pa.csv.read_csv(table), path)
    assert np.array_equal(series_from_file(path).units, series_from_file(table).units, equal_nan=True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("store,sku,units\na,b,1\n", "lacks the columns"),
        ("store,sku,date,units\n", "no rows"),
        ("store,sku,date,units\na,b,yesterday,1\n", "date is ISO"),
        ("store,sku,date,units\na,b,2017-01-01,many\n", "units a number"),
        ("store,sku,date,units\na,b,2017-01-01,inf\na,b,2017-01-02,1\n", "infinite units"),
        ("store,sku,date,units\na,b,,2\na,b,2017-01-02,1\n", "no date"),
        ("store,sku,date,units\na,b,2017-01-01,1\na,b,1017-01-01,1\n", "a date is probably wrong"),
        ("", "cannot read"),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(tmp_path, content, says):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(TrainingDataError, match=says):
        series_from_file(path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(TrainingDataError, match=r"cannot read .*absent.parquet"):
        series_from_file(tmp_path / "absent.parquet")


def test_thinning_keeps_the_share_and_what_is_unknown():
    units = np.full((4, 500), 9.0)
    units[0, :10] = np.nan
    kept = thinned(series_of(units), 1 / 3, seed=1).units
    assert np.nanmean(kept) == pytest.approx(3, rel=0.05)
    assert np.isnan(kept[0, :10]).all()


def test_best_sellers_are_chosen_without_foresight():
    units = np.array([[5.0] * 5 + [0] * 5, [1.0] * 5 + [99] * 5])
    assert series_of(units).best_sellers(1, before=date(2017, 1, 6)).units[0, 0] == 5


def test_joined_parts_keep_their_groups_apart():
    part = series_of(np.ones((2, 3)))
    assert list(joined([part, part]).group) == [0, 0, 1, 1]


def test_a_price_ratio_is_to_the_last_four_weeks():
    series = series_of(np.ones((1, 60)))
    series.price[0] = np.where(np.arange(60) < 30, 2.0, 1.0)
    assert price_ratios(series, np.array([0]), 30, 3)[0] == pytest.approx(0.5)
    assert np.isnan(price_ratios(series, np.array([0]), 59, 3)[0, 1:]).all()


def test_a_category_level_leaves_the_sku_itself_out():
    levels = category_levels(series_of(np.array([[2.0] * 30, [6.0] * 30, [7.0] * 30])), np.arange(3), 30)
    assert levels == pytest.approx([6.5, 4.5, 4.0])


def test_examples_are_finite_repeatable_and_of_known_days():
    units = np.random.default_rng(1).poisson(2.0, (30, 80)).astype(float)
    units[:, 40] = np.nan
    first, second = (examples_from(series_of(units), rows=2000, seed=5) for _ in range(2))
    assert np.isfinite(first.features).all()
    assert np.isfinite(first.units).all()
    assert np.array_equal(first.features, second.features)
    assert 800 < len(first.units) <= 2400


def test_stores_are_dealt_to_shops_of_equal_size():
    store = np.repeat(np.arange(40), np.random.default_rng(1).integers(1, 200, 40))
    shop = shop_of_store(store, 3)
    sizes = np.bincount(shop)
    assert sizes.max() - sizes.min() < 0.1 * sizes.mean()
    assert all(len(set(shop[store == number])) == 1 for number in range(40))


def test_hours_sold_out_become_the_share_served_and_train_on_demand_as_a_gateway_forecasts_it():
    random = np.random.default_rng(2)
    rows = []
    for day in range(60):
        for sku in ("a", "b", "c", "d", "e"):
            cut = sku == "a" and day % 2 == 0
            rows.append(
                (
                    "s",
                    sku,
                    str(np.datetime64("2024-01-01") + day),
                    random.poisson(20 * (0.6 if cut else 1)),
                    6.0 * cut,
                )
            )
    names = ("store", "sku", "date", "units", "stockout_hours")
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
    found = series_from_table(table, "t")
    assert found.served[0, 0] == pytest.approx(0.6, abs=0.1)
    assert (found.served[1:] == 1).all()
    assert found.served[0, 1::2].tolist() == [1.0] * 30
    assert found.before(found.first_day + timedelta(days=10)).served.shape == (5, 10)
    assert joined([found, thinned(found, 0.5, 1)]).served.shape == (10, 60)
    examples = examples_from(found, rows=3000, seed=1)
    sold = examples_from(replace(found, served=None), rows=3000, seed=1)
    assert len(examples.units) < len(sold.units)  # days that were cut short are no targets
    level = examples.features[:, FEATURE_NAMES.index("log_level")]
    assert np.median(level) > np.log(18)
    served = found.served[:, -56:]
    inputs = inputs_from(found.units[:, -56:], found.last_day + timedelta(days=1), served_share=served)
    assert np.nanmean(inputs.history[0]) > 1.1 * np.nanmean(found.units[0, -56:])
