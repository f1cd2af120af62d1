"""Sales by business day, of one shop or of several together."""

from collections import defaultdict
from datetime import date

from contract.api.stores import DayPoint
from hq import palette
from hq.charts import Option
from hq.charts.axis import base, datum, value_axis
from hq.words import counted, day, major_units, money, span

HEIGHT_PX = 220


def sales_chart(days: list[DayPoint], currencies: dict[str, str], today: str | None) -> Option:
    """Bars a day: money where all shops share a currency, else units. The running day is lighter: it is not over.

    currencies: of each shop. today: the newest business day.
    """
    wanted = {currencies.get(point.store, "") for point in days}
    currency = wanted.pop() if len(wanted) == 1 else ""
    by_day: dict[str, list[DayPoint]] = defaultdict(list)
    for point in days:
        by_day[point.day].append(point)
    names = sorted(by_day)
    option = base(aria="Sales by business day")
    option["tooltip"]["axisPointer"] = {"type": "shadow", "shadowStyle": {"color": "rgba(0,0,0,0.04)"}}
    option |= {
        "grid": {"left": 6, "right": 8, "top": 30, "bottom": 4, "containLabel": True},
        "title": {
            "text": f"Sold a day, {currency}" if currency else "Sold a day, units",
            "left": 0,
            "top": 4,
            "padding": 0,
            "textStyle": {"fontSize": 12, "fontWeight": 500, "color": palette.QUIET},
        },
        "xAxis": {
            "type": "category",
            "data": [_short_day(name) for name in names],
            "axisLabel": {"color": palette.QUIET, "fontSize": 11, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": palette.LINE}},
            "axisTick": {"show": False},
        },
        "yAxis": value_axis(),
        "series": [
            {
                "name": "Sold",
                "type": "bar",
                "barMaxWidth": 26,
                "itemStyle": {"color": palette.OURS},
                "data": [_bar(name, by_day[name], currency, running=name == today) for name in names],
            }
        ],
    }
    return option


def _bar(name: str, points: list[DayPoint], currency: str, *, running: bool) -> Option:
    units, cents = sum(point.units for point in points), sum(point.cents for point in points)
    value = major_units(cents, currency) if currency else units
    out_ms = sum(point.stock_out_ms for point in points)
    tip = ", ".join(
        [
            *([money(cents, currency)] if currency else []),
            counted(units, "unit"),
            counted(sum(point.receipts for point in points), "receipt"),
            *([f"{span(out_ms)} out of stock"] if out_ms else []),
        ]
    )
    look = {"itemStyle": {"color": palette.OURS, "opacity": 0.45}} if running else {}
    return datum(value, tip, f"{day(name)}{' (running)' if running else ''}", **look)


def _short_day(name: str) -> str:
    parsed = date.fromisoformat(name)
    return f"{parsed.day} {parsed:%b}"
