"""The state's log: whatever was saved last is what is read, folded or not, over restarts and refused commits."""

import os
import sqlite3
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import state_log
from edge.errors import DiskError
from edge.store import Commit
from edge.store_file import open_store

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["cell", "window", "document"]),
        st.sampled_from(["a", "b", "c", "ü"]),
        st.one_of(st.none(), st.text(max_size=60)),
    ),
    max_size=6,
    unique_by=lambda row: row[:2],
)
STEPS = st.lists(st.one_of(ROWS, st.sampled_from(["fold", "restart"])), max_size=25)


@given(STEPS)
@settings(max_examples=60)
def test_what_was_saved_last_is_what_is_read(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("log")
    store, model = open_store(folder, 0), {}
    for step in steps:
        if step == "restart":
            store.close()
            store = open_store(folder, 0)
        elif step == "fold":
            with store.transaction():
                store._state_log.fold()
        else:
            store.commit(Commit(0, rows=step))
            for kind, key, text in step:
                model[kind, key] = text
        expected = [(*place, text) for place, text in model.items() if text is not None]
        assert store.state_rows() == sorted(expected, key=lambda row: (row[0] != "document", row[0], row[1]))
    store.close()


def test_a_long_log_is_folded(tmp_path, monkeypatch):
    monkeypatch.setattr(state_log, "FOLD_BYTES", 20_000)
    store = open_store(tmp_path, 0)
    longest = 0
    for turn in range(200):
        store.commit(Commit(0, rows=[("cell", f"c{n}", os.urandom(100).hex()) for n in range(turn % 40)]))
        longest = max(longest, store._state_log.bytes)
    assert 5_000 < longest <= 20_000
    assert store.db.execute("SELECT count(*) FROM state").fetchone()[0] == 39
    assert len(store.state_rows()) == 39
    store.close()


def test_a_refused_commit_leaves_the_logs_length_right(tmp_path):
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, rows=[("cell", "a", "1")]))
    before = store._state_log.bytes
    pages = store.db.execute("PRAGMA page_count").fetchone()[0]
    store.db.execute(f"PRAGMA max_page_count={pages + 5}")
    with pytest.raises(DiskError):
        store.commit(Commit(0, rows=[("cell", "b", os.urandom(50_000).hex())]))
    assert store._state_log.bytes == before
    assert store.state_rows() == [("cell", "a", "1")]
    store.close()


def test_a_start_on_a_full_disk_reads_the_log_as_it_is(tmp_path, monkeypatch):
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, rows=[("cell", "a", "1"), ("document", "d", "2")]))
    store.close()

    def refuse(_log):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(state_log.StateLog, "fold", refuse)
    again = open_store(tmp_path, 0)
    assert again.state_rows() == [("document", "d", "2"), ("cell", "a", "1")]
    again.close()


def test_a_commit_of_hot_cells_writes_a_fraction_of_their_pages(tmp_path):
    """What the log is for: sixty rows of 350 bytes on as many pages, changed again and again."""
    store = open_store(tmp_path, 0)
    names = [f"shelf-{n:03d}/c{n % 7}" for n in range(3000)]
    body = (
        '{"sku":"sku-1","base_g":4250.5,"base_sd_g":2.0,"units":17,"unstable":false,"fault":"","seen_g":0.0'
        + " " * 240
    )
    store.commit(Commit(0, rows=[("cell", name, body + "}") for name in names]))
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    log = store.path.with_name("edge.sqlite-wal")
    commits = 40
    for turn in range(commits):
        rows = [("cell", names[n * 50], f"{body},{turn * 7919 + n}" + "}") for n in range(60)]
        store.commit(Commit(0, rows=rows))
    assert log.stat().st_size / commits < 60 * 1024 / 5
    store.close()


def test_a_large_document_slows_no_other_row(tmp_path):
    """A megabyte among the keys of the tree was read whole for each row that was looked up: fifty times the cost."""
    spent_s = {}
    for name, documents in (
        ("bare", []),
        ("laden", [("document", n, "x" * 1_000_000) for n in ("items", "prices")]),
    ):
        store = open_store(tmp_path / name, 0)
        store.commit(Commit(0, rows=documents))
        began_s = time.process_time()
        with store.transaction():
            store._state_log._to_table([("cell", f"c{n}", "y" * 300) for n in range(4000)])
        spent_s[name] = time.process_time() - began_s
        store.close()
    assert spent_s["laden"] < 5 * spent_s["bare"] + 0.2


def test_a_file_of_version_4_goes_on(tmp_path):
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, rows=[("document", "d", "1"), ("cell", "c", "2")]))
    store.close()
    open_store(tmp_path, 0).close()  # the log is in the table now
    db = sqlite3.connect(tmp_path / "edge.sqlite")
    db.executescript("""
        ALTER TABLE state RENAME TO new_state;
        CREATE TABLE state (kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, crc INTEGER,
            PRIMARY KEY (kind, key)) WITHOUT ROWID;
        INSERT INTO state SELECT * FROM new_state;
        DROP TABLE new_state;
        PRAGMA user_version=4;""")
    db.close()
    again = open_store(tmp_path, 0)
    assert again.state_rows() == [("document", "d", "1"), ("cell", "c", "2")]
    again.commit(Commit(0, rows=[("cell", "c", "3")]))
    again.close()
    third = open_store(tmp_path, 0)
    assert third.state_rows() == [("document", "d", "1"), ("cell", "c", "3")]
    third.close()
