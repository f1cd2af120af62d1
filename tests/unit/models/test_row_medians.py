"""The median of what is known in a row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import row_medians

VALUES = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))


@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.lists(VALUES, min_size=n, max_size=n), min_size=1)))
def test_it_is_numpys_own_bit_for_bit(rows: list[list[float]]) -> None:
    values = np.array(rows)
    known = np.isfinite(values).any(axis=1)
    found = row_medians(values)
    assert np.isnan(found[~known]).all()
    assert np.array_equal(found[known], np.nanmedian(values[known], axis=1))


@pytest.mark.parametrize(
    ("row", "middle"), [([3.0, 1.0, 2.0], 2.0), ([np.nan, 4.0, 1.0], 2.5), ([np.nan], np.nan)]
)
def test_of_an_even_number_it_is_between_the_two(row: list[float], middle: float) -> None:
    assert row_medians(np.array([row]))[0] == pytest.approx(middle, nan_ok=True)
