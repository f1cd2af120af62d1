"""The array types of this package, named by what their floats are for."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

F32: TypeAlias = npt.NDArray[np.float32]
"""What enters and leaves the graphs."""
F64: TypeAlias = npt.NDArray[np.float64]
"""Sums and distributions."""
I64: TypeAlias = npt.NDArray[np.int64]
