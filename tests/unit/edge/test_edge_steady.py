"""The fast way of a reading that moves nothing ends where the thorough way ends."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.core.weight import CellFacing, CellRow, begin_facing, observe
from edge.core.weight_steady import keeps_still

FACINGS = st.builds(
    CellFacing,
    sku=st.just("a"),
    unit_weight_g=st.sampled_from([None, 5.0, 9.0, 60.0, 250.0, 1000.0]),
    tare_g=st.sampled_from([0.0, 40.0]),
    capacity_units=st.sampled_from([5, 20]),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["still", "still", "still", "pick", "refill", "foreign", "drift", "unstable"]),
        st.floats(-5, 5),
        st.sampled_from([0.0, 0.5, 3.0, 30.0]),
        st.sampled_from([100, 5_000, 200_000, 2_000_000, -50]),
    ),
    max_size=40,
)  # fmt: skip


@given(FACINGS, STEPS)
def test_both_ways_end_in_the_same_state(facing, steps):
    unit_g = facing.unit_weight_g or 100.0
    fast, thorough = CellRow(), CellRow()
    for cell in (fast, thorough):
        begin_facing(cell, facing, 0, 0)
    weight_g, at_ms = facing.tare_g + 10 * unit_g, 1_000_000
    for kind, noise_g, sd_g, step_ms in [("still", 0.0, 1.0, 100), *steps]:
        at_ms += step_ms
        weight_g += {"pick": -unit_g, "refill": 3 * unit_g, "foreign": 0.4 * unit_g, "drift": 1.5}.get(
            kind, 0.0
        )
        stable = kind != "unstable"
        expected = observe(thorough, facing, weight_g + noise_g, sd_g, at_ms, stable=stable)
        before = replace(fast)
        if stable and keeps_still(fast, facing, weight_g + noise_g, sd_g, at_ms):
            assert expected == []
        else:
            assert fast == before, "it says no, so it must have done nothing"
            observe(fast, facing, weight_g + noise_g, sd_g, at_ms, stable=stable)
        assert fast == thorough


def test_noise_takes_the_fast_way():
    facing = CellFacing("a", 250.0, 0.0, 20)
    cell = CellRow()
    begin_facing(cell, facing, 0, 0)
    observe(cell, facing, 2500.0, 1.0, 1000, stable=True)
    assert keeps_still(cell, facing, 2500.4, 1.0, 2000)
    assert (cell.base_g, cell.last_ms, cell.units) == (2500.4, 2000, 10)
    assert not keeps_still(cell, facing, 2250.4, 1.0, 3000)
