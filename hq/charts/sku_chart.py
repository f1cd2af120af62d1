"""One SKU on one time axis: small multiples under each other, one zoom, no second y-axis anywhere.

sold and forecast   bars, median line, 80 % band, lighter 95 % band
on hand             step line; deliveries as green ticks up, orders as flags
out of stock        vermillion where the shelf was empty during opening hours
no data             hatched where the gateway was silent
calendar            a box where a holiday, a promotion or the like is told of the day
price               step line
"""

from bisect import bisect_left
from collections.abc import Mapping

from contract.api.stores import SeriesPoint, SkuSeries
from hq import palette
from hq.charts import Option
from hq.charts.axis import base, datum, heading, time_axis, value_axis
from hq.charts.sku_hand import hand_series
from hq.charts.sku_scale import DAY_MS, Scale
from hq.charts.sku_sold import sold_series
from hq.charts.sku_strips import strip_axis, strip_series, told_series
from hq.words import major_units, money, span, zone_from_name

HEIGHT_PX = 576

_LEFT, _RIGHT = 68, 20
_SOLD = {"left": _LEFT, "right": _RIGHT, "top": 62, "height": 164}
_HAND = {"left": _LEFT, "right": _RIGHT, "top": 258, "height": 112}
_STRIP = {"left": _LEFT, "right": _RIGHT, "top": 384, "height": 48}
_PRICE = {"left": _LEFT, "right": _RIGHT, "top": 464, "height": 40}


def sku_chart(series: SkuSeries, told: Mapping[str, str] | None = None) -> Option:
    """The chart of one SKU in one shop. Forecasts are per day and are drawn only over daily sales.

    told: day to what the shop's calendar says of the SKU then; None: nothing is known.

    Time before the gateway was first heard is left out: a hatched month would say that something is broken.
    """
    series = series.model_copy(update={"points": _since_first_heard(series.points)})
    scale = Scale(zone_from_name(series.timezone), series.step_ms, daily=series.step_ms >= DAY_MS)
    per = "a day" if scale.daily else f"per {span(series.step_ms)}"
    option = base(aria=f"Sales, forecast, stock and price of {series.name} over time")
    option |= {
        "title": [
            heading(f"Sold and forecast, units {per}" if scale.daily else f"Sold, units {per}", 38),
            heading("On hand, deliveries and orders, units", 236),
            heading(f"Price, {series.currency}", 446),
        ],
        "legend": _legend(daily=scale.daily),
        "axisPointer": {"link": [{"xAxisIndex": "all"}], "label": {"show": False}},
        "grid": [_SOLD, _HAND, _STRIP, _PRICE],
        "xAxis": _time_axes(series, scale),
        "yAxis": [
            value_axis(0),
            value_axis(1, min=None),
            strip_axis(),
            value_axis(3, min=None, scale=True, splitNumber=1, minInterval=0),
        ],
        "dataZoom": _zooms(),
        "series": [
            *sold_series(series, scale),
            *hand_series(series, scale),
            *strip_series(series.points, scale),
            told_series(told or {}, series, scale),
            _price_series(series, scale),
        ],
    }
    return option


def _since_first_heard(points: list[SeriesPoint]) -> list[SeriesPoint]:
    first = next(
        (place for place, point in enumerate(points) if point.covered or point.sold_units), len(points)
    )
    return points[first:]


def _legend(*, daily: bool) -> Option:
    names = ["Sold", "Forecast", "80 % band", "95 % band"] if daily else ["Sold"]
    return {
        "top": 8,
        "left": 4,
        "type": "scroll",
        "itemWidth": 14,
        "itemHeight": 8,
        "itemGap": 14,
        "icon": "roundRect",
        "textStyle": {"fontSize": 12, "color": palette.QUIET},
        "data": [*names, "On hand", "Delivered", "Ordered"],
    }


def _time_axes(series: SkuSeries, scale: Scale) -> list[Option]:
    starts = [point.at_ms for point in series.points] + [
        point.at_ms for point in series.forecast if scale.daily
    ]
    limits: Option = {}
    if starts:
        limits = {"min": scale.begin(min(starts)), "max": scale.begin(max(starts)) + series.step_ms}
    axes = [time_axis(grid, labels=False, **limits) for grid in range(3)]
    return [*axes, time_axis(3, labels=True, **limits)]


def _zooms() -> list[Option]:
    axes = [0, 1, 2, 3]
    slider = {
        "type": "slider",
        "xAxisIndex": axes,
        "bottom": 8,
        "height": 18,
        "left": _LEFT,
        "right": _RIGHT,
        "showDetail": False,
        "brushSelect": False,
        "borderColor": palette.LINE,
        "fillerColor": "rgba(0,114,178,0.08)",
        "handleStyle": {"color": palette.GROUND, "borderColor": palette.HISTORY},
        "dataBackground": {"lineStyle": {"opacity": 0}, "areaStyle": {"opacity": 0}},
        "selectedDataBackground": {"lineStyle": {"opacity": 0}, "areaStyle": {"opacity": 0}},
    }
    # The wheel must go on scrolling the page: zoom with Ctrl, move by dragging.
    inside = {"type": "inside", "xAxisIndex": axes, "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": False}
    return [inside, slider]


def _price_series(series: SkuSeries, scale: Scale) -> Option:
    """The price at each step's end: a point a step, so that the tooltip names it everywhere."""
    changes = sorted(series.prices, key=lambda step: step.at_ms)
    starts = [change.at_ms for change in changes]
    prices = []
    for point in series.points:
        place = bisect_left(starts, point.at_ms + scale.step_ms) - 1
        if place >= 0:
            cents = changes[place].price_cents
            value = [scale.x(point.at_ms), major_units(cents, series.currency)]
            prices.append(datum(value, money(cents, series.currency), scale.head(point.at_ms)))
    return {
        "name": "Price",
        "type": "line",
        "step": "middle",
        "xAxisIndex": 3,
        "yAxisIndex": 3,
        "showSymbol": False,
        "lineStyle": {"width": 1.5, "color": palette.HISTORY},
        "itemStyle": {"color": palette.HISTORY},
        "data": prices,
    }
