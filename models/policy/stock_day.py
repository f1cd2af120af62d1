"""What one period does to stock in hand, by age."""

import numpy as np
import numpy.typing as npt

from models.arrays import I64
from models.policy.instance import LIFO


def demand_met(by_life: I64, units: npt.ArrayLike, issuing: str) -> tuple[I64, I64, I64]:
    """What is left by remaining life (shape (n, life), the first column is on its last day), lost units, expiring units."""
    columns = range(by_life.shape[1])
    left = by_life.copy()
    wanted = np.broadcast_to(np.asarray(units), by_life.shape[:1]).copy()
    for column in reversed(columns) if issuing == LIFO else columns:
        taken = np.minimum(left[:, column], wanted)
        left[:, column] -= taken
        wanted -= taken
    return left, wanted, left[:, 0].copy()


def aged_day(by_life: I64, units: npt.ArrayLike, issuing: str, *, waits: bool) -> tuple[I64, I64, I64]:
    """A day of goods that expire: what the next one begins with but for arrivals, units unserved, units that expired.

    waits: whether what is unserved waits. It then stands below zero in the last column, where arrivals serve it first, and all that
    waits at the day's end is unserved. Nothing is in hand while somebody waits.
    """
    left, unserved, old = demand_met(np.maximum(by_life, 0), units, issuing)
    following = np.concatenate([left[:, 1:], np.zeros((len(left), 1), dtype=np.int64)], axis=1)
    if waits:
        unserved = unserved - np.minimum(by_life[:, -1], 0)
        following[:, -1] = -unserved
    return following, unserved, old
