"""Boosted trees of LightGBM as an ONNX node. It decides as LightGBM does, to the last row.

LightGBM compares in double precision, `feature <= threshold`; the node compares in single. Features are single numbers,
so a threshold that is rounded down to the next single number parts them exactly as before.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from models.training.graphs import Drawing

TREES_DOMAIN = "ai.onnx.ml"
TREES_OUTPUT = "steps"
_NOWHERE = 0


def tree_graph(models: Sequence[Mapping[str, Any]], n_features: int) -> bytes:
    """Features (n, n_features) -> steps (n, 1), the mean of the models' sums of trees. models: Booster.dump_model() each."""
    draw = Drawing()
    draw.nodes.append(tree_node(models, "features", TREES_OUTPUT))
    return draw.model("median_trees", {"features": ["n", n_features]}, {TREES_OUTPUT: ["n", 1]})


def scaled_graph(content: bytes, factor: float) -> bytes:
    """The graph that says `factor` times what `content`, a tree_graph, says."""
    model = onnx.load_from_string(content)
    (weights,) = (each for each in model.graph.node[0].attribute if each.name == "target_weights")
    weights.floats[:] = [weight * factor for weight in weights.floats]
    scaled: bytes = model.SerializeToString(deterministic=True)
    return scaled


def tree_node(models: Sequence[Mapping[str, Any]], features: str, to: str) -> onnx.NodeProto:
    """Raises ValueError for a tree that this does not know: of categories, or with a way for missing values."""
    columns: dict[str, list[Any]] = {name: [] for name in (
        "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_values", "nodes_truenodeids",
        "nodes_falsenodeids", "target_treeids", "target_nodeids", "target_ids", "target_weights")}  # fmt: skip
    trees = [info["tree_structure"] for model in models for info in model["tree_info"]]
    for number, root in enumerate(trees):
        for node in _numbered(root):
            _add(columns, number, *node)
    columns["target_weights"] = [weight / len(models) for weight in columns["target_weights"]]
    node = helper.make_node("TreeEnsembleRegressor", [features], [to], domain=TREES_DOMAIN)
    settled = {"n_targets": 1, "aggregate_function": "SUM", "post_transform": "NONE"}
    node.attribute.extend(helper.make_attribute(key, value) for key, value in (settled | columns).items())
    return node


def single_below(threshold: float) -> float:
    """The largest single-precision number that is not above `threshold`."""
    single = np.float32(threshold)
    return float(single if float(single) <= threshold else np.nextafter(single, np.float32(-np.inf)))


def _numbered(root: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any], int, int]]:
    """(number, node, number of its left, of its right) from the root, which is 0."""
    waiting, last = [(0, root)], 0
    while waiting:
        number, node = waiting.pop()
        if "leaf_value" in node:
            yield number, node, _NOWHERE, _NOWHERE
            continue
        left, right = last + 1, last + 2
        last = right
        yield number, node, left, right
        waiting += [(right, node["right_child"]), (left, node["left_child"])]


def _add(
    columns: dict[str, list[Any]], tree: int, number: int, node: Mapping[str, Any], left: int, right: int
) -> None:
    leaf = "leaf_value" in node
    if not leaf and (node["decision_type"] != "<=" or node["missing_type"] != "None"):
        raise ValueError(
            f"tree {tree} decides by {node['decision_type']!r} with missing values {node['missing_type']!r};"
            " only '<=' of finite features can be exported"
        )
    columns["nodes_treeids"].append(tree)
    columns["nodes_nodeids"].append(number)
    columns["nodes_featureids"].append(0 if leaf else int(node["split_feature"]))
    columns["nodes_modes"].append("LEAF" if leaf else "BRANCH_LEQ")
    columns["nodes_values"].append(0.0 if leaf else single_below(float(node["threshold"])))
    columns["nodes_truenodeids"].append(left)
    columns["nodes_falsenodeids"].append(right)
    if leaf:
        columns["target_treeids"].append(tree)
        columns["target_nodeids"].append(number)
        columns["target_ids"].append(0)
        columns["target_weights"].append(float(node["leaf_value"]))
