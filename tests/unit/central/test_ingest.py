import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.ingest import BatchVerdict, Verdict, is_live, judge_batch


@pytest.mark.parametrize(
    ("through", "first", "last", "kept", "expected"),
    [
        (None, 1, 3, None, BatchVerdict(Verdict.NEW, 3, take_from=1)),
        (5, 6, 9, None, BatchVerdict(Verdict.NEW, 9, take_from=6)),
        (5, 3, 5, None, BatchVerdict(Verdict.DUPLICATE, 5)),
        (5, 4, 8, None, BatchVerdict(Verdict.OVERLAP, 8, take_from=6)),
        (5, 8, 9, None, BatchVerdict(Verdict.AHEAD, 5)),
        (5, 8, 9, 6, BatchVerdict(Verdict.AHEAD, 5)),
        (5, 8, 9, 8, BatchVerdict(Verdict.LOST, 9, take_from=8, missing=(6, 7))),
        (None, 4, 9, 4, BatchVerdict(Verdict.LOST, 9, take_from=4, missing=(1, 3))),
        (None, 4, 9, None, BatchVerdict(Verdict.AHEAD, 0)),
    ],
)
def test_what_a_batch_is(
    through: int | None, first: int, last: int, kept: int | None, expected: BatchVerdict
) -> None:
    assert judge_batch(through, first, last, rows=last - first + 1, kept_from_seq=kept) == expected


def test_an_empty_batch_asks_for_documents_only() -> None:
    assert judge_batch(7, 0, 0, rows=0, kept_from_seq=None) == BatchVerdict(Verdict.POLL, 7)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), max_size=60))
def test_any_order_of_batches_takes_each_seq_once_and_without_holes(batches: list[tuple[int, int]]) -> None:
    through: int | None = None
    taken: list[int] = []
    for first, more in batches:
        last = first + more
        verdict = judge_batch(through, first, last, rows=more + 1, kept_from_seq=None)
        if verdict.take_from is not None:
            taken.extend(range(verdict.take_from, last + 1))
            through = verdict.acked_through
        assert verdict.acked_through == (through or 0)
    assert taken == list(range(1, len(taken) + 1))


def test_only_the_newest_epoch_decides() -> None:
    assert is_live(2, 2)
    assert is_live(3, 2)
    assert not is_live(1, 2)
