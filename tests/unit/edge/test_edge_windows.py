"""Event-time windows: sums are conserved whatever the order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.windows import Windows

SPAN = 60_000


def test_boundaries_belong_to_the_later_window():
    windows = Windows(SPAN)
    windows.add("a", SPAN - 1, picked_units=1)
    windows.add("a", SPAN, picked_units=2)
    assert [(row.start_ms, row.picked_units) for row in windows.close(2 * SPAN)] == [(0, 1), (SPAN, 2)]


def test_a_window_closes_when_the_watermark_reaches_its_end():
    windows = Windows(SPAN)
    windows.add("a", 5, picked_units=1)
    assert windows.close(SPAN - 1) == []
    assert windows.next_close_ms() == SPAN
    assert len(windows.close(SPAN)) == 1
    assert windows.next_close_ms() is None


def test_a_late_item_makes_a_further_row_of_its_own_window():
    windows = Windows(SPAN)
    windows.add("a", 5, picked_units=1)
    windows.close(SPAN)
    windows.add("a", 7, picked_units=2)
    assert [(row.start_ms, row.picked_units) for row in windows.close(SPAN)] == [(0, 2)]


def test_nothing_happened_makes_no_row():
    assert Windows(SPAN).close(10**12) == []


items = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10 * SPAN), st.integers(1, 5)), max_size=40)


@settings(deadline=None)
@given(
    items, st.lists(st.integers(0, 12 * SPAN), max_size=10), st.randoms(use_true_random=False), st.booleans()
)
def test_sums_per_window_are_conserved_under_reordering_and_restarts(rows, marks, rng, restart):
    expected = {}
    for sku, at, units in rows:
        key = (sku, at - at % SPAN)
        expected[key] = expected.get(key, 0) + units
    steps = [("add", row) for row in rows] + [("close", mark) for mark in marks]
    rng.shuffle(steps)
    windows, found = Windows(SPAN), {}

    def close(mark):
        for row in windows.close(mark):
            key = (row.sku, row.start_ms)
            found[key] = found.get(key, 0) + row.picked_units

    saved = {}
    for kind, value in steps:
        if kind == "add":
            windows.add(value[0], value[1], picked_units=value[2])
        else:
            close(value)
        if restart:
            for _, key, text in windows.changed():
                if text is None:
                    saved.pop(key, None)
                else:
                    saved[key] = text
            windows = Windows(SPAN)
            for key, text in saved.items():
                windows.rows.restore(key, text)
    close(10**15)
    assert found == expected
