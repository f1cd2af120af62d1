"""The fast decoder of weights beside the one that validates: what it takes is right, and means the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.devices import Weight
from contract.lean_weight import lean_weight_from_json

GOOD = {
    "device": "shelf-1", "boot_id": "b-1", "seq": 7, "t_device_ms": 70,
    "readings": [{"cell": "c-1", "weight_g": 250.5, "stable": True}],
}  # fmt: skip
IDS = st.sampled_from(["a", "a-1", "-a", "a-", "A", "", "a\n", "ä", "a" * 48, "a" * 49, "c_1"])
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 2**53 - 1, 2**53, 2**63, 2**64, 1e6, 1e6 + 1, -1e6, 1e300, 0.1, -0.0, 1.0, 1e22, 4_102_444_800_000]),
    st.integers(-10, 10**15), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
ODD = st.sampled_from([None, True, False, "1", "", [], {}, "synced", "estimated", "Synced"])
ANYTHING = st.one_of(IDS, NUMBERS, ODD)
READING = st.fixed_dictionaries(
    {"cell": IDS, "weight_g": NUMBERS, "stable": st.sampled_from([True, False, 1, None])},
    optional={"sd_g": ANYTHING, "n": ANYTHING, "age_ms": ANYTHING, "x": ANYTHING},
)
WEIGHT = st.fixed_dictionaries(
    {"device": IDS, "boot_id": IDS, "seq": NUMBERS, "t_device_ms": NUMBERS, "readings": st.lists(READING, max_size=3)},
    optional={"kept_from_seq": ANYTHING, "t_event_ms": ANYTHING, "clock_quality": ANYTHING, "x": ANYTHING},
)  # fmt: skip


def both(payload):
    try:
        slow = Weight.model_validate_json(payload)
    except ValidationError:
        slow = None
    lean = lean_weight_from_json("shelf-1" if slow is None else slow.device, payload)
    return lean, slow


def assert_equal(lean, slow):
    assert slow is not None, "the fast decoder took what the other refuses"
    for name in ("device", "boot_id", "seq", "kept_from_seq", "t_device_ms", "t_event_ms", "clock_quality"):
        assert getattr(lean, name) == getattr(slow, name)
        assert type(getattr(lean, name)) is type(getattr(slow, name))
    assert len(lean.readings) == len(slow.readings)
    for ours, theirs in zip(lean.readings, slow.readings, strict=True):
        for name in type(theirs).model_fields:
            assert getattr(ours, name) == getattr(theirs, name)
            assert type(getattr(ours, name)) is type(getattr(theirs, name))


@given(WEIGHT)
def test_what_the_fast_decoder_takes_the_other_takes_with_the_same_values(value):
    lean, slow = both(json.dumps(value).encode())
    if lean is not None:
        assert_equal(lean, slow)


@given(st.dictionaries(st.sampled_from([*GOOD, "kept_from_seq", "t_event_ms", "clock_quality"]), ANYTHING))
def test_one_odd_field_in_a_right_message_is_seen(odd):
    lean, slow = both(json.dumps(GOOD | odd).encode())
    if lean is not None:
        assert_equal(lean, slow)


@given(st.binary(max_size=40), st.integers(0, 200))
def test_bytes_that_are_no_message_are_left_to_the_other(noise, place):
    payload = json.dumps(GOOD).encode()
    lean, slow = both(payload[:place] + noise + payload[place:])
    if lean is not None:
        assert_equal(lean, slow)


def test_a_right_message_is_taken_fast():
    lean, slow = both(json.dumps(GOOD).encode())
    assert lean is not None
    assert_equal(lean, slow)


@pytest.mark.parametrize(
    "change",
    [
        {"device": "shelf-2"}, {"boot_id": "b\n"}, {"seq": 0}, {"seq": 1.5}, {"x": 1}, {"readings": []},
        {"readings": [{"cell": "c-1", "weight_g": 1e7, "stable": True}]},
        {"readings": [{"cell": "C", "weight_g": 1, "stable": True}]},
        {"readings": [{"cell": "c", "weight_g": "1", "stable": True}]},
        {"readings": [{"cell": "c", "weight_g": 1, "stable": 1}]},
        {"readings": [{"cell": "c", "weight_g": 1, "stable": True}] * 65},
    ],
)  # fmt: skip
def test_a_wrong_message_is_not(change):
    assert lean_weight_from_json("shelf-1", json.dumps(GOOD | change).encode()) is None
