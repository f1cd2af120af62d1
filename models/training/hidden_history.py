"""A panel with some histories hidden: SKUs shown as if they were new, to training and to what is measured after it."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.arrays import I64
from models.panel import Panel


def as_if_new(
    panel: Panel, origin: int, rows: I64, remembered_days: I64, everywhere: npt.NDArray[np.bool_]
) -> Panel:
    """What would be known on the evening before day `origin` had the series `rows` been listed so many days before it.

    everywhere: which of them were new in all shops, as far as the group `sku` tells; the others are known elsewhere. What
    is hidden is hidden from sums over groups too: a network that finds a new SKU's own sales in its group's trusts them.
    """
    listed_from = np.zeros(panel.n_series, dtype=np.int64)
    skus = panel.groups.get("sku")
    if skus is not None and everywhere.any():
        of_sku = np.zeros(int(skus.max(initial=0)) + 1, dtype=np.int64)
        of_sku[skus[rows[everywhere]]] = origin - remembered_days[everywhere]
        listed_from = of_sku[skus]
    listed_from[rows] = origin - remembered_days
    units = panel.units.copy()
    touched = np.flatnonzero(listed_from > 0)
    block = units[touched, :origin]
    block[np.arange(origin)[None, :] < listed_from[touched][:, None]] = np.nan
    units[touched, :origin] = block
    return replace(panel, units=units)
