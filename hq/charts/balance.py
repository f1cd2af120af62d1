"""What a region misses and what it could spare, as an inline SVG: two bars from the middle, left missed, right to spare."""

from hq import palette

WIDTH_PX, HEIGHT_PX = 148, 20


def balance_svg(missed_units: float, spare_units: float, most_units: float) -> str:
    """most_units: what a whole half stands for; 0 when there is nothing at all."""
    half = WIDTH_PX / 2 - 2
    middle = WIDTH_PX / 2
    missed, spare = (
        (half * units / most_units if most_units > 0 else 0.0) for units in (missed_units, spare_units)
    )
    return (
        f'<svg width="{WIDTH_PX}" height="{HEIGHT_PX}" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" aria-hidden="true">'
        f'<rect x="{middle - missed:.1f}" y="5" width="{missed:.1f}" height="10" rx="2" fill="{palette.ERROR}"/>'
        f'<rect x="{middle:.1f}" y="5" width="{spare:.1f}" height="10" rx="2" fill="{palette.FORECAST}"/>'
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="1" y2="{HEIGHT_PX - 1}" stroke="{palette.HISTORY}" stroke-width="1"/></svg>'
    )
