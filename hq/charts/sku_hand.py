"""What was on hand of a SKU, with its deliveries and orders."""

from bisect import bisect_right
from collections import defaultdict

from contract.api.stores import OrderFlag, SkuSeries
from hq import palette
from hq.charts import Option
from hq.charts.axis import datum
from hq.charts.sku_scale import Scale
from hq.words import UNKNOWN, counted, trigger_state


def hand_series(series: SkuSeries, scale: Scale) -> list[Option]:
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


def _flags(series: SkuSeries, scale: Scale) -> list[Option]:
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
