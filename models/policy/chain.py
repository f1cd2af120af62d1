"""What one policy leads to, state by state and demand by demand, and what that costs in the long run."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import F64

MAX_SWEEPS = 3000
STAY = 0.1
"""A share of staying put takes periodic chains out of step; it scales the gain."""
_ROWS_CELLS = 1_000_000
"""Cells that are gathered at once: more would not stay in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Chain:
    """following: place of the next state by demand, shape (n, demands). chances: of the demands. cost: of a period, shape (n,)."""

    following: npt.NDArray[np.int32]
    chances: F64
    cost: F64


@dataclass(frozen=True, slots=True)
class LongRun:
    """The cost a period lies between low and high (Odoni's bounds). value: relative, shape (n,)."""

    low: float
    high: float
    value: F64
    sweeps: int


def long_run(chain: Chain, tolerance: float, of_all: float = 0.0, sweeps: int = MAX_SWEEPS) -> LongRun:
    """tolerance: of high - low, relative to the cost less of_all, which every policy pays."""
    value = np.zeros(len(chain.cost))
    low, high, swept = -np.inf, np.inf, 0
    for swept in range(1, sweeps + 1):  # noqa: B007
        gain = (1 - STAY) * (chain.cost + _after(chain, value) - value)
        low, high = float(gain.min()) / (1 - STAY), float(gain.max()) / (1 - STAY)
        value += gain
        value -= value[0]
        if high - low <= tolerance * max(abs(high - of_all), 1e-9):
            break
    return LongRun(low, high, value, swept)


def _after(chain: Chain, value: F64) -> F64:
    """E[value of the next state], shape (n,)."""
    rows = max(_ROWS_CELLS // chain.following.shape[1], 1)
    if rows >= len(value):
        return np.asarray(value[chain.following] @ chain.chances)
    out = np.empty(len(value))
    for start in range(0, len(value), rows):
        out[start : start + rows] = value[chain.following[start : start + rows]] @ chain.chances
    return out
