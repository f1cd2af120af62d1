"""The order graph, run: questions in, orders out, the same bits for one SKU and for ten thousand."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from models.graph import Graph
from models.policy.daily import Order
from models.policy.question import Question

ORDER_FILE = Path(__file__).parent / "order.onnx"
ORDER_INPUTS = tuple(field.name for field in fields(Question))
ORDER_OUTPUTS = ("order_units", "target_units", "level_units", "stock_out_units", "waste_units", "reasons")
_ROWS_A_RUN = 16
"""Every run has so many rows, padded: see models.execution. More cost a gateway memory (3 MB at 256, .4 at 64), fewer time."""


class OrderGraph:
    """Orders from the graph that comes with the package, or from another of the same inputs and outputs."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def orders(self, question: Question) -> Order:
        """One entry a SKU. Never NaN, never negative, always whole packs: tested for all inputs that Question allows."""
        n = len(question.odds)
        joined = {name: np.empty(n, np.float32) for name in ORDER_OUTPUTS}
        for start in range(0, n, _ROWS_A_RUN):
            # Past the end the last SKU is repeated: any valid row serves as padding.
            rows = np.minimum(np.arange(start, start + _ROWS_A_RUN), n - 1)
            found = self._graph.run({name: getattr(question, name)[rows] for name in ORDER_INPUTS})
            for name, values in joined.items():
                part = values[start : start + _ROWS_A_RUN]
                part[:] = found[name][: len(part)]
        return Order(
            order_units=np.rint(joined["order_units"]).astype(np.int64),
            target_units=joined["target_units"],
            level_units=joined["level_units"],
            stock_out_units=joined["stock_out_units"],
            waste_units=joined["waste_units"],
            reasons=np.rint(joined["reasons"]).astype(np.int64),
        )


def shipped_orders() -> OrderGraph:
    """The order graph that comes with the package. Raises OSError when its file is missing."""
    return OrderGraph(Graph(ORDER_FILE.read_bytes(), ORDER_FILE))
