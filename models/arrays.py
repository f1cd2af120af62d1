"""The array types of this package, named by what their floats are for, and a sum that is the same for one row and many."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

F32: TypeAlias = npt.NDArray[np.float32]
"""What enters and leaves the graphs."""
F64: TypeAlias = npt.NDArray[np.float64]
"""Sums and distributions."""
I64: TypeAlias = npt.NDArray[np.int64]


def row_sum(values: npt.ArrayLike) -> F64:
    """Sum of each row, the same bits whatever the number of rows."""
    return np.asarray(np.add.reduce(np.ascontiguousarray(values, dtype=np.float64), axis=1))
