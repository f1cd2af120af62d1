"""A decision waits a moment, can be taken back, and goes out once."""

import asyncio

import pytest

from hq.decisions import MAX_PENDING, Decisions
from hq.errors import CentralRefusedError, HqError


def run(test):
    return asyncio.run(asyncio.wait_for(test, 10))


def recorder(calls, name, error=None):
    async def act():
        calls.append(name)
        if error is not None:
            raise error

    return act


def test_a_decision_goes_out_after_its_moment():
    async def test():
        calls, done = [], asyncio.Event()
        decisions = Decisions(0.01)
        decisions.start(
            "approve",
            {"t1": recorder(calls, "t1"), "t2": recorder(calls, "t2")},
            lambda *seen: (calls.append(seen), done.set()),
        )
        assert decisions.holds("t1")
        await done.wait()
        await asyncio.sleep(0)
        assert calls == ["t1", "t2", (2, [])]
        assert decisions.pending == 0
        assert not decisions.holds("t1")

    run(test())


def test_what_is_taken_back_never_leaves():
    async def test():
        calls = []
        decisions = Decisions(60)
        pending = decisions.start("approve", {"t1": recorder(calls, "t1")}, lambda *seen: calls.append(seen))
        assert pending.take_back()
        assert not decisions.holds("t1")
        await decisions.flush()
        assert calls == []

    run(test())


def test_it_is_too_late_once_it_went_out():
    async def test():
        calls = []
        decisions = Decisions(0)
        pending = decisions.start("approve", {"t1": recorder(calls, "t1")}, lambda *_: None)
        await decisions.flush()
        assert calls == ["t1"]
        assert not pending.take_back()

    run(test())


def test_an_orderly_end_sends_what_waits():
    async def test():
        calls = []
        decisions = Decisions(60)
        decisions.start("approve", {"t1": recorder(calls, "t1")}, lambda *_: None)
        await decisions.flush()
        assert calls == ["t1"]
        assert decisions.pending == 0

    run(test())


def test_one_refusal_does_not_stop_the_rest():
    async def test():
        calls, seen = [], []
        error = CentralRefusedError("approving", "already decided.", "Look again.", 409)
        decisions = Decisions(0)
        decisions.start(
            "approve",
            {"t1": recorder(calls, "t1", error), "t2": recorder(calls, "t2")},
            lambda accepted, refused: seen.append((accepted, refused)),
        )
        await decisions.flush()
        assert calls == ["t1", "t2"]
        assert seen == [(1, [error])]

    run(test())


def test_waiting_decisions_are_bounded():
    async def test():
        decisions = Decisions(60)
        pending = [
            decisions.start("x", {str(n): recorder([], n)}, lambda *_: None) for n in range(MAX_PENDING)
        ]
        with pytest.raises(HqError, match="50 decisions are on their way"):
            decisions.start("x", {"one more": recorder([], "")}, lambda *_: None)
        for one in pending:
            one.take_back()
        await decisions.flush()

    run(test())
