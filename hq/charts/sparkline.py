"""A week in a table's cell, as an inline SVG: hundreds of rows must not cost hundreds of chart objects."""

from hq import palette

WIDTH_PX, HEIGHT_PX = 96, 24
DAYS = 7


def sparkline_svg(values: list[float]) -> str:
    """Bars from zero, the last one darker; empty when there is nothing to show.

    A shop of fewer days than a week has its bars at the right: a bar is as wide on its first day as ever.
    """
    if not values:
        return ""
    top = max(values) or 1
    step = WIDTH_PX / max(len(values), DAYS)
    bars = []
    for place, value in enumerate(values, max(0, DAYS - len(values))):
        height = max(1.0, HEIGHT_PX * max(value, 0) / top)
        colour = palette.OURS if place == max(len(values), DAYS) - 1 else palette.HISTORY
        bars.append(
            f'<rect x="{place * step:.1f}" y="{HEIGHT_PX - height:.1f}" width="{max(step - 2, 1):.1f}" '
            f'height="{height:.1f}" fill="{colour}"/>'
        )
    return (
        f'<svg width="{WIDTH_PX}" height="{HEIGHT_PX}" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" aria-hidden="true">'
        f"{''.join(bars)}</svg>"
    )
