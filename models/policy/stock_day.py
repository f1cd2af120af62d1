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
