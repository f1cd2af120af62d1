"""What the charts share: local time on the axis, the tooltip, text styles."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from hq import palette
from hq.charts import Option

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

TOOLTIP_JS = """(params) => {
  const list = Array.isArray(params) ? params : [params];
  const clean = (text) => String(text).replace(/[&<>"']/g, (c) => '&#' + c.charCodeAt(0) + ';');
  const rows = list.filter((p) => p.data && p.data.tip);
  if (!rows.length) return '';
  const head = rows.map((p) => p.data.head).find((text) => text) || rows[0].axisValueLabel || rows[0].name || '';
  return '<b>' + clean(head) + '</b>' + rows.map((p) =>
    '<div style="display:flex;gap:16px;justify-content:space-between"><span>' + p.marker + clean(p.seriesName) +
    '</span><span style="font-variant-numeric:tabular-nums">' + clean(p.data.tip) + '</span></div>').join('');
}"""
"""Shows each datum's own `tip`, written in Python; text is escaped, for names come from other systems."""


def axis_ms(at_ms: int, zone: tzinfo) -> int:
    """`at_ms` moved so that an axis in UTC shows the shop's wall clock, whatever the browser's zone is.

    In the hour that a zone repeats in autumn two instants share a place; sums stay right, for nothing is added here.
    """
    wall = datetime.fromtimestamp(at_ms / 1000, zone)
    return int(wall.replace(tzinfo=UTC).timestamp() * 1000)


def datum(value: Any, tip: str = "", head: str = "", **more: Any) -> Option:
    """One point with what the tooltip says of it."""
    point: Option = {"value": value}
    if tip:
        point["tip"] = tip
    if head:
        point["head"] = head
    return point | more


def base(*, aria: str) -> Option:
    """Options of every chart. aria: what a screen reader says."""
    return {
        "animation": False,
        "useUTC": True,
        "aria": {"enabled": True, "label": {"description": aria}},
        "textStyle": {"fontFamily": FONT, "color": palette.INK},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": palette.GROUND,
            "borderColor": palette.LINE,
            "borderWidth": 1,
            "shadowBlur": 0,
            "extraCssText": "box-shadow:none;",
            "textStyle": {"fontSize": 12, "color": palette.INK},
            "axisPointer": {"type": "line", "lineStyle": {"color": palette.HISTORY, "type": "solid"}},
            ":formatter": TOOLTIP_JS,
        },
    }


def heading(text: str, top: int | str, left: int | str = 8) -> Option:
    """The small title of one chart among several."""
    return {
        "text": text,
        "top": top,
        "left": left,
        "padding": 0,
        "textStyle": {"fontSize": 12, "fontWeight": 500, "color": palette.QUIET},
    }


def value_axis(grid: int = 0, **more: Any) -> Option:
    return {
        "type": "value",
        "gridIndex": grid,
        "min": 0,
        "minInterval": 1,
        "splitNumber": 3,
        "axisLabel": {"color": palette.QUIET, "fontSize": 11},
        "splitLine": {"lineStyle": {"color": palette.LINE}},
        **more,
    }


_DATES: Option = {
    "formatter": {
        "year": "{d} {MMM} {yyyy}",
        "month": "{d} {MMM}",
        "day": "{d} {MMM}",
        "hour": "{HH}:{mm}",
        "minute": "{HH}:{mm}",
    }
}
"""A day names its month: a bare 5 is a number among numbers."""


def time_axis(grid: int, *, labels: bool, **more: Any) -> Option:
    return {
        "type": "time",
        "gridIndex": grid,
        "axisLabel": {"show": labels, "color": palette.QUIET, "fontSize": 11, "hideOverlap": True} | _DATES,
        "axisLine": {"lineStyle": {"color": palette.LINE}},
        "axisTick": {"show": labels, "lineStyle": {"color": palette.LINE}},
        "splitLine": {"show": False},
        # Else a chart with few bars makes its axis wider than its neighbours', and the charts stop being one.
        "containShape": False,
        **more,
    }
