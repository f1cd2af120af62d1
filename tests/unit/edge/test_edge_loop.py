"""What the loop does beside its steps: an acknowledged backlog leaves the file."""

import queue

import pytest

from contract.records import AlertRecord, Severity
from edge import backlog as backlog_module
from edge.core.step import EdgeCore
from edge.errors import DiskError
from edge.gather import Gathering
from edge.inbox import Inbox
from edge.loop import EdgeLoop
from edge.staging.model_stage import open_stage
from edge.store import Commit
from edge.store_file import open_store
from edge.uplink import Acked, UplinkStatus
from models.bundle import DEMO_PUBLIC_KEY
from models.inference import baseline_models


class Clock:
    now = 1_504_526_400_000

    def now_ms(self):
        self.now += 1000
        return self.now


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path, 0)
    alert = AlertRecord(
        seq=1, at_ms=0, code="x", subject="y", severity=Severity.INFO, cleared=False, text="z" * 200
    )
    store.commit(Commit(0, records=[alert] * 20_000))
    yield store
    store.close()


@pytest.fixture
def loop(store, tmp_path):
    stage = open_stage(tmp_path, baseline_models("none in this test"), DEMO_PUBLIC_KEY)
    return EdgeLoop(
        EdgeCore(version="test"), store, stage, Clock(), Inbox(1000), queue.Queue(),
        UplinkStatus(), lambda topic, payload: None, lambda messages: None, gathering=Gathering(0.0, 0.0),
        idle_wait_s=0, outbox_max_bytes=10**8, is_stopping=lambda: False,
    )  # fmt: skip


def size_after(store, loop, cycles):
    epoch = store.streams.live.epoch
    for _ in range(cycles):
        loop._uplink_inbox.put(Acked(epoch, 20_000))
        loop.cycle(0.0)
        loop._acked_since_s = -1e9  # the linger of acknowledgements is over
        loop.cycle(0.0)
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return store.path.stat().st_size


def test_the_file_shrinks_once_an_outage_is_drained(store, loop, monkeypatch):
    monkeypatch.setattr(backlog_module, "RECLAIM_AGAIN_S", 0.0)
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = store.path.stat().st_size
    assert size_after(store, loop, 15) < before / 2


def test_giving_room_back_is_not_tried_at_each_commit(store, loop, monkeypatch):
    tries = []
    monkeypatch.setattr(store, "reclaim", lambda: tries.append(1))
    size_after(store, loop, 5)
    assert len(tries) == 1


def test_a_disk_that_refuses_to_shrink_the_file_stops_nothing(store, loop, monkeypatch):
    def refuse():
        raise DiskError("full")

    monkeypatch.setattr(store, "reclaim", refuse)
    size_after(store, loop, 2)
    assert loop.disk_problem == ""
    assert store.streams.live.last_seq >= 20_000
