"""A chart on a page: drawn once, then changed in place, so that it neither flickers nor loses the reader's zoom."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from hq import palette
from hq.charts import Option

_FROM_STYLES = "getComputedStyle(document.documentElement).getPropertyValue('{name}').trim()"

FOLLOW_SCHEME = """<script>matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
document.querySelectorAll(".chart").forEach((chart) => chart.dispatchEvent(new Event("scheme"))));</script>"""
"""For the head of every page: tells its charts that the reader's machine went dark or light."""


def chart(option: Option, height_px: int) -> Callable[[Option], None]:
    """Draws `option`; returns what shows the next one."""
    shown = ui.echart(themed(option)).classes("chart").style(f"height:{height_px}px")
    drawn = option

    def draw() -> None:
        shown.options.clear()
        shown.options.update(themed(drawn))
        shown.update()

    def show(new: Option) -> None:
        nonlocal drawn
        if new != drawn:
            drawn = new
            draw()

    shown.on("scheme", draw, args=[])
    return show


def themed(option: Any) -> Any:
    """A copy of `option` whose greys the browser takes from the style sheet, light or dark as it is read."""
    if isinstance(option, list):
        return [themed(value) for value in option]
    if not isinstance(option, dict):
        return option
    made: Option = {}
    for key, value in option.items():
        if isinstance(value, str) and value in palette.NEUTRALS and not key.startswith(":"):
            made[f":{key}"] = _FROM_STYLES.format(name=palette.NEUTRALS[value])
        else:
            made[key] = themed(value)
    return made
