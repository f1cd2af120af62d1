"""The charts' options, without a browser."""

import json

import pytest
from fake_central import FakeCentral
from fake_shops import DAY_MS, MIDNIGHT_MS, NOW_MS
from hypothesis import given
from hypothesis import strategies as st

from contract.api.stores import ForecastPoint, OrderFlag, PriceStep, SeriesPoint, SkuSeries
from hq import palette
from hq.charts.axis import axis_ms, time_axis
from hq.charts.funnel_chart import funnel_chart
from hq.charts.sales_chart import sales_chart
from hq.charts.sku_chart import sku_chart
from hq.charts.sku_sold import coverage
from hq.charts.sparkline import sparkline_svg
from hq.words import zone_from_name

NEW_YORK = zone_from_name("America/New_York")
QUANTILES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]


def point(day: int, **more: object) -> SeriesPoint:
    fields = {
        "sold_units": 3,
        "sold_cents": 900,
        "on_hand_units": 10,
        "picked_units": 3,
        "delivered_units": 0,
        "stock_out_ms": 0,
        "covered": True,
    }
    return SeriesPoint(at_ms=MIDNIGHT_MS + day * DAY_MS, **(fields | more))


def series(points: list[SeriesPoint], **more: object) -> SkuSeries:
    fields = {
        "store": "s1",
        "sku": "1",
        "name": "Milk",
        "currency": "USD",
        "timezone": "America/New_York",
        "step_ms": DAY_MS,
        "forecast": [],
        "orders": [],
        "prices": [],
    }
    return SkuSeries(points=points, **(fields | more))


def forecast(day: int) -> ForecastPoint:
    return ForecastPoint(day="2025-05-03", at_ms=MIDNIGHT_MS + day * DAY_MS, mean=4.2, quantiles=QUANTILES)


def by_name(option: dict) -> dict:
    return {one["name"]: one for one in option["series"]}


def test_the_chart_is_plain_json_with_one_time_axis_and_no_second_value_axis():
    option = sku_chart(FakeCentral().series("s367", "900001", NOW_MS - 28 * DAY_MS, NOW_MS, "1d"))
    json.dumps(option, allow_nan=False)
    assert [axis["gridIndex"] for axis in option["xAxis"]] == [0, 1, 2, 3]
    assert [axis["gridIndex"] for axis in option["yAxis"]] == [0, 1, 2, 3], "each grid has one value axis"
    assert len({(axis["min"], axis["max"]) for axis in option["xAxis"]}) == 1, "all charts show the same time"
    assert option["dataZoom"][0]["xAxisIndex"] == [0, 1, 2, 3], "one zoom moves all"


def test_a_band_is_stacked_from_its_low_to_its_high_quantile():
    names = by_name(sku_chart(series([point(-1), point(0)], forecast=[forecast(0), forecast(1)])))
    assert [item["value"][1] for item in names["80 % band floor"]["data"]] == [2.0, 2.0]
    assert [item["value"][1] for item in names["80 % band"]["data"]] == [4.0, 4.0]
    assert [item["value"][1] for item in names["95 % band floor"]["data"]] == [1.0, 1.0]
    assert names["95 % band"]["areaStyle"]["opacity"] < names["80 % band"]["areaStyle"]["opacity"]
    assert names["80 % band"]["data"][0]["tip"] == "2.0 to 6.0"
    assert names["Forecast"]["data"][0]["value"][1] == 4.0


def test_unknown_stock_leaves_a_gap_and_is_not_zero():
    names = by_name(sku_chart(series([point(-2), point(-1, on_hand_units=None), point(0, on_hand_units=0)])))
    assert [item["value"][1] for item in names["On hand"]["data"]] == [10, None, 0]
    assert names["On hand"]["data"][1]["tip"] == "–"
    assert names["On hand"]["connectNulls"] is False


def test_a_silent_day_is_hatched_and_has_no_bar():
    names = by_name(sku_chart(series([point(-2), point(-1, covered=False, sold_units=0), point(0)])))
    assert [item["value"][1] for item in names["Sold"]["data"]] == [3, None, 3]
    assert [item["value"][3] for item in names["No data"]["data"]] == [0]


def test_time_before_the_gateway_was_heard_is_left_out():
    names = by_name(
        sku_chart(
            series(
                [
                    point(-3, covered=False, sold_units=0),
                    point(-2, covered=False, sold_units=0),
                    point(-1),
                    point(0),
                ]
            )
        )
    )
    assert len(names["Sold"]["data"]) == 2
    assert names["No data"]["data"] == []


def test_a_stock_out_is_vermillion_and_says_how_long():
    names = by_name(sku_chart(series([point(-1, stock_out_ms=7_200_000), point(0)])))
    (strip,) = names["Out of stock"]["data"]
    assert strip["itemStyle"]["color"] == palette.ERROR
    assert strip["tip"] == "2 h of opening time"
    begin, end = strip["value"][1:3]
    assert end - begin == DAY_MS


def test_orders_of_a_step_share_one_flag_that_names_each():
    orders = [
        OrderFlag(at_ms=MIDNIGHT_MS + hour * 3_600_000, trigger=f"t{hour}", quantity_units=12, state="sent")
        for hour in (1, 5)
    ]
    late = OrderFlag(at_ms=MIDNIGHT_MS + 9 * DAY_MS, trigger="t", quantity_units=1, state="sent")
    names = by_name(sku_chart(series([point(-1), point(0)], orders=[*orders, late])))
    (flag,) = names["Ordered"]["data"]
    assert flag["tip"] == "12 units, sent; 12 units, sent"


def test_the_price_is_the_one_in_force_at_a_steps_end():
    prices = [
        PriceStep(at_ms=MIDNIGHT_MS - 9 * DAY_MS, price_cents=349),
        PriceStep(at_ms=MIDNIGHT_MS + 3_600_000, price_cents=299),
    ]
    names = by_name(sku_chart(series([point(-1), point(0)], prices=prices)))
    assert [item["value"][1] for item in names["Price"]["data"]] == [3.49, 2.99]


def test_all_values_of_a_step_stand_at_one_place():
    names = by_name(
        sku_chart(series([point(-1, delivered_units=5, stock_out_ms=9), point(0)], forecast=[forecast(-1)]))
    )
    places = {
        names[name]["data"][0]["value"][0]
        for name in ("Sold", "Forecast", "On hand", "Delivered", "Out of stock")
    }
    assert len(places) == 1


def test_hours_show_no_daily_forecast_but_as_many_series():
    hours = (
        FakeCentral()
        .series("s367", "900001", NOW_MS - 2 * DAY_MS, NOW_MS, "1h")
        .model_copy(update={"forecast": [forecast(0)]})
    )
    days = FakeCentral().series("s367", "900001", NOW_MS - 2 * DAY_MS, NOW_MS, "1d")
    assert by_name(sku_chart(hours))["Forecast"]["data"] == []
    assert len(sku_chart(hours)["series"]) == len(sku_chart(days)["series"]), (
        "an update keeps the zoom only then"
    )


def test_an_empty_series_is_a_chart_without_data():
    option = sku_chart(series([]))
    json.dumps(option)
    assert all(not one["data"] for one in option["series"])


@given(at_ms=st.integers(min_value=0, max_value=4_000_000_000_000))
def test_the_axis_shows_the_wall_clock(at_ms):
    from datetime import UTC, datetime

    wall = datetime.fromtimestamp(axis_ms(at_ms, NEW_YORK) / 1000, UTC)
    assert wall.strftime("%F %T") == datetime.fromtimestamp(at_ms / 1000, NEW_YORK).strftime("%F %T")


def test_coverage_counts_only_past_days_that_had_a_forecast():
    points = [point(-2, sold_units=5), point(-1, sold_units=30), point(0, sold_units=4)]
    assert coverage(series(points, forecast=[forecast(-2), forecast(-1), forecast(0), forecast(1)])) == (1, 2)
    assert coverage(series(points)) is None


def test_sales_are_money_where_the_currency_is_one_and_units_where_it_is_not():
    days = FakeCentral().days()
    one = sales_chart(days, {"s367": "USD", "s406": "USD", "s31862": "USD"}, "2025-05-03")
    two = sales_chart(days, {"s367": "USD", "s406": "CAD", "s31862": "USD"}, "2025-05-03")
    assert one["title"]["text"] == "Sold a day, USD"
    assert two["title"]["text"] == "Sold a day, units"
    last = [point for point in days if point.day == "2025-05-03"]
    assert one["series"][0]["data"][-1]["value"] == sum(point.cents for point in last) / 100
    assert two["series"][0]["data"][-1]["value"] == sum(point.units for point in last)


def test_the_running_day_is_lighter_and_says_so():
    bars = sales_chart(FakeCentral().days(), {}, "2025-05-03")["series"][0]["data"]
    assert bars[-1]["head"] == "Sat 3 May (running)"
    assert bars[-1]["itemStyle"]["opacity"] < 1
    assert "itemStyle" not in bars[-2]


def test_sales_of_no_shop_is_a_chart_without_bars():
    assert sales_chart([], {}, "")["series"][0]["data"] == []


def test_a_funnel_shows_every_stage_from_one_zero_line():
    option = funnel_chart(FakeCentral().campaigns()[0])
    assert option["yAxis"]["data"] == ["Audience", "Issued", "Delivered", "Redeemed", "Reversed", "Refused"]
    assert [item["value"] for item in option["series"][0]["data"]] == [412, 180, 176, 31, 1, 2]
    assert option["series"][0]["data"][3]["tip"] == "31, 17 % of the issued"


def test_the_tooltip_escapes_what_comes_from_other_systems():
    option = sales_chart(FakeCentral().days(), {}, "2025-05-03")
    assert "clean(p.data.tip)" in option["tooltip"][":formatter"]
    assert "clean(head)" in option["tooltip"][":formatter"]


def test_a_shops_first_day_is_one_narrow_bar_at_the_right():
    assert 'x="82.3"' in sparkline_svg([120.0])
    assert 'width="11.7"' in sparkline_svg([120.0])


def test_a_day_on_the_axis_names_its_month():
    assert time_axis(0, labels=True)["axisLabel"]["formatter"]["day"] == "{d} {MMM}"


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0, 5.0, 3.0], [-2.0, 4.0]])
def test_a_sparkline_has_a_bar_a_value(values):
    assert sparkline_svg(values).count("<rect") == len(values)
