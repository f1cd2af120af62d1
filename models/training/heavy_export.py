"""A heavy model as one ONNX graph, kept only when it says what the model says."""

from pathlib import Path

import numpy as np

from models.graph import Graph
from models.quantile_network import DAY_LEVELS, QuantileNetwork
from models.training.heavy import HeavyModel
from models.training.heavy_files import HeavyModelError, load_heavy
from models.training.median_trees import scaling_to
from models.training.quantile_graph import PARITY_TOLERANCE, quantile_graph
from models.training.spreads import with_spreads

_ROWS = 2000


def export_heavy(folder: Path, out: Path) -> float:
    """Writes the graph to `out`; the largest difference from the model's own answers, relative, and in units below one.

    Raises HeavyModelError when it is above PARITY_TOLERANCE; nothing is written then.
    """
    model, _ = load_heavy(folder)
    content = quantile_graph(model.networks, model.spreads, model.trees)
    partial = out.with_name(out.name + ".partial")
    partial.write_bytes(content)
    worst = worst_difference(model, Graph(content, out))
    if worst > PARITY_TOLERANCE:
        partial.unlink()
        raise HeavyModelError(
            f"{folder}: the graph differs by {worst:.1e}, the limit is {PARITY_TOLERANCE:g}: report this model"
        )
    partial.replace(out)
    return worst


def worst_difference(model: HeavyModel, graph: Graph) -> float:
    """Of the graph from the model's own answers, relative, and in units below one: over random rows as far out as inputs
    are let.
    """
    random = np.random.default_rng(1)
    first = model.networks[0]
    spread = np.where(first.scale > 1e6, 0, first.scale)
    rows = (first.centre + 2 * spread * random.standard_normal((_ROWS, len(first.centre)))).astype(np.float32)
    level = random.gamma(0.5, 6, _ROWS).astype(np.float32) + np.float32(0.002)
    mean, quantiles = _own(model.networks, rows, level)
    quantiles = with_spreads(quantiles, level, model.spreads)
    if model.trees is not None:
        scaling = scaling_to(
            model.trees.median(rows, level), quantiles[:, DAY_LEVELS.index(0.5)], model.trees.share
        )
        mean, quantiles = mean * scaling, quantiles * scaling[:, None]
    said = graph.run({"features": rows, "level": level})
    pairs = ((said["mean"], mean), (said["quantiles"], quantiles))
    return max(float((np.abs(a - b) / np.maximum(np.abs(b), 1)).max()) for a, b in pairs)


def _own(
    networks: tuple[QuantileNetwork, ...], rows: np.ndarray, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    found = [network.predict(network.standardised(rows), level) for network in networks]
    return np.mean([each[0] for each in found], axis=0), np.mean([each[1] for each in found], axis=0)
