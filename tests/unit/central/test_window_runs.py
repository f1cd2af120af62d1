"""Windows of a batch in one row: none is lost, none is changed, and their sums stand beside them."""

from hypothesis import given
from hypothesis import strategies as st

from central.ledger import tables
from central.ledger.window_runs import NAMES, run_row, unpack
from contract.batch_reading import WindowRow

COUNTS, TIMES = st.integers(-(2**40), 2**40), st.integers(0, 2**42)
MAYBE = st.none() | COUNTS
WINDOWS = st.lists(
    st.tuples(
        TIMES,
        TIMES,
        st.text(max_size=5),
        TIMES,
        COUNTS,
        COUNTS,
        COUNTS,
        COUNTS,
        MAYBE,
        MAYBE,
        COUNTS,
        st.none() | TIMES,
    ).map(WindowRow._make),
    min_size=1,
    max_size=6,
)


@given(WINDOWS)
def test_what_goes_into_a_run_comes_out_of_it(rows: list[WindowRow]) -> None:
    names = [column.name for column in tables.windows.columns]
    run = dict(zip(names, run_row(("store-1", "gw-1", "e1"), rows), strict=True))
    assert unpack(run["body"]) == rows
    for name in set(NAMES) & {
        "picked_units",
        "put_back_units",
        "refilled_units",
        "unresolved_g",
        "stock_out_ms",
    }:
        assert run[name] == sum(getattr(row, name) for row in rows)
    assert (run["seq"], run["last_seq"], run["window_count"]) == (rows[0].seq, rows[-1].seq, len(rows))
    assert (run["at_ms"], run["until_ms"]) == (
        min(row.at_ms for row in rows), max(row.at_ms + row.span_ms for row in rows),
    )  # fmt: skip
