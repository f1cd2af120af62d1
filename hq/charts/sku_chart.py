"""One SKU on one time axis: small multiples under each other, one zoom, no second y-axis anywhere.

sold and forecast   bars, median line, 80 % band, lighter 95 % band
on hand             step line; deliveries as green ticks up, orders as flags
out of stock        vermillion where the shelf was empty during opening hours
no data             hatched where the gateway was silent
price               step line
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import tzinfo

from contract.api.stores import ForecastPoint, OrderFlag, SeriesPoint, SkuSeries
from contract.records import QUANTILE_LEVELS
from hq import palette
from hq.charts import Option
from hq.charts.axis import axis_ms, base, datum, heading, time_axis, value_axis
from hq.words import (
    UNKNOWN,
    counted,
    instant,
    local,
    major_units,
    money,
    number,
    span,
    trigger_state,
    zone_from_name,
)

HEIGHT_PX = 560
DAY_MS = 86_400_000

_LEFT, _RIGHT = 68, 20
_SOLD = {"left": _LEFT, "right": _RIGHT, "top": 62, "height": 164}
_HAND = {"left": _LEFT, "right": _RIGHT, "top": 258, "height": 112}
_STRIP = {"left": _LEFT, "right": _RIGHT, "top": 384, "height": 32}
_PRICE = {"left": _LEFT, "right": _RIGHT, "top": 448, "height": 40}

_Q = {level: place for place, level in enumerate(QUANTILE_LEVELS)}
_STRIP_JS = """(params, api) => {
  const from = api.coord([api.value(1), api.value(3)]), to = api.coord([api.value(2), api.value(3)]);
  const box = params.coordSys, h = api.size([0, 1])[1] - 3;
  const x0 = Math.max(from[0], box.x), x1 = Math.min(to[0], box.x + box.width);
  if (x1 <= box.x || x0 >= box.x + box.width) return;
  const rect = {x: x0, y: from[1] - h / 2, width: Math.max(x1 - x0, 2), height: h};
  if (%s) {
    const lines = [];
    for (let x = rect.x - h; x < rect.x + rect.width; x += 6) {
      const a = Math.max(x, rect.x), b = Math.min(x + h, rect.x + rect.width);
      if (b > a) lines.push({type: 'line', shape: {x1: a, y1: rect.y + h - (a - x), x2: b, y2: rect.y + h - (b - x)},
        style: {stroke: api.visual('color'), lineWidth: 1}});
    }
    return {type: 'group', children: [{type: 'rect', shape: rect, style: {fill: 'rgba(0,0,0,0.03)'}}, ...lines]};
  }
  return {type: 'rect', shape: rect, style: api.style()};
}"""
"""Draws [from, to) as a box in its row; hatched where the colour alone would say too little."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where instants stand on the axis, and how they read."""

    zone: tzinfo
    step_ms: int
    daily: bool

    def begin(self, at_ms: int) -> int:
        return axis_ms(at_ms, self.zone)

    def x(self, at_ms: int) -> int:
        """The middle of the step: all values of a step share one place, so that one tooltip names them all."""
        return self.begin(at_ms) + self.step_ms // 2

    def head(self, at_ms: int) -> str:
        if not self.daily:
            return instant(at_ms, self.zone)
        moment = local(at_ms, self.zone)
        return f"{moment:%a} {moment.day} {moment:%b %Y}"


def sku_chart(series: SkuSeries) -> Option:
    """The chart of one SKU in one shop. Forecasts are per day and are drawn only over daily sales.

    Time before the gateway was first heard is left out: a hatched month would say that something is broken.
    """
    series = series.model_copy(update={"points": _since_first_heard(series.points)})
    scale = _Scale(zone_from_name(series.timezone), series.step_ms, daily=series.step_ms >= DAY_MS)
    per = "a day" if scale.daily else f"per {span(series.step_ms)}"
    option = base(aria=f"Sales, forecast, stock and price of {series.name} over time")
    option |= {
        "title": [
            heading(f"Sold and forecast, units {per}" if scale.daily else f"Sold, units {per}", 38),
            heading("On hand, deliveries and orders, units", 236),
            heading(f"Price, {series.currency}", 430),
        ],
        "legend": _legend(daily=scale.daily),
        "axisPointer": {"link": [{"xAxisIndex": "all"}], "label": {"show": False}},
        "grid": [_SOLD, _HAND, _STRIP, _PRICE],
        "xAxis": _time_axes(series, scale),
        "yAxis": [
            value_axis(0),
            value_axis(1, min=None),
            _strip_axis(),
            value_axis(3, min=None, scale=True, splitNumber=1, minInterval=0),
        ],
        "dataZoom": _zooms(),
        "series": [
            *_sold_series(series, scale),
            *_hand_series(series, scale),
            *_strip_series(series.points, scale),
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


def _time_axes(series: SkuSeries, scale: _Scale) -> list[Option]:
    starts = [point.at_ms for point in series.points] + [
        point.at_ms for point in series.forecast if scale.daily
    ]
    limits: Option = {}
    if starts:
        limits = {"min": scale.begin(min(starts)), "max": scale.begin(max(starts)) + series.step_ms}
    axes = [time_axis(grid, labels=False, **limits) for grid in range(3)]
    return [*axes, time_axis(3, labels=True, **limits)]


def _strip_axis() -> Option:
    return {
        "type": "category",
        "gridIndex": 2,
        "data": ["no data", "shelf empty"],
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "axisLabel": {"color": palette.QUIET, "fontSize": 10, "interval": 0},
    }


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


def _sold_series(series: SkuSeries, scale: _Scale) -> list[Option]:
    bars = [
        datum(
            [scale.x(point.at_ms), point.sold_units],
            f"{counted(point.sold_units, 'unit')}, {money(point.sold_cents, series.currency)}",
            scale.head(point.at_ms),
        )
        if point.covered or point.sold_units
        else datum([scale.x(point.at_ms), None], UNKNOWN, scale.head(point.at_ms))
        for point in series.points
    ]
    forecast = series.forecast if scale.daily else []
    sold = {
        "name": "Sold",
        "type": "bar",
        "data": bars,
        "itemStyle": {"color": palette.OURS},
        "barMaxWidth": 18,
        "barMinHeight": 0,
    }
    median = {
        "name": "Forecast",
        "type": "line",
        "showSymbol": len(forecast) < 2,
        "lineStyle": {"width": 2, "color": palette.FORECAST},
        "itemStyle": {"color": palette.FORECAST},
        "z": 4,
        "data": [
            datum(
                [scale.x(point.at_ms), point.quantiles[_Q[0.5]]],
                f"{number(point.quantiles[_Q[0.5]], 1)} median, {number(point.mean, 1)} mean",
                scale.head(point.at_ms),
            )
            for point in forecast
        ],
    }
    return [
        *_band("95 % band", 0.025, 0.975, 0.16, forecast, scale),
        *_band("80 % band", 0.1, 0.9, 0.34, forecast, scale),
        sold,
        median,
    ]


def _band(
    name: str, low: float, high: float, opacity: float, points: list[ForecastPoint], scale: _Scale
) -> list[Option]:
    """Two stacked lines: an unseen floor at the low quantile, and the filled distance to the high one."""
    common = {"type": "line", "stack": name, "symbol": "none", "lineStyle": {"opacity": 0}, "z": 1}
    floor = [datum([scale.x(point.at_ms), point.quantiles[_Q[low]]]) for point in points]
    span_ = [
        datum(
            [scale.x(point.at_ms), round(point.quantiles[_Q[high]] - point.quantiles[_Q[low]], 3)],
            f"{number(point.quantiles[_Q[low]], 1)} to {number(point.quantiles[_Q[high]], 1)}",
            scale.head(point.at_ms),
        )
        for point in points
    ]
    fill = {"color": palette.FORECAST, "opacity": opacity}
    return [
        {**common, "name": f"{name} floor", "data": floor, "silent": True},
        {
            **common,
            "name": name,
            "data": span_,
            "areaStyle": fill,
            "itemStyle": {"color": palette.FORECAST, "opacity": opacity},
        },
    ]


def _hand_series(series: SkuSeries, scale: _Scale) -> list[Option]:
    """Each step shows what was on hand at its end; deliveries stand in the same units, orders as flags on the ground."""
    on_hand = [
        datum(
            [scale.x(point.at_ms), point.on_hand_units],
            UNKNOWN if point.on_hand_units is None else counted(point.on_hand_units, "unit"),
            scale.head(point.at_ms),
        )
        for point in series.points
    ]
    delivered = [
        datum(
            [scale.x(point.at_ms), point.delivered_units],
            counted(point.delivered_units, "unit"),
            scale.head(point.at_ms),
        )
        for point in series.points
        if point.delivered_units
    ]
    return [
        {
            "name": "On hand",
            "type": "line",
            "step": "middle",
            "xAxisIndex": 1,
            "yAxisIndex": 1,
            "showSymbol": False,
            "connectNulls": False,
            "lineStyle": {"width": 2, "color": palette.INK},
            "itemStyle": {"color": palette.INK},
            "data": on_hand,
        },
        {
            "name": "Delivered",
            "type": "bar",
            "xAxisIndex": 1,
            "yAxisIndex": 1,
            "barWidth": 4,
            "itemStyle": {"color": palette.OK},
            "data": delivered,
        },
        {
            "name": "Ordered",
            "type": "scatter",
            "xAxisIndex": 1,
            "yAxisIndex": 1,
            "symbol": "path://M0 0 L0 14 L1.6 14 L1.6 8 L10 4.2 L1.6 0 Z",
            "symbolSize": [11, 16],
            "symbolOffset": [5, -8],
            "itemStyle": {"color": palette.WARNING, "borderColor": palette.INK, "borderWidth": 0.5},
            "z": 5,
            "data": _flags(series, scale),
        },
    ]


def _flags(series: SkuSeries, scale: _Scale) -> list[Option]:
    """One flag a step, which names all its orders; orders outside the shown time are left out."""
    by_step: dict[int, list[OrderFlag]] = defaultdict(list)
    starts = [point.at_ms for point in series.points]
    for order in sorted(series.orders, key=lambda order: order.at_ms):
        place = bisect_right(starts, order.at_ms) - 1
        if place >= 0 and order.at_ms < starts[place] + scale.step_ms:
            by_step[starts[place]].append(order)
    return [
        datum([scale.x(start), 0], "; ".join(_order_text(order) for order in orders), scale.head(start))
        for start, orders in by_step.items()
    ]


def _order_text(order: OrderFlag) -> str:
    return f"{counted(order.quantity_units, 'unit')}, {trigger_state(order.state).word}"


def _strip_series(points: list[SeriesPoint], scale: _Scale) -> list[Option]:
    """The shelf's two rows: 1 empty shelf (the darker the longer), 0 nothing heard."""
    empty, silent = [], []
    for point in points:
        begin = scale.begin(point.at_ms)
        box = [scale.x(point.at_ms), begin, begin + scale.step_ms]
        if point.stock_out_ms:
            share = min(1.0, 3 * point.stock_out_ms / scale.step_ms)
            look = {"color": palette.ERROR, "opacity": round(0.35 + 0.65 * share, 2)}
            tip = f"{span(point.stock_out_ms)} of opening time"
            empty.append(datum([*box, 1], tip, scale.head(point.at_ms), itemStyle=look))
        if not point.covered:
            silent.append(datum([*box, 0], "the gateway was silent", scale.head(point.at_ms)))
    common = {"type": "custom", "xAxisIndex": 2, "yAxisIndex": 2, "encode": {"x": 0, "y": 3}, "clip": True}
    return [
        {
            **common,
            "name": "Out of stock",
            "data": empty,
            "itemStyle": {"color": palette.ERROR},
            ":renderItem": _STRIP_JS % "false",
        },
        {
            **common,
            "name": "No data",
            "data": silent,
            "itemStyle": {"color": palette.HISTORY},
            ":renderItem": _STRIP_JS % "true",
        },
    ]


def _price_series(series: SkuSeries, scale: _Scale) -> Option:
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


def coverage(series: SkuSeries) -> tuple[int, int] | None:
    """(days whose sales lay in the 80 % band, days that had a forecast and are over); None without such a day."""
    if series.step_ms < DAY_MS or not series.points:
        return None
    sold = {point.at_ms: point.sold_units for point in series.points[:-1] if point.covered}
    judged = [
        point.quantiles[_Q[0.1]] <= sold[point.at_ms] <= point.quantiles[_Q[0.9]]
        for point in series.forecast
        if point.at_ms in sold
    ]
    return (sum(judged), len(judged)) if judged else None
