from hypothesis import given
from hypothesis import strategies as st

from contract.devices import Scan
from simulator.devices.journal import RESEND_FIRST_MS, Journal


def _journal(count=0, **more):
    journal = Journal("till-1", "b-1", 1_000, has_clock=True, **more)
    for _ in range(count):
        journal.add(Scan, 2_000, raw="1")
    return journal


def _take_all(journal, now_ms=0):
    taken = []
    while journal.has_next():
        taken.append(journal.take(now_ms))
    return taken


def test_events_are_numbered_from_one_and_say_from_where_they_are_kept():
    events = _take_all(_journal(3))
    assert [(event.seq, event.kept_from_seq, event.t_device_ms) for event in events] == [
        (1, 1, 1000),
        (2, 1, 1000),
        (3, 1, 1000),
    ]


def test_what_is_stored_is_freed_and_a_resend_says_the_new_beginning():
    journal = _journal(3)
    _take_all(journal)
    journal.stored("b-1", 2, 10)
    journal.rewind()
    assert [(event.seq, event.kept_from_seq) for event in _take_all(journal)] == [(3, 3)]
    assert journal.resends == 1


def test_stored_of_another_boot_frees_nothing():
    journal = _journal(2)
    journal.stored("b-0", 99, 0)
    assert journal.kept == 2


def test_without_stored_everything_is_sent_again_after_two_seconds_then_later_and_later():
    journal = _journal(2)
    _take_all(journal, now_ms=0)
    journal.on_time(RESEND_FIRST_MS - 1)
    assert not journal.has_next()
    journal.on_time(RESEND_FIRST_MS)
    assert [event.seq for event in _take_all(journal, RESEND_FIRST_MS)] == [1, 2]
    assert journal.resend_at_ms == RESEND_FIRST_MS + 2 * RESEND_FIRST_MS


def test_a_full_memory_gives_up_the_oldest_and_counts_it():
    journal = _journal(5, max_kept=3)
    assert journal.dropped == 2
    assert [(event.seq, event.kept_from_seq) for event in _take_all(journal)] == [(3, 3), (4, 3), (5, 3)]


def test_a_device_without_a_clock_says_so():
    journal = Journal("shelf-1", "b-1", 0, has_clock=False)
    journal.add(Scan, 5, raw="1")
    event = journal.take(0)
    assert (event.t_event_ms, event.clock_quality, event.t_device_ms) == (None, "unknown", 5)


@given(
    st.lists(st.one_of(st.just("add"), st.just("take"), st.just("rewind"), st.integers(0, 12)), max_size=60)
)
def test_whatever_happens_nothing_unstored_is_lost_and_nothing_stored_comes_back(steps):
    journal = _journal()
    stored = 0
    for step in steps:
        if step == "add":
            journal.add(Scan, 2_000, raw="1")
        elif step == "take" and journal.has_next():
            event = journal.take(0)
            assert event.seq > stored
            assert event.kept_from_seq == stored + 1
        elif step == "rewind":
            journal.rewind()
        elif isinstance(step, int):
            through = min(step, journal.events_made)
            journal.stored("b-1", through, 0)
            stored = max(stored, through)
    journal.rewind()
    assert [event.seq for event in _take_all(journal)] == list(range(stored + 1, journal.events_made + 1))
