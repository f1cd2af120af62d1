"""Two strips under the charts of a SKU: when its shelf was empty, and when the gateway was silent."""

from contract.api.stores import SeriesPoint
from hq import palette
from hq.charts import Option
from hq.charts.axis import datum
from hq.charts.sku_scale import Scale
from hq.words import span

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
        "data": ["no data", "shelf empty"],
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "axisLabel": {"color": palette.QUIET, "fontSize": 10, "interval": 0},
    }


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
