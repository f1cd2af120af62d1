"""The two ONNX graphs, written node by node."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contract.records import QUANTILE_LEVELS
from models.arrays import F32
from models.base_stock import SHELF_LIFE_ROUNDING, TAIL_STRETCH, Bound
from models.execution import REPLENISHMENT_INPUTS
from models.training.network import (
    LEAST_DISPERSION,
    LEVEL_COLUMN,
    LOG_MEAN_LIMITS,
    MAX_LOG_STEP,
    MOST_DISPERSION,
    Network,
)

OPSET = 17
IR_VERSION = 8
TREES_OPSET = 3
"""Of ai.onnx.ml."""


class Drawing:
    """Nodes and constants of one graph under construction; every method gives the name of a value."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def op(self, kind: str, *inputs: str, to: str | None = None, **attributes: int) -> str:
        name = to or f"n{len(self.nodes)}"
        node = helper.make_node(kind, list(inputs), [name])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return name

    def sliced(self, value: str, first: int, last: int) -> str:
        """Columns first..last-1 of a matrix."""
        starts, ends, axes = (self.constant([n], np.int64) for n in (first, last, 1))
        return self.op("Slice", value, starts, ends, axes)

    def row_sum(self, value: str, columns: int, to: str) -> str:
        """Column by column: the runtime's ReduceSum groups by where a row lies in memory, and its last bit with it."""
        parts = [f"{to}_{column}" for column in range(columns)]
        self.nodes.append(helper.make_node("Split", [value], parts, axis=1))
        return self.op("Squeeze", self.op("Sum", *parts), self.constant([1], np.int64), to=to)

    def as_column(self, value: str) -> str:
        return self.op("Unsqueeze", value, self.constant([1], np.int64))

    def model(
        self,
        name: str,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Sequence[str] | Mapping[str, Sequence[int | str]],
    ) -> bytes:
        """The graph's file; outputs by name alone have the shape (n,)."""
        shapes = outputs if isinstance(outputs, Mapping) else {key: ["n"] for key in outputs}
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in shapes.items()],
            self.constants,
        )
        # Trees are a set of nodes of their own; graphs without them say nothing of it.
        sets = {"": OPSET} | {node.domain: TREES_OPSET for node in self.nodes if node.domain}
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, version) for domain, version in sets.items()],
            ir_version=IR_VERSION,
            producer_name="shelfloop",
        )
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def demand_graph(network: Network) -> bytes:
    """Features (n, n_features) -> mean (n,), dispersion (n,): what Network.predict computes."""
    draw = Drawing()
    x = draw.op("Sub", "features", draw.constant(network.centre))
    x = draw.op("Mul", x, draw.constant(1 / network.scale))
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        x = draw.op("Relu", draw.op("Gemm", x, draw.constant(weight), draw.constant(bias)))
    out = draw.op("Gemm", x, draw.constant(network.weights[-1]), draw.constant(network.biases[-1]))
    step = draw.op("Gather", out, draw.constant(0, np.int64), axis=1)
    shape = draw.op("Gather", out, draw.constant(1, np.int64), axis=1)
    level = draw.op("Gather", "features", draw.constant(LEVEL_COLUMN, np.int64), axis=1)
    step = draw.op("Clip", step, draw.constant(-MAX_LOG_STEP), draw.constant(MAX_LOG_STEP))
    log_mean = draw.op("Add", level, step)
    log_mean = draw.op("Clip", log_mean, *(draw.constant(limit) for limit in LOG_MEAN_LIMITS))
    draw.op("Exp", log_mean, to="mean")
    spread = draw.op("Add", draw.op("Softplus", shape), draw.constant(LEAST_DISPERSION))
    draw.op("Min", spread, draw.constant(MOST_DISPERSION), to="dispersion")
    return draw.model("demand", {"features": ["n", len(network.centre)]}, ("mean", "dispersion"))


def replenishment_graph() -> bytes:
    """The rule of models.base_stock, operation by operation, in float32."""
    draw = Drawing()
    zero = draw.constant(0)
    known = draw.op("Not", draw.op("IsNaN", "on_hand_units"))
    on_hand = draw.op("Where", known, "on_hand_units", zero)
    position = draw.op("Add", on_hand, "on_order_units")
    target = _interpolated(draw)
    need = draw.op("Sub", draw.op("Sub", target, position), draw.constant(1e-3))
    need = draw.op("Max", draw.op("Ceil", need), zero)
    needed = draw.op("Greater", need, zero)
    least = draw.op("Where", needed, draw.op("Max", need, "min_order_units"), zero)
    packs = draw.op("Ceil", draw.op("Sub", draw.op("Div", least, "pack_units"), draw.constant(1e-5)))
    wanted = draw.op("Mul", packs, "pack_units")
    by_life = _whole_packs_within(draw, "shelf_life_units", position, SHELF_LIFE_ROUNDING)
    by_room = _whole_packs_within(draw, "max_stock_units", position, 1e-5)
    cap = draw.op("Max", draw.op("Min", by_life, by_room), zero)
    order = draw.op("Min", wanted, cap)
    enough = draw.op("GreaterOrEqual", order, "min_order_units")
    draw.op("Where", draw.op("And", known, enough), order, zero, to="quantity_units")
    _excess(draw, position, "expected_stock_out_units")
    _excess(draw, draw.op("Add", position, "quantity_units"), "expected_unmet_units")
    code = {bound: draw.constant(float(bound)) for bound in Bound}
    raised = draw.op("Greater", "min_order_units", need)
    bound = draw.op("Where", raised, code[Bound.MIN_ORDER], code[Bound.TARGET])
    no_room = draw.op("LessOrEqual", by_room, by_life)
    limit = draw.op("Where", no_room, code[Bound.CAPACITY], code[Bound.SHELF_LIFE])
    bound = draw.op("Where", draw.op("Greater", wanted, cap), limit, bound)
    bound = draw.op("Where", needed, bound, code[Bound.COVERED])
    draw.op("Where", known, bound, code[Bound.STOCK_UNKNOWN], to="bound")
    shapes: dict[str, Sequence[int | str]] = {name: ["n"] for name in REPLENISHMENT_INPUTS}
    shapes["quantiles"] = ["n", len(QUANTILE_LEVELS)]
    outputs = ("quantity_units", "target_units", "expected_stock_out_units", "expected_unmet_units", "bound")
    return draw.model("replenishment", shapes, outputs)


def _interpolated(draw: Drawing) -> str:
    grid: F32 = np.asarray(QUANTILE_LEVELS, dtype=np.float32)
    count = len(grid)
    share = draw.op("Sub", draw.as_column("service_level"), draw.constant(grid[:-1]))
    share = draw.op("Div", share, draw.constant(np.diff(grid)))
    share = draw.op("Clip", share, draw.constant(0), draw.constant(1))
    steps = draw.op("Sub", draw.sliced("quantiles", 1, count), draw.sliced("quantiles", 0, count - 1))
    rise = draw.row_sum(draw.op("Mul", share, steps), count - 1, "rise")
    lowest = draw.op("Gather", "quantiles", draw.constant(0, np.int64), axis=1)
    return draw.op("Add", lowest, rise, to="target_units")


def _whole_packs_within(draw: Drawing, limit: str, position: str, rounding: float) -> str:
    packs = draw.op("Div", draw.op("Sub", limit, position), "pack_units")
    return draw.op("Mul", draw.op("Floor", draw.op("Add", packs, draw.constant(rounding))), "pack_units")


def _excess(draw: Drawing, stock: str, to: str) -> str:
    """E[max(D - stock, 0)], as models.base_stock.expected_excess."""
    count = len(QUANTILE_LEVELS)
    grid = np.asarray((0.0, *QUANTILE_LEVELS, 1.0), dtype=np.float32)
    top = draw.sliced("quantiles", count - 1, count)
    stretch = draw.op("Sub", top, draw.sliced("quantiles", count - 3, count - 2))
    end = draw.op("Add", top, draw.op("Mul", stretch, draw.constant(TAIL_STRETCH)))
    start = draw.op("Mul", top, draw.constant(0))
    knots = draw.op("Concat", start, "quantiles", end, axis=1)
    above = draw.op("Max", draw.op("Sub", knots, draw.as_column(stock)), draw.constant(0))
    low, high = draw.sliced(above, 0, count + 1), draw.sliced(above, 1, count + 2)
    rise = draw.op("Sub", draw.sliced(knots, 1, count + 2), draw.sliced(knots, 0, count + 1))
    product = draw.op("Mul", draw.op("Sub", high, low), draw.op("Add", high, low))
    double_rise = draw.op("Mul", draw.op("Max", rise, draw.constant(1e-6)), draw.constant(2))
    sloped = draw.op("Div", product, double_rise)
    mean_excess = draw.op("Where", draw.op("Greater", rise, draw.constant(1e-6)), sloped, low)
    return draw.row_sum(draw.op("Mul", mean_excess, draw.constant(np.diff(grid))), count + 1, to)
