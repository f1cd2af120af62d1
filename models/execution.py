"""Running the two graphs in chunks that keep bits and memory the same for one SKU and for a thousand."""

import numpy as np

from models.arrays import F32
from models.base_stock import OrderInputs, Proposals
from models.graph import Graph

GRAPH_TOLERANCE = 1e-4
"""Relative, between machines: the runtime's kernels order their sums by the processor."""
_ROWS_A_RUN = 128
"""Every run of a graph has exactly so many rows, padded: the runtime picks its kernels, for products and for sums
along rows alike, and with them the last bit of a result, by the number of rows."""

DEMAND_INPUTS = ("features",)
DEMAND_OUTPUTS = ("mean", "dispersion")
REPLENISHMENT_INPUTS = (
    "quantiles", "service_level", "on_hand_units", "on_order_units", "pack_units", "min_order_units",
    "shelf_life_units", "max_stock_units",
)  # fmt: skip
REPLENISHMENT_OUTPUTS = (
    "quantity_units", "target_units", "expected_stock_out_units", "expected_unmet_units", "bound",
)  # fmt: skip


def run_demand(graph: Graph, rows: F32) -> tuple[F32, F32]:
    """Mean and dispersion of each feature row, shape (n_rows,) each."""
    mean, dispersion = np.empty(len(rows), np.float32), np.empty(len(rows), np.float32)
    padded = np.zeros((_ROWS_A_RUN, rows.shape[1]), np.float32)
    for start in range(0, len(rows), _ROWS_A_RUN):
        part = rows[start : start + _ROWS_A_RUN]
        padded[: len(part)] = part
        outputs = graph.run({"features": padded})
        mean[start : start + len(part)] = outputs["mean"][: len(part)]
        dispersion[start : start + len(part)] = outputs["dispersion"][: len(part)]
    return mean, dispersion


def run_replenishment(graph: Graph, inputs: OrderInputs) -> Proposals:
    """One proposal a SKU."""
    n_sku = len(inputs.pack_units)
    joined = {name: np.empty(n_sku, np.float32) for name in REPLENISHMENT_OUTPUTS}
    for start in range(0, n_sku, _ROWS_A_RUN):
        # Past the end the last SKU is repeated: any valid row serves as padding.
        rows = np.minimum(np.arange(start, start + _ROWS_A_RUN), n_sku - 1)
        outputs = graph.run({name: getattr(inputs, name)[rows] for name in REPLENISHMENT_INPUTS})
        for name, values in joined.items():
            part = values[start : start + _ROWS_A_RUN]
            part[:] = outputs[name][: len(part)]
    return Proposals(
        quantity_units=np.rint(joined["quantity_units"]).astype(np.int64),
        target_units=joined["target_units"],
        expected_stock_out_units=joined["expected_stock_out_units"],
        expected_unmet_units=joined["expected_unmet_units"],
        bound=joined["bound"].astype(np.int64),
    )
