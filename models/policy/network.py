"""The policy's network in numpy: features in, the level to order up to and the room it takes to order at all."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import F32, F64
from models.graph import Graph
from models.policy.features import (
    AGEING_COLUMN,
    LOST_COLUMN,
    LOT_COLUMN,
    N_PROBLEM_FEATURES,
    Problem,
    lot_periods,
)

OUTPUT_NAMES = ("spreads", "lots", "room")
"""Spreads above the mean that the level reaches, lots above that, and lots that must be missing before an order pays."""
OUTPUTS = len(OUTPUT_NAMES)
TARGET_FILE = Path(__file__).parent / "target.onnx"


@dataclass(frozen=True, slots=True)
class Layers:
    """weights[i]: shape (inputs, outputs), applied as x @ weight + bias, tanh between."""

    weights: tuple[F32, ...]
    biases: tuple[F32, ...]

    def outputs(self, x: F32) -> F32:
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.tanh(x @ weight + bias)
        return np.asarray(x @ self.weights[-1] + self.biases[-1], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class PolicyNetwork:
    """Two small networks. of_problem sees what the problem is like and gives all outputs; of_state sees the state as well and
    corrects the first output where unmet demand is lost, for goods that keep the less the larger the lots. (Where demand waits,
    the best levels are the same in every state.)

    centre, scale: of the features, shape (N_FEATURES,).
    """

    centre: F32
    scale: F32
    of_problem: Layers
    of_state: Layers

    def outputs(self, features: F32) -> F32:
        """Shape (n, OUTPUTS)."""
        x = ((features - self.centre) / self.scale).astype(np.float32)
        out = self.of_problem.outputs(x[:, :N_PROBLEM_FEATURES]).copy()
        out[:, 0] += self.of_state.outputs(x)[:, 0] * state_share(features)
        return out


def state_share(features: F32) -> F32:
    """How much of the state's correction counts, 0 to 1, shape (n,)."""
    small_lots = np.exp(-2 * features[:, LOT_COLUMN])
    return np.asarray(
        features[:, LOST_COLUMN] * np.where(features[:, AGEING_COLUMN] > 0, 1, small_lots), dtype=np.float32
    )


class GraphNetwork:
    """The same from its graph, through onnxruntime."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def outputs(self, features: F32) -> F32:
        columns = self._graph.run({"features": features})
        return np.stack([columns[name] for name in OUTPUT_NAMES], axis=1)


def shipped_network() -> GraphNetwork:
    """The network that comes with the package. Raises OSError when its file is missing."""
    return GraphNetwork(Graph(TARGET_FILE.read_bytes(), TARGET_FILE))


@dataclass(frozen=True, slots=True)
class Target:
    """up_to_units: the projected level that an order restores. room_units: no order unless more than that is missing."""

    up_to_units: F64
    room_units: F64


def target_of(outputs: F32, features: F32, problem: Problem) -> Target:
    """up_to = mean * periods + spread * (o0 + log(odds) / 2) + lot * o1; room = lot * softplus(o2); both >= 0.

    periods: of models.policy.features.lot_periods, 1 without a fixed cost of an order.
    """
    raw = outputs.astype(np.float64)
    spreads = raw[:, 0] + 0.5 * features[:, 0]
    periods, _ = lot_periods(problem.lot_units, problem.mean_units)
    up_to = problem.mean_units * periods + problem.std_units * spreads + problem.lot_units * raw[:, 1]
    return Target(np.maximum(up_to, 0), problem.lot_units * _softplus(raw[:, 2]))


def _softplus(x: F64) -> F64:
    return np.logaddexp(0, x)
