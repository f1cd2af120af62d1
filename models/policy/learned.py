"""The learned policy on an instance: states in, orders out."""

from typing import Protocol

import numpy as np

from models.arrays import F32, I64
from models.policy.features import features_of, problem_of
from models.policy.instance import Instance
from models.policy.network import Target, shipped_network, target_of
from models.policy.projection import Outlook, outlook_of

_ROWS_AT_ONCE = 16384


class Network(Protocol):
    def outputs(self, features: F32) -> F32: ...


class LearnedPolicy:
    """Orders what restores the projected level to the network's target, in whole units."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def orders(self, instance: Instance, states: I64) -> I64:
        """states: as models.policy.lattice has them, shape (n, coordinates). Returns shape (n,), units >= 0."""
        out = np.empty(len(states), dtype=np.int64)
        for start in range(0, len(states), _ROWS_AT_ONCE):
            part = states[start : start + _ROWS_AT_ONCE]
            outlook = outlook_of(instance, part)
            out[start : start + len(part)] = whole_orders(self.target(instance, outlook), outlook)
        return out

    def target(self, instance: Instance, outlook: Outlook) -> Target:
        problem = problem_of(instance)
        features = features_of(problem, outlook)
        return target_of(self._network.outputs(features), features, problem)


def shipped_policy() -> LearnedPolicy:
    """The policy that comes with the package."""
    return LearnedPolicy(shipped_network())


def whole_orders(target: Target, outlook: Outlook) -> I64:
    missing = target.up_to_units - outlook.level_units
    units = np.floor(missing + 0.5)
    return np.where((missing > target.room_units) & (units > 0), units, 0).astype(np.int64)
