"""The one file: a commit is all or nothing, sent rows are frozen, a damaged file is set aside."""

import shutil
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.records import AlertRecord, Severity
from edge.core.effects import PutAside
from edge.errors import CorruptStoreError, DiskError
from edge.outbox_reader import OutboxReader
from edge.store import KEPT_FREE_PAGES, ROW_BYTES, Commit
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
    assert store.outbox_bytes == sum(len(row.text) + ROW_BYTES for row in rows_of(store)) < before


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
    drained = store.streams.all()[0]
    store.drop_drained()
    assert store.streams.all()[0] is drained  # nothing of it was even frozen
    store.freeze(drained)
    drained.acked_through = 2
    store.drop_drained()
    assert store.outbox_bytes == sum(len(row.text) + ROW_BYTES for row in rows_of(store))
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


def test_rows_get_their_final_seqs_when_they_are_frozen(store):
    store.commit(Commit(0, records=[alert(n) for n in range(1, 11)], freeze=False))
    store.db.execute("DELETE FROM outbox WHERE seq IN (1, 4, 5, 9)")
    live = store.streams.live
    live.holes = 4
    assert live.waiting == 6
    store.freeze(live, 4)
    assert (live.frozen_through, live.last_seq, live.waiting) == (4, 10, 6)
    store.commit(Commit(0, records=[alert(11)]))
    assert live.frozen_through == 4  # in turn, not past what waits
    store.freeze(live, 4)
    assert (live.frozen_through, live.last_seq, live.waiting) == (7, 7, 7)
    assert [row.seq for row in rows_of(store)] == [1, 2, 3, 4, 5, 6, 7]
    assert [
        f'"subject":"{n}"' in row.text for n, row in zip((2, 3, 6, 7, 8, 10, 11), rows_of(store), strict=True)
    ] == [True] * 7


def test_a_slow_centre_freezes_no_more_than_may_stay_frozen(store, monkeypatch):
    monkeypatch.setattr("edge.store.MAX_FROZEN_ROWS", 5)
    for number in range(4):
        store.commit(Commit(0, records=[alert(number), alert(number)]))
    assert (store.streams.live.frozen_through, store.streams.live.last_seq) == (6, 8)


def test_a_refused_commit_forgets_nothing_of_the_quarantine(store):
    store._db.execute("PRAGMA max_page_count=30")
    big = Commit(0, put_aside=[PutAside("s", "t", "r", bytes(50_000), 0)] * 3)
    for _ in range(3):
        with pytest.raises(DiskError):
            store.commit(big)
    assert store.quarantine_rows() == 0


def test_the_quarantine_is_bounded_in_bytes_and_a_huge_payload_is_cut(store, monkeypatch):
    monkeypatch.setattr("edge.store.MAX_QUARANTINE_BYTES", 1_000_000)
    for number in range(8):
        store.commit(Commit(0, put_aside=[PutAside("s", "t", f"r{number}", bytes(5_000_000), 0)]))
    size = store._db.execute("SELECT sum(length(payload)) FROM quarantine").fetchone()[0]
    assert (size, store.quarantine_rows(), store.quarantine_dropped) == (3 * 256_000, 3, 5)


@pytest.mark.parametrize("where", ["state", "state key", "state log", "epochs", "epochs low"])
def test_a_bit_that_fell_over_inside_a_value_is_noticed(tmp_path, where):
    """SQLite's own check sees the structure only."""
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[alert(n) for n in range(5)], rows=[("sale", "a", '{"units": 10}')]))
    if where != "state log":
        store.close()
        store = open_store(tmp_path, 0)  # the log goes into the table
    old = store.streams.live.epoch
    store.db.execute(
        {
            "state log": "UPDATE state_log SET body = substr(body, 1, length(body) - 1) || x'ff'",
            "state": """UPDATE state SET json = '{"units": 18}'""",
            "state key": "UPDATE state SET key = 'q'",
            "epochs": "UPDATE epochs SET acked_through = 68",
            "epochs low": "UPDATE epochs SET last_seq = 1, frozen_through = 1",
        }[where]
    )
    assert store.db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    store.close()
    again = open_store(tmp_path, 7)
    assert again.streams.live.epoch != old
    assert [row.kind for row in rows_of(again)] == ["gap"]
    again.close()


def test_damage_that_a_run_meets_is_set_aside_by_the_next_start(tmp_path, store):
    old = store.streams.live.epoch
    store.db.execute(
        "INSERT INTO outbox VALUES (?, 1, 'alert', '{}', NULL)", (old,)
    )  # where the next row belongs
    with pytest.raises(CorruptStoreError, match="sets the file aside"):
        store.commit(Commit(0, records=[alert(1)]))
    again = open_store(tmp_path, 0)
    assert again.streams.live.epoch != old
    assert [row.kind for row in rows_of(again)] == ["gap"]
    again.close()
    third = open_store(tmp_path, 0)
    assert third.streams.live.epoch == again.streams.live.epoch
    third.close()


@pytest.mark.parametrize("frame", ["first", "middle", "last"])
def test_a_log_that_is_unreadable_in_the_middle_begins_a_new_epoch(tmp_path, frame):
    """SQLite takes the rest of a damaged log for a torn write: the file would go back to what it was, in silence."""
    store = open_store(tmp_path / "a", 0)
    checkpoint(store)
    for number in range(20):
        store.commit(Commit(0, records=[alert(number)]))
    old = store.streams.live.epoch
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # as a killed gateway leaves it
    store.close()
    log = tmp_path / "b" / "edge.sqlite-wal"
    content = bytearray(log.read_bytes())
    content[{"first": 32 + 24 + 500, "middle": len(content) // 2, "last": len(content) - 300}[frame]] ^= 4
    log.write_bytes(content)
    again = open_store(tmp_path / "b", 0)
    if frame == "last":  # looks like a write that a power cut tore
        assert (again.streams.live.epoch, again.streams.live.last_seq) == (old, 19)
    else:
        assert again.streams.live.epoch != old
        assert "commits" in rows_of(again)[0].text
        assert 0 <= again.streams.all()[0].last_seq < 20
    again.close()


def test_a_log_of_an_earlier_round_is_no_damage(tmp_path):
    """SQLite writes a new round over the old log; what stands behind it is nobody's loss."""
    store = open_store(tmp_path / "a", 0)
    for number in range(40):
        store.commit(Commit(0, records=[alert(number)] * 3))
    store.db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    for number in range(3):
        store.commit(Commit(0, records=[alert(number)]))
    old = store.streams.live
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    store.close()
    again = open_store(tmp_path / "b", 0)
    assert (again.streams.live.epoch, again.streams.live.last_seq) == (old.epoch, old.last_seq)
    again.close()


def test_only_the_newest_damaged_files_are_kept(tmp_path):
    for _ in range(5):
        open_store(tmp_path, 0).close()
        (tmp_path / "edge.sqlite").write_bytes(b"\x5a" * 5000)
    open_store(tmp_path, 0).close()
    assert sorted(path.name for path in tmp_path.glob("edge.sqlite.corrupt-*")) == [
        "edge.sqlite.corrupt-3", "edge.sqlite.corrupt-4", "edge.sqlite.corrupt-5",
    ]  # fmt: skip


def test_a_file_of_version_1_goes_on(tmp_path):
    """It has no checksums, and a merged window that was never sent carries a span of seqs."""
    db = sqlite3.connect(tmp_path / "edge.sqlite")
    db.executescript("""
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE state (kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
        CREATE TABLE epochs (ordinal INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL,
            acked_through INTEGER NOT NULL, frozen_through INTEGER NOT NULL);
        CREATE TABLE outbox (epoch TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL,
            PRIMARY KEY (epoch, seq)) WITHOUT ROWID;
        CREATE TABLE quarantine (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, source TEXT NOT NULL,
            stream TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL);
        INSERT INTO epochs VALUES (NULL, 'e1', 9, 0, 2);
        INSERT INTO state VALUES ('k', 'a', '1');
        INSERT INTO outbox VALUES ('e1', 2, 'sku_window', '{"seq_from":1,"sku":"a"}');
        INSERT INTO outbox VALUES ('e1', 9, 'sku_window', '{"seq_from":3,"sku":"a"}');
        PRAGMA user_version=1;""")
    db.close()
    store = open_store(tmp_path, 0)
    store.freeze()
    assert [(row.seq, row.text) for row in rows_of(store)] == [
        (2, '{"seq_from":1,"sku":"a"}'),  # it may have been sent
        (3, '{"sku":"a"}'),
    ]
    assert store.state_rows() == [("k", "a", "1")]
    store.close()


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
