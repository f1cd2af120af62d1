"""The replenishment network as an ONNX graph: features in, one column out for each of its outputs."""

import numpy as np

from models.policy.features import AGEING_COLUMN, LOST_COLUMN, LOT_COLUMN, N_PROBLEM_FEATURES
from models.policy.network import OUTPUT_NAMES, OUTPUTS, Layers, PolicyNetwork
from models.training.graphs import Drawing


def target_graph(network: PolicyNetwork) -> bytes:
    """Input features (n, inputs), outputs OUTPUT_NAMES, (n,) each: what PolicyNetwork.outputs computes."""
    draw = Drawing()
    drawn_network(draw, network, "features", OUTPUT_NAMES)
    return draw.model("target", {"features": ["n", len(network.centre)]}, OUTPUT_NAMES)


def drawn_network(
    draw: Drawing, network: PolicyNetwork, features: str, to: tuple[str, ...] | None = None
) -> list[str]:
    """Names of the network's outputs, (n,) each."""
    x = draw.op("Sub", features, draw.constant(network.centre))
    x = draw.op("Div", x, draw.constant(network.scale))
    out = _layers(draw, network.of_problem, draw.sliced(x, 0, N_PROBLEM_FEATURES))
    correction = _column(draw, _layers(draw, network.of_state, x), 0)
    share = draw.op("Exp", draw.op("Mul", draw.constant(-2.0), _column(draw, features, LOT_COLUMN)))
    aged = draw.op("Greater", _column(draw, features, AGEING_COLUMN), draw.constant(0.0))
    share = draw.op("Where", aged, draw.constant(1.0), share)
    correction = draw.op("Mul", correction, draw.op("Mul", share, _column(draw, features, LOST_COLUMN)))
    names = to or tuple(f"of_network_{place}" for place in range(OUTPUTS))
    draw.op("Add", _column(draw, out, 0), correction, to=names[0])
    for place in range(1, OUTPUTS):
        _column(draw, out, place, to=names[place])
    return list(names)


def _layers(draw: Drawing, layers: Layers, x: str) -> str:
    for weight, bias in zip(layers.weights[:-1], layers.biases[:-1], strict=True):
        x = draw.op("Tanh", draw.op("Gemm", x, draw.constant(weight), draw.constant(bias)))
    return draw.op("Gemm", x, draw.constant(layers.weights[-1]), draw.constant(layers.biases[-1]))


def _column(draw: Drawing, table: str, place: int, to: str | None = None) -> str:
    return draw.op("Gather", table, draw.constant(place, np.int64), to=to, axis=1)
