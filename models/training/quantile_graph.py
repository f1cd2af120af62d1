"""The heavy form as an ONNX graph: the networks of an ensemble averaged, drawn to the trees' median where there are trees."""

import numpy as np
import onnx

from models.quantile_network import DAY_LEVELS, INPUT_LIMIT, MAX_LOG_STEP, QuantileNetwork
from models.training.graphs import Drawing
from models.training.median_trees import MOST_SCALING, SOFT_UNITS, MedianTrees
from models.training.spreads import CLASS_LEVELS, UNCHANGED, Spread
from models.training.tree_graph import TREES_OUTPUT

PARITY_TOLERANCE = 1e-4
"""Relative, and in units below one: between the trainer's own output and the graph's, both in float32."""


def quantile_graph(
    networks: tuple[QuantileNetwork, ...],
    spreads: tuple[Spread, ...] = UNCHANGED,
    trees: MedianTrees | None = None,
) -> bytes:
    """Features (n, S + D) and level (n,) -> mean (n,), quantiles (n, len(DAY_LEVELS)), units, not rounded."""
    draw = Drawing()
    level = draw.as_column("level")
    squared = draw.op("Mul", draw.op("Mul", level, level), draw.constant(0.3))
    spread = draw.op("Sqrt", draw.op("Add", draw.op("Mul", level, draw.constant(0.7)), squared))
    means, tables = zip(*(_one(draw, network, level, spread) for network in networks), strict=True)
    share = draw.constant(1 / len(networks))
    mean = draw.op("Mul", draw.op("Sum", *means), share)
    quantiles = _spread(draw, draw.op("Mul", draw.op("Sum", *tables), share), level, spreads)
    if trees is None:
        scaling = draw.constant(1)
    else:
        draw.nodes.append(onnx.load_from_string(trees.content).graph.node[0])
        scaling = _to_medians(draw, draw.op("Mul", TREES_OUTPUT, spread), quantiles, trees.share)
    draw.op("Squeeze", draw.op("Mul", mean, scaling), draw.constant([1], np.int64), to="mean")
    draw.op("Mul", quantiles, scaling, to="quantiles")
    inputs: dict[str, list[int | str]] = {"features": ["n", len(networks[0].centre)], "level": ["n"]}
    outputs: dict[str, list[int | str]] = {"mean": ["n"], "quantiles": ["n", len(DAY_LEVELS)]}
    return draw.model("demand_quantiles", inputs, outputs)


def _spread(draw: Drawing, quantiles: str, level: str, spreads: tuple[Spread, ...]) -> str:
    """What spreads.with_spreads computes."""
    below, above = (draw.constant(spreads[0][side]) for side in (0, 1))
    for limit, (under, over) in zip(CLASS_LEVELS, spreads[1:], strict=True):
        busier = draw.op("Greater", level, draw.constant(limit))
        below = draw.op("Where", busier, draw.constant(under), below)
        above = draw.op("Where", busier, draw.constant(over), above)
    place = DAY_LEVELS.index(0.5)
    middle = draw.sliced(quantiles, place, place + 1)
    away = draw.op("Sub", quantiles, middle)
    low = draw.op("Mul", draw.op("Min", away, draw.constant(0)), below)
    high = draw.op("Mul", draw.op("Max", away, draw.constant(0)), above)
    moved = draw.op("Add", middle, draw.op("Add", low, high))
    return draw.op("Max", moved, draw.constant(0))


def _to_medians(draw: Drawing, median: str, quantiles: str, share: float) -> str:
    """What median_trees.scaling_to computes."""
    place, soft = DAY_LEVELS.index(0.5), draw.constant(SOFT_UNITS)
    above = draw.op("Add", draw.op("Max", median, draw.constant(0)), soft)
    below = draw.op("Add", draw.sliced(quantiles, place, place + 1), soft)
    ratio = draw.op("Div", above, below)
    bounded = draw.op("Clip", ratio, draw.constant(1 / MOST_SCALING), draw.constant(MOST_SCALING))
    return draw.op("Pow", bounded, draw.constant(share))


def _one(draw: Drawing, network: QuantileNetwork, level: str, spread: str) -> tuple[str, str]:
    x = draw.op(
        "Div", draw.op("Sub", "features", draw.constant(network.centre)), draw.constant(network.scale)
    )
    x = draw.op("Clip", x, draw.constant(-INPUT_LIMIT), draw.constant(INPUT_LIMIT))
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        x = draw.op("Relu", draw.op("Gemm", x, draw.constant(weight), draw.constant(bias)))
    out = draw.op("Gemm", x, draw.constant(network.weights[-1]), draw.constant(network.biases[-1]))
    step = draw.op("Clip", draw.sliced(out, 0, 1), draw.constant(-MAX_LOG_STEP), draw.constant(MAX_LOG_STEP))
    rises = draw.op("Softplus", draw.sliced(out, 2, len(DAY_LEVELS) + 1))
    steps = draw.op("Concat", draw.sliced(out, 1, 2), rises, axis=1)
    table = draw.op("Mul", draw.op("CumSum", steps, draw.constant(1, np.int64)), spread)
    return draw.op("Mul", level, draw.op("Exp", step)), draw.op("Max", table, draw.constant(0))
