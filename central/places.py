"""How far apart two stores are."""

from collections.abc import Callable

import h3


def distance_between(cells: dict[str, str]) -> Callable[[str, str], float | None]:
    """Great-circle km between the middles of two stores' cells; None where a place is not known. cells: store -> H3 cell."""
    middles = {store: h3.cell_to_latlng(cell) for store, cell in cells.items()}

    def distance(one: str, other: str) -> float | None:
        if one not in middles or other not in middles:
            return None
        return float(h3.great_circle_distance(middles[one], middles[other], unit="km"))

    return distance
