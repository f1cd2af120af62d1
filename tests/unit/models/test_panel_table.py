from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from models.errors import TrainingDataError
from models.training.panel_cleaning import cleaned_units
from models.training.panel_table import panel_from_tables

FIRST = date(2024, 3, 1)


def table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist([{"store": "s1", "sku": "a", **row} for row in rows])


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def history(units: list[float | None], **more) -> list[dict]:
    return [{"date": day(n), "units": value, **more} for n, value in enumerate(units)]


NOTHING = pa.table({"date": pa.array([], pa.date32())})


def test_a_hole_in_a_table_with_zeros_is_unknown():
    rows = history([3, 0, 2, 0, 4])
    del rows[2]
    assert np.isnan(panel_from_tables(table(rows), NOTHING, 7).panel.units[0, 2])


def test_a_hole_in_a_table_of_sales_only_sold_nothing_while_the_shop_was_open():
    rows = [
        *history([3, 1, 2]),
        {"sku": "b", "date": day(0), "units": 1},
        {"sku": "b", "date": day(2), "units": 1},
    ]
    units = panel_from_tables(table(rows), NOTHING, 7).panel.units
    assert units[1].tolist() == [1, 0, 1]


def test_of_two_rows_of_a_day_the_last_counts_and_is_told():
    found = panel_from_tables(table([*history([3, 1, 2]), {"date": day(1), "units": 9}]), NOTHING, 7)
    assert found.panel.units[0].tolist() == [3, 9, 2]
    assert "1 duplicated days" in found.cleaned.lines()


def test_negatives_spikes_and_infinities_are_bounded_and_counted():
    units, cleaned = cleaned_units(np.array([[2, -3, 3, np.inf, 900, 2, 1]], np.float32), None)
    assert units[0, 1] == 0
    assert np.isnan(units[0, 3])
    assert units[0, 4] == 15 * 2
    assert {"1 negative days taken as 0", "1 infinite days taken as unknown", "1 spikes cut"} <= set(
        cleaned.lines()
    )


def test_a_sku_counted_in_another_unit_starts_anew():
    pieces, cases = [24, 30, 18, 26, 20, 31, 25, 22] * 3, [2, 1, 3, 2, 2, 1, 2, 3]
    units, cleaned = cleaned_units(np.array([pieces + cases], np.float32), None)
    assert np.isnan(units[0, : len(pieces)]).all()
    assert units[0, len(pieces) :].tolist() == cases
    assert any("another unit" in line for line in cleaned.lines())


def test_a_season_or_a_slow_item_is_no_change_of_unit():
    random = np.random.default_rng(1)
    calm = random.poisson(3 + 2 * np.sin(np.arange(200) / 30), (200, 200)).astype(np.float32)
    slow = random.poisson(0.3, (200, 200)).astype(np.float32)
    lumpy = random.negative_binomial(0.5, 0.1, (200, 200)).astype(np.float32)
    for units in (calm, slow, lumpy):
        assert not any("another unit" in line for line in cleaned_units(units, None)[1].lines())


def test_prices_that_are_nan_zero_or_negative_are_the_last_known_one():
    rows = [
        {"date": day(n), "units": 1, "price": p} for n, p in enumerate([2.0, float("nan"), 0.0, -1.0, 4.0])
    ]
    future = table([{"date": day(5), "price": float("nan")}, {"date": day(6), "price": 1.0}])
    found = panel_from_tables(table(rows), future, 2)
    price = found.panel.covariates["price"]
    assert np.allclose(np.exp(price[0]), [2, 2, 2, 2, 4, 4, 1])
    assert "4 prices unknown or not above 0" in found.cleaned.lines()


@pytest.mark.parametrize("slip", [0.02, 1e9])
def test_a_mistyped_price_is_no_price(slip):
    rows = [{"date": day(n), "units": 1, "price": slip if n == 3 else 2.0} for n in range(10)]
    found = panel_from_tables(table(rows), table([{"date": day(10), "price": slip}]), 1)
    assert np.allclose(np.exp(found.panel.covariates["price"]), 2.0)
    assert "2 prices far from the SKU's usual one, taken as unknown" in found.cleaned.lines()


def test_skus_that_only_the_future_names_are_series_without_a_history():
    future = table([{"sku": f"n{n}", "date": day(3)} for n in range(10_000)])
    found = panel_from_tables(table(history([1, 2, 3])), future, 7)
    assert found.panel.n_series == 10_001
    assert np.isnan(found.panel.units[1:]).all()


def test_a_holiday_by_name_is_a_flag_of_all_series():
    rows = [{"date": day(n), "units": 1, "holiday": h} for n, h in enumerate(["", "Easter", None])]
    future = pa.table({"date": [day(3)], "holiday": ["May Day"]})
    assert panel_from_tables(table(rows), future, 2).panel.covariates["holiday"][0, :4].tolist() == [
        0,
        1,
        0,
        1,
    ]


def test_categories_are_words_and_codes_by_shop_and_over_all_shops():
    rows = [
        {"store": f"s{shop}", "sku": f"k{sku}", "date": day(0), "units": 1, "dept": "food" if sku < 4 else "toys",
         "city_id": shop // 2, "grade": sku % 2, "weight": 0.5}
        for shop in range(6) for sku in range(8)
    ]  # fmt: skip
    groups = panel_from_tables(table(rows), NOTHING, 7).panel.groups
    assert list(groups) == ["store", "grade", "store_grade", "sku", "city_id_sku"]
    assert len(np.unique(groups["store_grade"])) == 12
    assert len(np.unique(groups["city_id_sku"])) == 24


def test_a_category_that_parts_nothing_or_everything_is_no_group():
    rows = [{"sku": f"k{n}", "date": day(0), "units": 1, "name": f"n{n}", "chain": "c"} for n in range(9)]
    assert list(panel_from_tables(table(rows), NOTHING, 7).panel.groups) == ["store"]


def test_hours_sold_out_are_learned_as_a_share_of_the_day():
    random = np.random.default_rng(2)
    rows = []
    for sku in range(40):
        for n in range(60):
            hours = int(random.integers(0, 2) * 8)
            sold = random.poisson(12 * (1 - 0.5 * (hours > 0)))
            rows.append({"sku": f"k{sku}", "date": day(n), "units": float(sold), "stockout_hours": hours})
    served = panel_from_tables(table(rows), NOTHING, 7).panel.served
    assert served is not None
    assert set(np.unique(served.round(1)).tolist()) == {0.5, 1.0}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (pa.table({"store": ["s"], "sku": ["a"], "date": [FIRST]}), "units"),
        (pa.table({"store": ["s"], "sku": ["a"], "date": ["soon"], "units": [1]}), "date is ISO"),
        (pa.table({"store": ["s"], "sku": ["a"], "date": [FIRST], "units": ["many"]}), "units"),
        (table(history([1])).slice(0, 0), "no rows"),
        (table([{"date": date(1900, 1, 1), "units": 1}, {"date": day(0), "units": 1}]), "limit is 3660"),
        (table([{"sku": None, "date": day(0), "units": 1}]), "no sku"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_reason(broken, told):
    with pytest.raises(TrainingDataError, match=told):
        panel_from_tables(broken, NOTHING, 7)


def test_what_of_the_tables_says_nothing_is_told():
    rows = [{"date": day(n), "units": 1, "price": 2.0, "rain": 0.1} for n in range(5)]
    future = [{"date": day(n), "price": 2.0, "tide": 1.0} for n in (5, 6, 40)]
    told = panel_from_tables(table(rows), table(future), 2).ignored
    assert any("rain: only the history has them" in line for line in told)
    assert any("tide: only what is known ahead has them" in line for line in told)
    assert any(line.startswith("1 of 3 rows known ahead") for line in told)
    assert not panel_from_tables(table(rows), table(rows).slice(0, 0), 2).ignored


def test_a_row_without_a_store_is_named_with_its_table():
    rows = [{"date": day(n), "units": 1} for n in range(3)]
    broken = table(rows).append_column("x", pa.array([1, 2, 3]))
    broken = broken.set_column(broken.column_names.index("store"), "store", pa.array(["s", None, None]))
    with pytest.raises(TrainingDataError, match="history: 2 rows have no store, the first is row 2"):
        panel_from_tables(broken, broken.slice(0, 0), 1)


@pytest.mark.filterwarnings("error")
def test_units_that_no_shop_sells_are_unknown_without_a_warning():
    rows = [{"date": day(n), "units": 1e300 if n == 2 else 3.0} for n in range(5)]
    found = panel_from_tables(table(rows), table(rows).slice(0, 0), 1)
    assert np.isnan(found.panel.units[0, 2])
    assert "1 infinite days taken as unknown" in found.cleaned.lines()


def test_what_is_known_ahead_of_some_days_only_is_told():
    rows = [
        *history([3, 0, 2, 0, 4], price=2.0),
        *[{"sku": "b", **row} for row in history([1, 0, 1, 0, 1], price=1.0)],
    ]
    whole = [{"sku": sku, "date": day(5 + n), "price": 2.0} for sku in "ab" for n in range(7)]
    assert panel_from_tables(table(rows), table(whole), 7).ignored == ()
    (said,) = panel_from_tables(table(rows), table(whole[:9]), 7).ignored
    assert (
        said
        == "5 of the 14 days of a series to forecast have no row in what is known ahead: nothing is known of them"
    )
    of_all = pa.table({"date": [day(5), day(6)], "price": [2.0, 2.0]})
    (said,) = panel_from_tables(table(rows), of_all, 7).ignored
    assert said.startswith("5 of the 7 days to forecast")


def test_a_column_that_holds_no_numbers_is_named_with_its_table():
    with pytest.raises(TrainingDataError, match=r"history, column units: .*must hold numbers"):
        panel_from_tables(
            pa.table({"store": ["s"], "sku": ["a"], "date": [day(0)], "units": ["x"]}), NOTHING, 7
        )
