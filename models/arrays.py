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


def row_medians(values: F64) -> F64:
    """Median of each row's finite values, NaN of a row without any: numpy's own nanmedian, bit for bit, which loads a megabyte of masked
    arrays for it.

    values: (n, columns), NaN unknown, no infinities.
    """
    ordered, known = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    rows = np.arange(len(values))
    middle = np.stack(
        [
            ordered[rows, np.maximum(known - 1, 0) // 2],
            ordered[rows, np.minimum(known // 2, np.maximum(known - 1, 0))],
        ]
    )
    return np.asarray(np.where(known > 0, middle.mean(axis=0), np.nan))
