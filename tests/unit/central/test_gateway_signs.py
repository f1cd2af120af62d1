"""What HQ is told of a gateway that does badly, and two boxes with one identity, over restarts and workers."""

from pathlib import Path

import pytest
from central_rows import START_MS, receipt
from ledger_kinds import database, on_both
from test_ledger import GATEWAY, STORE, Bench

from central.core.gateway_signs import LATE_MS, Watched, signs_of
from central.core.identity import LEASE_MS
from central.errors import ConflictError
from central.gateway_watch import GatewayWatch, merged_twin
from central.ingestion import take_batch
from central.ledger.gateway_views import gateway_views
from contract.api.gateways import TwinView
from contract.batch import BatchRows, batch_from_records
from contract.devices import ClockQuality
from contract.gateway_state import GatewayState

WELL = GatewayState(
    host="pi-1", outbox_max_bytes=1000, slowest_commit_ms=40, clock_quality=ClockQuality.SYNCED
)
TWIN = TwinView(run="r2", host="pi-2", heard_host="pi-1", first_ms=0, last_ms=1000, refusals=3)


def codes(state=WELL, *, online=True, ahead_ms=0, twin=None, simulated=False, now_ms=1000):
    seen = Watched("gw-1", online, state, ahead_ms, twin, simulated)
    return [sign.code for sign in signs_of(seen, now_ms)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"slowest_commit_ms": 2_000}, ["disk-slow"]),
        ({"slowest_commit_ms": 10_000}, ["disk-stalls"]),
        ({"disk_problem": "no space left", "slowest_commit_ms": 60_000}, ["disk-refuses", "disk-stalls"]),
        ({"damaged_rows": 1}, ["disk-damaged"]),
        ({"outbox_bytes": 700}, ["outbox-filling"]),
        ({"outbox_bytes": 950}, ["outbox-full"]),
        ({"oldest_waiting_ms": LATE_MS}, ["records-late"]),
        ({"clock_quality": ClockQuality.ESTIMATED}, ["clock-unkept"]),
    ],
)
def test_each_trouble_has_its_sign_and_a_next_step(change, expected):
    seen = Watched("gw-1", True, WELL.model_copy(update=change), 0, None)
    signs = signs_of(seen, 1000)
    assert [sign.code for sign in signs] == expected
    assert all(len(sign.do) > 20 and sign.do.endswith(".") for sign in signs)


def test_a_silent_gateway_a_clock_that_is_off_and_one_that_never_told():
    assert codes(None) == []
    assert codes(None, online=False) == ["silent"]
    assert codes(ahead_ms=-90_000) == ["clock-off"]
    late = WELL.model_copy(update={"oldest_waiting_ms": LATE_MS})
    assert codes(late, online=False) == ["silent"]  # of course it waits
    assert codes(late, ahead_ms=90_000, simulated=True) == []  # shop time runs as it likes


def test_the_worst_comes_first_and_a_twin_that_fell_silent_is_history():
    assert codes(WELL.model_copy(update={"damaged_rows": 1, "outbox_bytes": 999}), twin=TWIN) == [
        "twin", "outbox-full", "disk-damaged",
    ]  # fmt: skip
    assert codes(twin=TWIN, now_ms=1000 + LEASE_MS) == []


def test_what_several_workers_saw_of_one_second_box_is_added_up():
    elsewhere = TWIN.model_copy(update={"first_ms": 500, "last_ms": 2000, "refusals": 4, "host": ""})
    both = merged_twin(TWIN, elsewhere, 4)
    assert (both.first_ms, both.last_ms, both.refusals, both.host) == (0, 2000, 7, "pi-2")
    assert merged_twin(TWIN, elsewhere.model_copy(update={"run": "r9"}), 4).refusals == 4
    assert merged_twin(None, TWIN, 3) == TWIN


def test_no_more_twins_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("central.gateway_watch.MAX_TWINS", 3)
    watch = GatewayWatch()
    for number in range(10):
        watch.refused(f"gw-{number}", "r2", None, number)
    assert len(watch.twins) == 3


class Worker:
    """One centre on the ledger; several of them are the workers of one, or the same before and after a restart."""

    def __init__(self, bench: Bench, centre: Bench):
        self.bench, self.centre = bench, centre

    def speak(self, run, rows=(), state=None, epoch="e1"):
        batch = batch_from_records(
            gateway=GATEWAY, store=STORE, epoch=epoch, sent_at_ms=START_MS, have={}, rows=list(rows)
        )
        batch = batch.model_copy(update={"run": run, "state": state})
        return self.bench.run(lambda work: take_batch(work, batch, BatchRows(tuple(rows), ())))

    def flush(self):
        transaction = self.bench.centre.writer.transaction(START_MS)
        self.bench.centre.memory.watch.flush(transaction.connection)
        transaction.commit()
        transaction.close()

    def view(self):
        centre = self.bench.centre
        with centre.ledger.read.connect() as connection:
            [view] = gateway_views(connection, now_ms=START_MS, look=centre.look_at_gateways())
        return view


@pytest.fixture
def workers(kind, tmp_path: Path):
    with database(kind) as url:
        first = Bench(tmp_path, url)
        second = Bench.__new__(Bench)
        second.settings, second.ledger = first.settings, type(first.ledger)(first.settings.url)
        second.centre = type(first.centre)(second.ledger, first.settings, first.centre.clock)
        yield Worker(first, first), Worker(second, second)
        for bench in (first, second):
            bench.centre.stop.set()
            bench.ledger.close()


@on_both
def test_a_second_box_is_refused_by_every_worker_and_after_a_restart(kind, workers):
    one, other = workers
    one.speak("run-a", [receipt(1, seq=1)], WELL)
    other.speak("run-b", state=WELL.model_copy(update={"host": "pi-2"}), epoch="e2")  # takes over
    if kind == "sqlite":
        one.bench.centre.memory.forget()  # one process writes SQLite: the second stands for it after a restart
    for worker in (one, other):
        with pytest.raises(ConflictError, match="another gateway speaks as gw-1"):
            worker.speak("run-a", [receipt(2, seq=2)], WELL)
    assert other.speak("run-b", [receipt(3, seq=1)], epoch="e2").acked_through == 1
    one.flush()
    other.flush()
    for worker in (one, other):
        view = worker.view()
        assert [sign.code for sign in view.signs] == ["twin"]
        assert view.twin is not None
        assert (view.twin.run, view.twin.host, view.twin.refusals) == ("run-a", "pi-1", 2)
    assert other.view().twin.heard_host == "pi-2"


@on_both
def test_what_a_gateway_told_is_seen_by_every_worker(kind, workers):
    one, other = workers
    one.speak("run-a", state=WELL.model_copy(update={"slowest_commit_ms": 12_000}))
    assert one.view().state.slowest_commit_ms == 12_000
    assert other.view().state is None
    one.flush()
    assert [sign.code for sign in other.view().signs if sign.code != "silent"] == ["disk-stalls"]
    other.speak("run-a", state=WELL)
    other.flush()  # told in the same millisecond: the ledger keeps what it has, the worker shows what it heard
    assert [sign.code for sign in other.view().signs if sign.code != "silent"] == []
