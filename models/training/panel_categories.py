"""Which groups of series to learn from: the shop, the best of the table's categories, and the SKU in other shops."""

from collections.abc import Mapping

import numpy as np

from models.arrays import I64

LEAST_MEMBERS = 3.0
"""Mean number of series of a category within its shop, below which a wider category is taken: one series is no group."""


def groups_from(
    store_of: I64, sku_of: I64, categories: Mapping[str, I64], met: I64 | None = None
) -> dict[str, I64]:
    """From the widest to the narrowest: shop, finest category, finest category within the shop that still holds a few
    series, SKU over all shops, SKU over the shops of one region.

    store_of, sku_of and each of categories: code of each series. A category that is the same for all series of each shop
    is a region (or kind) of shops. One that parts nothing, or every series from every other, is left out.
    met: the series that have a history, None for all: they alone decide, so that new SKUs change no grouping.
    """
    met = np.arange(len(store_of), dtype=np.int64) if met is None else met
    n_series, stores = len(met), _count(store_of[met])
    useful = {name: code for name, code in categories.items() if 1 < _count(code[met]) < 0.9 * n_series}
    regions = {name: code for name, code in useful.items() if _count(_crossed(store_of, code)[met]) == stores}
    of_skus = sorted((n for n in useful if n not in regions), key=lambda name: _count(useful[name][met]))
    out = {"store": store_of}
    if of_skus:
        out[of_skus[-1]] = useful[of_skus[-1]]
    for name in reversed(of_skus):
        within = _crossed(store_of, useful[name])
        if stores < _count(within[met]) <= n_series / LEAST_MEMBERS:
            out[f"store_{name}"] = within
            break
    skus = _count(sku_of[met])
    if skus < n_series:
        out["sku"] = sku_of
    for name in sorted(regions, key=lambda name: -_count(regions[name][met])):
        within = _crossed(sku_of, regions[name])
        if skus < _count(within[met]) < 0.8 * n_series:
            out[f"{name}_sku"] = within
            break
    return out


def _crossed(first: I64, second: I64) -> I64:
    joined = first * (int(second.max(initial=0)) + 1) + second
    return np.asarray(np.unique(joined, return_inverse=True)[1], dtype=np.int64)


def _count(codes: I64) -> int:
    return len(np.unique(codes))
