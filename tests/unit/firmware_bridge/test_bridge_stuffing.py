"""COBS beside the library `cobs`: the same bytes, and the same refusals."""

import pytest
from cobs import cobs
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_bridge.core.stuffing import StuffingError, stuff, unstuff

RUNS = st.lists(st.sampled_from([0, 1, 2, 252, 253, 254, 255, 256, 508, 509]), max_size=6).map(
    lambda lengths: b"\0".join(b"\x07" * length for length in lengths)
)
"""Runs about as long as a code can say."""


@given(plain=st.binary(max_size=600) | RUNS)
@example(plain=b"")
@example(plain=b"\0")
@example(plain=b"\x01" * 254)
@example(plain=b"\x01" * 254 + b"\0")
def test_what_is_stuffed_is_what_the_library_writes_and_comes_back(plain: bytes) -> None:
    stuffed = stuff(plain)
    assert stuffed == cobs.encode(plain)
    assert b"\0" not in stuffed
    assert len(stuffed) <= len(plain) + 1 + len(plain) // 254
    assert unstuff(stuffed) == plain


@given(stuffed=st.binary(max_size=600))
def test_any_bytes_are_taken_or_refused_as_the_library_does(stuffed: bytes) -> None:
    try:
        expected = cobs.decode(stuffed)
    except cobs.DecodeError:
        with pytest.raises(StuffingError):
            unstuff(stuffed)
    else:
        assert unstuff(stuffed) == expected
