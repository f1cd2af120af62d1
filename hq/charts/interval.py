"""A change with its interval in a table's cell, as an inline SVG: zero in the middle, the band, the point."""

from hq import palette

WIDTH_PX, HEIGHT_PX = 160, 20
_COLOURS = {"hot": palette.ERROR, "cool": palette.FORECAST, "usual": palette.HISTORY}


def interval_svg(change: float, low: float, high: float, verdict: str, reach: float) -> str:
    """change, low, high: as parts of what is usual (0.2 is 20 % more). reach: what the edges stand for, > 0."""
    colour = _COLOURS.get(verdict, palette.HISTORY)
    middle = WIDTH_PX / 2

    def place(value: float) -> float:
        return middle + max(-1.0, min(1.0, value / reach)) * (middle - 4)

    begin, end = place(low), place(high)
    return (
        f'<svg width="{WIDTH_PX}" height="{HEIGHT_PX}" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" aria-hidden="true">'
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="1" y2="{HEIGHT_PX - 1}" stroke="{palette.HISTORY}" stroke-width="1"/>'
        f'<rect x="{begin:.1f}" y="7" width="{max(2.0, end - begin):.1f}" height="6" rx="3" fill="{colour}" opacity="0.35"/>'
        f'<circle cx="{place(change):.1f}" cy="10" r="4" fill="{colour}"/></svg>'
    )
