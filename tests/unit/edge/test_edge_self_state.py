"""What the gateway tells the centre of itself: how long commits take, what waits, and that no centre is hurt by it."""

import time
from types import SimpleNamespace

import pytest
from test_edge_uplink import Rig

from contract.gateway_state import GatewayState
from contract.records import AlertRecord, Severity
from edge import self_state, uplink
from edge.commit_pace import BUCKET_S, BUCKETS, CommitPace
from edge.core.messages import ConditionReported
from edge.self_state import SelfState
from edge.store import Commit
from runtime.errors import RetryLaterError


class Watch:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


def commit(pace, watch, took_s):
    pace.begin()
    watch.now_s += took_s
    pace.end()


def test_the_slowest_commit_of_the_last_ten_minutes_is_told_and_then_forgotten():
    watch = Watch()
    pace = CommitPace(watch)
    assert pace.slowest_ms() == 0
    for took_s in (0.01, 3.0, 0.02):
        commit(pace, watch, took_s)
    assert pace.slowest_ms() == 3000
    watch.now_s += BUCKET_S * (BUCKETS - 1)
    commit(pace, watch, 0.5)
    assert pace.slowest_ms() == 3000
    watch.now_s += 2 * BUCKET_S
    assert pace.slowest_ms() == 500


def test_a_commit_that_does_not_end_is_told_while_it_hangs():
    watch = Watch()
    pace = CommitPace(watch)
    pace.begin()
    watch.now_s += 42
    assert pace.slowest_ms() == 42_000
    pace.end()
    assert pace.slowest_ms() == 42_000


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.setattr(uplink.Uplink, "_pause", lambda self, wait_s: None)
    rig = Rig(tmp_path)
    at = Watch()
    loop = SimpleNamespace(pace=CommitPace(at), disk_problem="", bundle_problem="")
    settings = SimpleNamespace(outbox_max_bytes=1000, clock_file="")
    rig.tells = rig.uplink.tells = SelfState(settings, rig.store, loop, lambda: 7, 0.0, host="box\n-1")
    rig.loop, rig.at = loop, at
    rig.store.commit(Commit(0, records=[AlertRecord(
        seq=1, at_ms=2, code="x", subject="s", severity=Severity.INFO, cleared=False, text="")]))  # fmt: skip
    yield rig
    rig.reader.close()
    rig.store.close()


def states(rig):
    return [body.state for body in rig.centre.bodies]


def test_a_batch_carries_the_gateways_state_as_the_contract_has_it(told):
    told.cycle()
    [state] = states(told)
    assert isinstance(state, GatewayState)
    assert (state.host, state.outbox_rows, state.outbox_max_bytes) == ("box\\x0a-1", 1, 1000)
    assert (state.oldest_waiting_ms, state.inbox_messages) == (3, 7)  # the row is of 2, the clock says 5
    assert told.uplink.status.oldest_waiting_ms == 3
    written = set(told.tells.next(lambda: 0, 0) or {}) or set(state.model_fields_set)
    assert written == set(GatewayState.model_fields), "the contract and the gateway have the same fields"


def test_it_is_told_now_and_then_and_often_while_the_disk_hangs(told, monkeypatch):
    assert told.tells.next(lambda: 0, 0) is not None
    assert told.tells.next(lambda: 0, 0) is None
    monkeypatch.setattr(self_state, "OFTEN_S", 0.0)
    told.loop.disk_problem = "no space left"
    assert told.tells.next(lambda: 0, 0)["disk_problem"] == "no space left"
    told.loop.disk_problem = ""
    healed = told.tells.next(lambda: 0, 0)  # that it is over is news, too
    assert healed["disk_problem"] == ""
    assert told.tells.next(lambda: 0, 0) is None


def test_what_did_not_arrive_is_told_again(told):
    told.centre.script = [RetryLaterError("gone"), 503]
    for _ in range(3):
        told.cycle()
    assert all(states(told)[1:])
    assert len(states(told)) >= 2


def test_a_centre_that_knows_no_state_costs_no_row(told):
    told.centre.script = [400]
    told.cycle()
    told.cycle()
    assert [state is None for state in states(told)] == [False, True]
    found = []
    while not told.uplink.inbox.empty():
        found.append(told.uplink.inbox.get())
    kinds = {type(item).__name__ for item in found if not isinstance(item, ConditionReported)}
    assert kinds == {"Acked"}
    assert told.tells.next(lambda: 0, 0) is None
    assert told.tells._told_s > time.monotonic()
