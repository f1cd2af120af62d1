"""The one file: a commit is all or nothing, sent rows are frozen, a damaged file is set aside."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.records import AlertRecord, Severity
from edge.core.effects import PutAside
from edge.errors import DiskError
from edge.outbox_reader import OutboxReader
from edge.store import KEPT_FREE_PAGES, Commit
from edge.store_file import open_store
from runtime.errors import OperatorError


def alert(number=1):
    return AlertRecord(
        seq=1, at_ms=number, code="x", subject=str(number), severity=Severity.INFO, cleared=False, text=""
    )


def checkpoint(store):
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def rows_of(store, epoch=None, after=0):
    reader = OutboxReader(store.path)
    try:
        return reader.rows(epoch or store.streams.live.epoch, after, 10**9, 10_000, 10**9)
    finally:
        reader.close()


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path, 0)
    yield store
    store.close()


def test_records_get_the_next_seqs_and_survive(tmp_path, store):
    store.commit(Commit(0, records=[alert(1), alert(2)], rows=[("k", "a", "1")]))
    store.commit(Commit(0, records=[alert(3)], rows=[("k", "a", None), ("k", "b", "2")]))
    epoch = store.streams.live.epoch
    store.close()
    again = open_store(tmp_path, 0)
    assert (again.streams.live.epoch, again.streams.live.last_seq) == (epoch, 3)
    assert [row.seq for row in rows_of(again)] == [1, 2, 3]
    assert again.state_rows() == [("k", "b", "2")]
    again.close()


def test_a_commit_that_fails_saves_nothing_and_may_be_tried_again(store):
    store._db.execute("PRAGMA max_page_count=30")
    big = Commit(0, records=[alert(n) for n in range(2000)], rows=[("k", "a", "1")])
    with pytest.raises(DiskError, match="full"):
        store.commit(big)
    assert store.streams.live.last_seq == 0
    assert store.state_rows() == []
    store._db.execute("PRAGMA max_page_count=1073741823")
    store.commit(big)
    assert store.streams.live.last_seq == 2000


def test_acknowledged_rows_go_and_their_bytes_are_counted_back(store):
    store.commit(Commit(0, records=[alert(n) for n in range(10)]))
    before = store.outbox_bytes
    store.commit(Commit(0, acked={store.streams.live.epoch: 4}))
    assert [row.seq for row in rows_of(store)] == [5, 6, 7, 8, 9, 10]
    assert store.outbox_bytes == sum(len(row.text) for row in rows_of(store)) < before


def test_a_drained_outbox_gives_its_room_back_to_the_disk(tmp_path, store):
    store.commit(Commit(0, records=[alert(n) for n in range(30_000)]))
    store.commit(Commit(0, acked={store.streams.live.epoch: 30_000}))
    store.reclaim()  # some of it
    for _ in range(10):
        store.reclaim()
    checkpoint(store)
    kept = (tmp_path / "edge.sqlite").stat().st_size
    assert kept < (KEPT_FREE_PAGES + 200) * 1024
    store.reclaim()  # what an ordinary day needs stays
    checkpoint(store)
    assert (tmp_path / "edge.sqlite").stat().st_size == kept


def test_rows_wait_unfrozen_during_an_outage_and_are_frozen_after_it(store):
    store.commit(Commit(0, records=[alert(1)], freeze=False))
    assert store.streams.live.frozen_through == 0
    store.freeze()
    assert store.streams.live.frozen_through == 1


def test_a_refused_record_goes_to_quarantine_with_the_reason(store):
    store.commit(Commit(0, records=[alert(1), alert(2)]))
    epoch = store.streams.live.epoch
    store.commit(Commit(0, acked={epoch: 2}, refused=[(epoch, 2, "odd")]))
    [(source, reason)] = store._db.execute("SELECT source, reason FROM quarantine").fetchall()
    assert epoch in source
    assert "odd" in reason


def test_a_poisoned_row_is_replaced_by_a_gap_at_its_seq(store):
    store.commit(Commit(0, records=[alert(1), alert(2)]))
    epoch = store.streams.live.epoch
    for _ in range(2):  # told twice, done once
        store.commit(Commit(0, poisoned=[(epoch, 1, "sick")]))
    assert [(row.seq, row.kind) for row in rows_of(store)] == [(1, "gap"), (2, "alert")]
    assert store.quarantine_rows() == 1


def test_a_new_epoch_takes_the_live_records_and_the_old_one_drains_beside_it(tmp_path, store):
    store.commit(Commit(0, records=[alert(1), alert(2)], freeze=False))
    old = store.streams.live.epoch
    new = store.open_epoch()
    store.commit(Commit(0, records=[alert(3)]))
    assert new != old
    assert [row.seq for row in rows_of(store, old)] == [1, 2]
    assert [row.seq for row in rows_of(store, new)] == [1]
    store.streams.all()[0].acked_through = 2
    store.drop_drained()
    store.close()
    again = open_store(tmp_path, 0)
    assert [stream.epoch for stream in again.streams.all()] == [new]
    again.close()


def test_the_quarantine_is_bounded_and_says_what_it_dropped(store, monkeypatch):
    monkeypatch.setattr("edge.store.MAX_QUARANTINE_ROWS", 5)
    for number in range(8):
        store.commit(Commit(0, put_aside=[PutAside("s", "t", f"r{number}", b"x", 0)]))
    assert (store.quarantine_rows(), store.quarantine_dropped) == (5, 3)
    assert store._db.execute("SELECT min(reason) FROM quarantine").fetchone()[0] == "r3"


@pytest.mark.parametrize("damage", ["zeros", "noise", "half"])
def test_a_damaged_file_is_set_aside_and_a_new_epoch_declares_the_gap(tmp_path, damage):
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[alert(n) for n in range(500)]))
    old = store.streams.live.epoch
    store.close()
    path = tmp_path / "edge.sqlite"
    content = path.read_bytes()
    path.write_bytes(
        {
            "zeros": bytes(len(content)),
            "noise": b"\x5a" * len(content),
            "half": content[: len(content) // 2 + 300],
        }[damage]
    )
    again = open_store(tmp_path, 7)
    [row] = rows_of(again)
    assert row.kind == "gap"
    assert old in row.text
    assert again.streams.live.epoch != old
    assert (tmp_path / "edge.sqlite.corrupt-1").exists()
    again.close()


def test_a_vanished_file_is_noticed(tmp_path):
    store = open_store(tmp_path, 0)
    old = store.streams.live.epoch
    store.close()
    for path in tmp_path.glob("edge.sqlite*"):
        path.unlink()
    again = open_store(tmp_path, 0)
    assert [row.kind for row in rows_of(again)] == ["gap"]
    assert old in rows_of(again)[0].text
    again.close()


def test_a_first_start_declares_no_gap(store):
    assert rows_of(store) == []


def test_a_file_of_a_newer_version_is_left_alone(tmp_path, store):
    store._db.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(OperatorError, match="newer version"):
        open_store(tmp_path, 0)
    assert sqlite3.connect(tmp_path / "edge.sqlite").execute("PRAGMA user_version").fetchone() == (99,)


def test_a_state_dir_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="state_dir"):
        open_store(tmp_path / "file", 0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["commit", "ack", "reopen", "outage", "back"]), st.integers(1, 5)),
        max_size=30,
    )
)
def test_no_row_is_lost_and_no_sent_row_ever_changes(tmp_path_factory, steps):
    """Whatever happens, the rows above the acknowledged seq are all there, and what might have been sent reads the same."""
    folder = tmp_path_factory.mktemp("store")
    store, freeze, number, acked, seen = open_store(folder, 0), True, 0, 0, {}
    for what, amount in steps:
        live = store.streams.live
        if what == "commit":
            records = [alert(number + n) for n in range(amount)]
            number += amount
            store.commit(Commit(0, records=records, freeze=freeze))
        elif what == "ack":
            acked = min(acked + amount, live.frozen_through)
            live.acked_through = acked
            store.commit(Commit(0, acked={live.epoch: acked}, freeze=freeze))
        elif what == "reopen":
            store.close()
            store = open_store(folder, 0)
        else:
            freeze = what == "back"
            if freeze:
                store.freeze()
        rows = rows_of(store)
        assert [row.seq for row in rows] == list(range(acked + 1, number + 1))
        for row in rows:
            if row.seq <= store.streams.live.frozen_through:
                assert seen.setdefault(row.seq, row.text) == row.text
    store.close()
