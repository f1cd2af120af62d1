"""A panel in parts, each of whole stores, so that a chain's training is many small jobs."""

import numpy as np

from models.arrays import I64
from models.panel import Panel


def parts_of_stores(panel: Panel, count: int) -> list[I64]:
    """Rows of each part, at most `count`: stores dealt out by size, the largest first, to the smallest part.

    One part when the panel has no group `store`. Equal panels are parted equally.
    """
    stores = panel.groups.get("store")
    if count <= 1 or stores is None:
        return [np.arange(panel.n_series, dtype=np.int64)]
    sizes = np.bincount(stores)
    load = np.zeros(count, dtype=np.int64)
    part_of = np.zeros(len(sizes), dtype=np.int64)
    for store in np.argsort(-sizes, kind="stable"):
        part_of[store] = int(np.argmin(load))
        load[part_of[store]] += sizes[store]
    rows = [np.flatnonzero(part_of[stores] == part) for part in range(count)]
    return [part for part in rows if len(part)]


def panel_part(panel: Panel, rows: I64) -> Panel:
    """These series alone, with the groups as they are among them."""
    return Panel(
        panel.first_day,
        panel.units[rows],
        None if panel.served is None else panel.served[rows],
        {name: values if len(values) == 1 else values[rows] for name, values in panel.covariates.items()},
        {
            name: np.asarray(np.unique(codes[rows], return_inverse=True)[1], dtype=np.int64)
            for name, codes in panel.groups.items()
        },
    )
