"""A chart on a page: drawn once, then changed in place, so that it neither flickers nor loses the reader's zoom."""

from collections.abc import Callable

from nicegui import ui

from hq.charts import Option


def chart(option: Option, height_px: int) -> Callable[[Option], None]:
    """Draws `option`; returns what shows the next one."""
    shown = ui.echart(option).classes("chart").style(f"height:{height_px}px")

    def show(new: Option) -> None:
        if new != shown.options:
            shown.options.clear()
            shown.options.update(new)
            shown.update()

    return show
