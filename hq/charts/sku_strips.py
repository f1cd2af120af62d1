"""Three strips under the charts of a SKU: when its shelf was empty, when the gateway was silent, and what the calendar says of days."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from contract.api.stores import SeriesPoint, SkuSeries
from hq import palette
from hq.charts import Option
from hq.charts.axis import datum
from hq.charts.sku_scale import DAY_MS, Scale
from hq.words import local, span

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


def strip_axis() -> Option:
    return {
        "type": "category",
        "gridIndex": 2,
        "data": ["no data", "shelf empty", "calendar"],
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "axisLabel": {"color": palette.QUIET, "fontSize": 10, "interval": 0},
    }


def told_series(told: Mapping[str, str], series: SkuSeries, scale: Scale) -> Option:
    """The calendar's row: a box for each day of the chart of which it says something. told: day to words."""
    instants = [point.at_ms for point in series.points]
    instants += [point.at_ms for point in series.forecast if scale.daily]
    first_of: dict[date, int] = {}
    for at_ms in instants:
        first_of.setdefault(local(at_ms, scale.zone).date(), at_ms)
    data = []
    for day, at_ms in first_of.items():
        words = told.get(day.isoformat())
        if words:
            begin = int(datetime.combine(day, time(), UTC).timestamp() * 1000)  # the axis shows walls as UTC
            data.append(datum([begin + DAY_MS // 2, begin, begin + DAY_MS, 2], words, scale.head(at_ms)))
    return {
        "type": "custom", "xAxisIndex": 2, "yAxisIndex": 2, "encode": {"x": 0, "y": 3}, "clip": True, "name": "Calendar",
        "data": data, "itemStyle": {"color": palette.FORECAST}, ":renderItem": _STRIP_JS % "false",
    }  # fmt: skip


def strip_series(points: list[SeriesPoint], scale: Scale) -> list[Option]:
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
