"""When a commit is due: at most 250 ms late above 100 messages a second, 1 s below, at once when it is urgent."""

import pytest

from edge.gather import Gathering, is_time_to_commit

RULES = Gathering(0.25, 1.0)


def due_s(arrivals, rules=RULES, *, urgent_from_s=None):
    """The moment of the commit, looking every 5 ms, of messages that arrive at these moments (the first at 0)."""
    for step in range(1, 1000):
        now_s = step * 0.005
        came = [at_s for at_s in arrivals if at_s <= now_s]
        urgent = urgent_from_s is not None and now_s >= urgent_from_s
        if is_time_to_commit(
            rules, count=len(came), waited_s=now_s, quiet_s=now_s - came[-1], is_urgent=urgent
        ):
            return now_s
    raise AssertionError("never")


def every(seconds):
    return [n * seconds for n in range(2000)]


@pytest.mark.parametrize(
    ("gap_s", "latest_s"), [(0.0005, 0.26), (0.005, 0.26), (0.0095, 0.26), (0.011, 1.01), (0.1, 1.01)]
)
def test_a_commit_is_never_later_than_promised(gap_s, latest_s):
    assert due_s(every(gap_s)) <= latest_s


@pytest.mark.parametrize("gap_s", [0.0005, 0.005])
def test_a_steady_stream_is_gathered(gap_s):
    assert due_s(every(gap_s)) >= 0.24


def test_a_slow_stream_waits_for_company():
    assert due_s(every(0.02)) >= 0.99
    assert due_s([0.0]) == pytest.approx(1.0, abs=0.006)


def test_a_rush_that_comes_late_is_not_kept_waiting():
    assert due_s([0.0, *(0.5 + n * 0.001 for n in range(400))]) <= 0.5 + 0.26


def test_a_receipt_waits_for_no_company():
    assert due_s([0.0], urgent_from_s=0.0) <= 0.01
    assert due_s(every(0.02), urgent_from_s=0.1) <= 0.12


def test_what_rushes_in_with_a_receipt_is_gathered_but_not_for_ever():
    assert 0.24 <= due_s(every(0.0005), urgent_from_s=0.0) <= 0.26


def test_a_broker_that_sends_no_more_until_we_acknowledge_is_not_waited_for():
    burst = [n * 0.0002 for n in range(32)]
    assert due_s(burst) <= 0.04


def test_a_simulation_is_never_kept_waiting():
    assert due_s([0.0], Gathering(0.01, 0.01, 0.002, is_eager=True)) <= 0.01
