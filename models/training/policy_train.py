"""`shelfloop models train-policy`: lessons, fit, both graphs."""

import argparse
from pathlib import Path

import numpy as np

from models.policy.network import TARGET_FILE
from models.policy.order_graph import ORDER_FILE
from models.training.policy_fit import PolicyFit, fit_policy
from models.training.policy_graph import target_graph
from models.training.policy_lessons import Lessons, collected, joined
from models.training.policy_order_graph import order_graph

VALIDATION_SHARE = 13
"""One instance in so many is kept out of the fit."""


def train_policy(arguments: argparse.Namespace) -> int:
    """Writes both graphs into the folder; the instances, the draws and the network's start follow from the seed."""
    folder: Path = arguments.folder
    lessons = joined(list(collected(arguments.instances, arguments.seed, _say)))
    held = lessons.of % VALIDATION_SHARE == VALIDATION_SHARE - 1
    fit = PolicyFit(epochs=arguments.epochs, seed=arguments.seed)
    network = fit_policy(_part(lessons, ~held), _part(lessons, held), fit, _say)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TARGET_FILE.name).write_bytes(target_graph(network))
    (folder / ORDER_FILE.name).write_bytes(order_graph(network))
    print(f"wrote {TARGET_FILE.name} and {ORDER_FILE.name} in {folder}")
    return 0


def _part(lessons: Lessons, rows: np.ndarray) -> Lessons:
    _, numbers = np.unique(lessons.of[rows], return_inverse=True)
    return Lessons(
        features=lessons.features[rows],
        scales=lessons.scales[rows],
        advantage=lessons.advantage[rows],
        weight=lessons.weight[rows],
        of=numbers.astype(np.float32),
    )


def _say(text: str) -> None:
    print(text, flush=True)
