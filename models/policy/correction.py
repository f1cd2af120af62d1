"""A few numbers that change what the network says for one instance, and the orders with them.

The order still restores the projected level to a target, in whole units. A number is a constant on the network's target, how the target
moves with the units on their last day, with the spread of the level and with the level itself, how much must be missing before an order pays, and the largest
order.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.policy.instance import Instance
from models.policy.learned import LearnedPolicy
from models.policy.projection import outlook_of


@dataclass(frozen=True, slots=True)
class Correction:
    """What is added to the network's target: units, and units for each on its last day, of the level's spread and of the level itself.

    room_units: what must be missing before an order pays, None: as the network says. most_units: the largest order, None: any.
    up_to_units: stands for the network's target in every state, None: the network's.
    """

    target_units: float = 0.0
    per_last_day: float = 0.0
    per_spread: float = 0.0
    per_level: float = 0.0
    room_units: float | None = None
    most_units: float | None = None
    up_to_units: float | None = None


class RefinedPolicy:
    """The network's orders, corrected."""

    def __init__(self, policy: LearnedPolicy, correction: Correction) -> None:
        self._policy = policy
        self._correction = correction

    def orders(self, instance: Instance, states: I64) -> I64:
        return corrected_orders(said_of(self._policy, instance, states), self._correction)


def said_of(policy: LearnedPolicy, instance: Instance, states: I64) -> F64:
    """Level, target, room, units on their last day, and the level's spread: shape (n, 5)."""
    outlook = outlook_of(instance, states)
    found = policy.target(instance, outlook)
    one = np.ones(len(states))
    columns = (outlook.level_units, found.up_to_units * one, found.room_units * one, outlook.last_day_units,
               outlook.level_std_units)  # fmt: skip
    return np.stack(columns, axis=1)


def corrected_orders(said: F64, added: Correction) -> I64:
    level, target, room, last_day, spread = said.T
    up_to = target if added.up_to_units is None else np.full_like(target, added.up_to_units)
    up_to = (
        up_to
        + added.target_units
        + added.per_last_day * last_day
        + added.per_spread * spread
        + added.per_level * level
    )
    missing = up_to - level
    most = np.inf if added.most_units is None else added.most_units
    units = np.floor(np.minimum(missing, most) + 0.5)
    enough = missing > (room if added.room_units is None else added.room_units)
    return np.where(enough & (units > 0), units, 0).astype(np.int64)
