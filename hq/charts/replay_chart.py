"""A replay day by day: what was missed, wasted, ordered and held, as the rules are and as they would be changed."""

from collections.abc import Sequence
from datetime import date

from contract.api.replays import Figures, ReplayDay
from hq import palette
from hq.charts import Option
from hq.charts.axis import base, datum, heading, value_axis
from hq.words import counted, day

HEIGHT_PX = 420
_CHARTS = (
    ("Units missed", "missed_units"),
    ("Units wasted", "wasted_units"),
    ("Units ordered", "ordered_units"),
    ("Stock at the day's end, units", "stock_unit_days"),
)
_TOP, _EACH = 36, 96


def replay_chart(days: Sequence[ReplayDay]) -> Option:
    """Four small charts over one axis of days: grey as it is, blue as it would be."""
    names = [_short(one.day) for one in days]
    option = base(aria="The replay by day: as the rules are, and as they would be changed")
    option["axisPointer"] = {"link": [{"xAxisIndex": "all"}]}
    tops = [_TOP + place * _EACH for place in range(len(_CHARTS))]
    last = len(_CHARTS) - 1
    option |= {
        "legend": {"top": 0, "right": 8, "itemWidth": 14, "textStyle": {"color": palette.QUIET, "fontSize": 12}},
        "title": [heading(title, top - 14) for (title, _), top in zip(_CHARTS, tops, strict=True)],
        "grid": [{"left": 56, "right": 12, "top": top + 4, "height": _EACH - 34} for top in tops],
        "xAxis": [
            {
                "type": "category", "gridIndex": place, "data": names,
                "axisLabel": {"show": place == last, "color": palette.QUIET, "fontSize": 11, "hideOverlap": True},
                "axisLine": {"lineStyle": {"color": palette.LINE}}, "axisTick": {"show": False},
            }
            for place in range(len(_CHARTS))
        ],
        "yAxis": [value_axis(place, splitNumber=2) for place in range(len(_CHARTS))],
        "series": [
            _line(side, word, colour, place, title, field, days)
            for place, (title, field) in enumerate(_CHARTS)
            for side, word, colour in (("now", "As it is", palette.HISTORY), ("then", "Changed", palette.OURS))
        ],
    }  # fmt: skip
    return option


def _line(
    side: str, word: str, colour: str, place: int, title: str, field: str, days: Sequence[ReplayDay]
) -> Option:
    return {
        "name": word,
        "type": "line",
        "step": "middle",
        "showSymbol": len(days) < 2,
        "xAxisIndex": place,
        "yAxisIndex": place,
        "lineStyle": {"color": colour, "width": 2, "type": "solid" if side == "then" else "dashed"},
        "itemStyle": {"color": colour},
        "data": [
            datum(value, f"{title}: {counted(value, 'unit')}", day(one.day))
            for one in days
            for value in [_value(one.now if side == "now" else one.then, field)]
        ],
    }


def _value(figures: Figures, field: str) -> int:
    value: int = getattr(figures, field)
    return value


def _short(name: str) -> str:
    parsed = date.fromisoformat(name)
    return f"{parsed.day} {parsed:%b}"
