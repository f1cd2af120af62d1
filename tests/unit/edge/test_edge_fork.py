"""An epoch that two files write: an old copy that was put back, a log that went back, two gateways with one identity."""

import json
import shutil

import pytest

from contract.records import AlertRecord, Severity
from edge import fork
from edge.outbox_reader import OutboxReader
from edge.store import ROW_BYTES, Commit
from edge.store_file import open_store


def alert(number):
    return AlertRecord(
        seq=1, at_ms=number, code="x", subject=str(number), severity=Severity.INFO, cleared=False, text=""
    )


class Ledger:
    """What the centre has, by epoch and seq, and the rule by which it takes rows."""

    def __init__(self):
        self.rows = {}
        self.through = {}

    def take(self, store, after_restart=False):
        """Sends all of the store's streams as the uplink does; the epochs whose position is not the store's doing."""
        forks = []
        for stream in store.streams.all():
            if self.through.get(stream.epoch, 0) > stream.frozen_through:
                forks.append((stream.epoch, self.through[stream.epoch]))
                continue
            reader = OutboxReader(store.path)
            for row in reader.rows(stream.epoch, stream.acked_through, stream.frozen_through, 10**6, 10**9):
                if row.seq > self.through.get(stream.epoch, 0):
                    self.rows[stream.epoch, row.seq] = row
                    self.through[stream.epoch] = row.seq
            reader.close()
            stream.acked_through = stream.frozen_through
            store.commit(Commit(0, acked={stream.epoch: stream.acked_through}))
        return forks

    def subjects(self):
        return sorted(
            int(json.loads(row.text)["subject"]) for row in self.rows.values() if row.kind == "alert"
        )

    def gaps(self):
        return [json.loads(row.text) for row in self.rows.values() if row.kind == "gap"]


def sync(ledger, store):
    for epoch, through in ledger.take(store):
        fork.leave_epoch(store, epoch, through, 5)
        store.freeze()
        assert ledger.take(store) == []
    assert store.streams.waiting() == 0
    assert store.outbox_bytes == 0


@pytest.fixture
def ledger():
    return Ledger()


def test_a_backup_put_back_loses_nothing_that_it_records_and_counts_nothing_twice(tmp_path, ledger):
    store = open_store(tmp_path / "a", 0)
    store.commit(Commit(0, records=[alert(n) for n in range(1, 11)]))
    sync(ledger, store)
    store.commit(Commit(0, records=[alert(n) for n in (11, 12)]))  # on the wire when the backup is made
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    store.commit(Commit(0, records=[alert(n) for n in range(13, 31)]))
    sync(ledger, store)
    store.close()
    back = open_store(tmp_path / "b", 0)
    old = back.streams.live.epoch
    back.commit(Commit(0, records=[alert(n) for n in range(101, 106)]))
    sync(ledger, back)
    assert ledger.subjects() == [*range(1, 31), *range(101, 106)]
    [gap] = ledger.gaps()
    assert gap["lost_epoch"] == old
    assert back.streams.live.epoch != old
    back.close()


def test_a_backup_that_has_overtaken_the_centre_by_number_is_noticed_by_the_question_before(tmp_path, ledger):
    """Its new rows end past the centre's position: without the question half of them would be taken as known."""
    store = open_store(tmp_path / "a", 0)
    store.commit(Commit(0, records=[alert(1)]))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    store.commit(Commit(0, records=[alert(2), alert(3)]))
    sync(ledger, store)
    store.close()
    back = open_store(tmp_path / "b", 0)
    stream = back.streams.live
    assert not stream.is_known  # so the uplink asks first, and is told 3, where this file says 1
    assert ledger.through[stream.epoch] > stream.frozen_through
    back.close()


def test_two_copies_of_one_file_end_in_epochs_of_their_own(tmp_path, ledger):
    store = open_store(tmp_path / "a", 0)
    store.commit(Commit(0, records=[alert(1)]))
    sync(ledger, store)
    store.close()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    one, other = open_store(tmp_path / "a", 0), open_store(tmp_path / "b", 0)
    one.commit(Commit(0, records=[alert(n) for n in range(10, 15)]))
    other.commit(Commit(0, records=[alert(n) for n in range(20, 23)]))
    for _ in range(2):
        sync(ledger, one)
        sync(ledger, other)
        one.commit(Commit(0, records=[alert(30)]))
        other.commit(Commit(0, records=[alert(40)]))
    assert ledger.subjects() == [1, 10, 11, 12, 13, 14, 20, 21, 22, 30, 40]
    assert one.streams.live.epoch != other.streams.live.epoch
    one.close()
    other.close()


def test_what_the_centre_may_have_from_a_twin_is_not_sent_again_but_declared(tmp_path, ledger):
    store = open_store(tmp_path / "a", 0)
    store.commit(Commit(0, records=[alert(1), alert(2), alert(3)]))
    stream = store.streams.live
    ledger.through[stream.epoch], stream.had_twin = 2, True
    fork.leave_epoch(store, stream.epoch, 2, 5)
    store.freeze()
    assert ledger.take(store) == []
    assert ledger.subjects() == [3]
    [gap] = ledger.gaps()
    assert "2 records" in gap["what"]
    store.close()


def test_leaving_is_one_transaction_and_done_once(tmp_path, ledger, monkeypatch):
    monkeypatch.setattr(fork, "CHUNK_ROWS", 3)
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[alert(n) for n in range(1, 12)], freeze=False))
    old = store.streams.live.epoch
    store.db.execute("DELETE FROM outbox WHERE seq = 4")  # a hole, as merging leaves one
    store.streams.live.holes, store.outbox_bytes = 1, 0
    store.outbox_bytes = sum(
        size + ROW_BYTES for (size,) in store.db.execute("SELECT length(json) FROM outbox")
    )
    fresh = fork.leave_epoch(store, old, 50, 5)
    assert fork.leave_epoch(store, old, 50, 5) is None
    assert [stream.epoch for stream in store.streams.all()] == [fresh]
    store.freeze()
    ledger.take(store)
    assert ledger.subjects() == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert sorted(seq for _, seq in ledger.rows) == list(range(1, 12))
    assert store.outbox_bytes == 0
    again = open_store(tmp_path, 0)
    assert [stream.epoch for stream in again.streams.all()] == [fresh]
    again.close()
    store.close()
