"""A full outbox: coarser first, then fewer, always declared; sums and the run of seq stay."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.batch import records_from_batch
from contract.codec import batch_from_bytes
from contract.records import HealthRecord, ReceiptRecord, SkuWindow, StockFact
from edge.batch_rows import batch_body
from edge.core.coarsen import SUMS, Coarsening, WaitingRow
from edge.errors import DiskError
from edge.outbox_reader import OutboxReader
from edge.store import ROW_BYTES, Commit
from edge.store_file import open_store
from edge.store_trim import Trimmer

MINUTE, HOUR = 60_000, 3_600_000


def window(at_ms, sku="a", picked=1, **more):
    values = {"put_back_units": 0, "refilled_units": 2, "unresolved_g": 3, "on_hand_units": at_ms // MINUTE % 50, "on_shelf_units": 1, "stock_out_ms": 5, **more}  # fmt: skip
    return SkuWindow(seq=1, at_ms=at_ms, sku=sku, span_ms=MINUTE, picked_units=picked, **values)


def receipt(sequence):
    lines = [
        {
            "kind": "sale",
            "gtin": "12345670",
            "quantity_units": 2,
            "unit_price_cents": 50,
            "extended_cents": 100,
            "sku": "a",
        }
    ]
    return ReceiptRecord.model_validate(
        {"seq": 1, "at_ms": sequence, "register_id": "t", "business_date": "2017-09-04", "sequence": sequence,
         "clock_quality": "synced", "total_cents": 100, "member": None, "lines": lines}, strict=False,
    )  # fmt: skip


def level(number, fact="level", **more):
    return StockFact.model_validate(
        {"seq": 1, "at_ms": number, "fact": fact, "sku": "a", "units": 5, "place": "store", "on_hand_units": 5, **more},
        strict=False,
    )  # fmt: skip


def delivery(number):
    return level(number, "delivery", despatch=f"d-{number}")


def counts(store):
    return dict(store.db.execute("SELECT kind, count(*) FROM outbox GROUP BY kind"))


def health(at_ms):
    counters = {f"counter_{n}_total": n for n in range(20)}
    return HealthRecord(
        seq=1,
        at_ms=at_ms,
        version="1",
        bundle="b",
        watermark_ms=0,
        counters=counters,
        devices_online=[],
        devices_offline=[],
    )


def trim(store, max_bytes, at_ms=0):
    """All steps."""
    trimmer = Trimmer(store, max_bytes)
    while trimmer.is_due() and trimmer.step(at_ms):
        pass


def batch_of(store):
    """What the centre would make of the whole outbox once it is frozen: raises when the run of seq has a hole."""
    store.freeze()
    reader = OutboxReader(store.path)
    stream = store.streams.live
    rows = reader.rows(stream.epoch, stream.acked_through, stream.last_seq, 10**6, 10**9)
    reader.close()
    body = batch_body(gateway="g", store="s", epoch=stream.epoch, sent_at_ms=0, have={}, rows=rows)
    found = records_from_batch(batch_from_bytes(body))
    assert not found.rejected
    assert found.rows[-1].seq == stream.last_seq == stream.frozen_through
    assert store.outbox_bytes == sum(len(row.text) + ROW_BYTES for row in rows)
    assert stream.waiting == len(rows)
    return found.rows


def text_of(record):
    return record.model_dump_json(exclude={"seq"})


def totals(texts):
    sums = {}
    for text in texts:
        value = json.loads(text)
        for name in SUMS:
            sums[value["sku"], name] = sums.get((value["sku"], name), 0) + value[name]
    return sums


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abw"), st.integers(0, 3000), st.integers(0, 90_000)),
        min_size=1,
        max_size=60,
    ),
    st.lists(st.integers(1, 10), min_size=1, max_size=5),
)
def test_merging_keeps_every_unit_in_whatever_chunks_it_is_done(items, cuts):
    rows = {}
    for seq, (sku, minute, picked) in enumerate(items, 11):
        record = health(minute) if sku == "w" else window(minute * MINUTE, sku, picked)
        rows[seq] = WaitingRow(seq, record.kind, text_of(record))
    before = totals(row.text for row in rows.values() if row.kind == "sku_window")
    for span in (15 * MINUTE, HOUR, 24 * HOUR):
        coarsening, left, cut = Coarsening(span), sorted(rows.values()), 0
        while left:
            size = cuts[cut % len(cuts)]
            chunk, left, cut = left[:size], left[size:], cut + 1
            merged = coarsening.merge(chunk)
            for seq in merged.gone:
                del rows[seq]
            for seq, text in merged.changed.items():
                rows[seq] = rows[seq]._replace(text=text)
    windows = [row.text for row in rows.values() if row.kind == "sku_window"]
    assert totals(windows) == before
    for text in windows:
        SkuWindow.model_validate_json(f'{{"seq":1,{text[1:]}')  # the wire carries it
    assert len(rows) - len(windows) == sum(sku == "w" for sku, _, _ in items)


def test_a_days_windows_of_a_sku_become_one_with_the_levels_of_its_end():
    rows = [WaitingRow(n, "sku_window", text_of(window(n * MINUTE))) for n in range(24 * 60)]
    merged = Coarsening(24 * HOUR).merge(rows)
    assert len(merged.gone) == 24 * 60 - 1
    [(seq, text)] = merged.changed.items()
    value = json.loads(text)
    assert (seq, value["at_ms"], value["span_ms"]) == (0, 0, 24 * HOUR)
    assert (value["picked_units"], value["stock_out_ms"]) == (24 * 60, 24 * 60 * 5)
    assert value["on_hand_units"] == (24 * 60 - 1) % 50


def test_windows_get_coarser_before_anything_is_dropped(tmp_path):
    store = open_store(tmp_path, 0)
    for hour in range(24):
        records = [window(hour * HOUR + minute * MINUTE, sku) for minute in range(60) for sku in "ab"]
        store.commit(Commit(0, records=[*records, receipt(hour + 1)], freeze=False))
    limit = store.outbox_bytes // 4
    trim(store, limit)
    assert store.outbox_bytes <= limit
    rows = batch_of(store)
    windows = [row for row in rows if row.kind == "sku_window"]
    assert sum(row.picked_units for row in windows) == 24 * 60 * 2
    assert len([row for row in rows if row.kind == "receipt"]) == 24
    assert not [row for row in rows if row.kind == "gap"]
    # The oldest blurred first, and no further than was needed.
    assert windows[0].span_ms == 15 * MINUTE
    store.close()


def test_each_span_gives_way_before_the_next_coarser_one(tmp_path):
    store = open_store(tmp_path, 0)
    for hour in range(72):
        records = [window(hour * HOUR + minute * MINUTE, sku) for minute in range(60) for sku in "ab"]
        store.commit(Commit(0, records=records, freeze=False))
    whole = store.outbox_bytes
    spans = []
    for share in (0.95, 0.05, 0.012):
        trim(store, int(whole * share))
        reader = store.db.execute("SELECT json FROM outbox ORDER BY seq LIMIT 1")
        spans.append(json.loads(reader.fetchone()[0]).get("span_ms"))
    assert spans == [15 * MINUTE, HOUR, 24 * HOUR]
    store.close()


def test_what_is_dropped_is_declared_and_receipts_go_last(tmp_path):
    store = open_store(tmp_path, 0)
    for number in range(200):
        at_ms = number * 24 * HOUR
        records = [health(at_ms), receipt(number + 1), window(at_ms), level(at_ms), delivery(at_ms)]
        store.commit(Commit(0, records=records, freeze=False))
    documents = sum(len(text_of(record)) + ROW_BYTES for record in (receipt(1), delivery(1))) * 200
    trim(store, documents * 5 // 2, 99)
    kinds = counts(store)
    assert kinds.get("health", 0) < 200  # states first, the windows and documents are all there
    assert (kinds["sku_window"], kinds["receipt"]) == (200, 200)
    trim(store, int(documents * 1.3), 99)
    kinds = counts(store)
    assert kinds["sku_window"] < 200
    assert (kinds.get("health", 0), kinds["stock_fact"], kinds["receipt"]) == (0, 200, 200)
    trim(store, documents // 2, 99)
    rows = batch_of(store)
    kept = [row for row in rows if row.kind == "receipt"]
    gaps = {gap.what.split()[1]: gap for gap in rows if gap.kind == "gap"}
    for kind in ("health", "sku_window", "stock_fact", "receipt"):
        declared = sum(
            int(gap.what.split()[0]) for gap in rows if gap.kind == "gap" and gap.what.split()[1] == kind
        )
        assert declared + len([row for row in rows if row.kind == kind]) == (
            400 if kind == "stock_fact" else 200
        )
    lost = [gap for gap in rows if gap.kind == "gap" and gap.what.split()[1] == "receipt"]
    assert kept
    assert sum(gap.units for gap in lost) + 2 * len(kept) == 400
    assert sum(gap.cents for gap in lost) + 100 * len(kept) == 20_000
    assert kept[-1].sequence == 200  # the oldest went
    assert "picked_units" in gaps["sku_window"].what
    assert " of 1970-" in gaps["sku_window"].what
    store.close()


def test_one_gap_a_kind_grows_while_it_was_not_sent(tmp_path):
    store = open_store(tmp_path, 0)
    trimmer = Trimmer(store, 100_000)
    for number in range(0, 2000, 50):
        store.commit(Commit(0, records=[health(number)] * 50, freeze=False))
        while trimmer.is_due() and trimmer.step(5):
            pass
    assert store.outbox_bytes <= 100_000
    rows = batch_of(store)
    [gap] = [row for row in rows if row.kind == "gap"]
    assert int(gap.what.split()[0]) + len(rows) - 1 == 2000
    # Once it may have been sent, the next loss is a record of its own.
    for number in range(0, 2000, 50):
        store.commit(Commit(0, records=[health(number)] * 50, freeze=False))
        while trimmer.is_due() and trimmer.step(5):
            pass
    assert counts(store)["gap"] == 2
    store.close()


def test_rows_that_may_have_been_sent_are_never_touched(tmp_path):
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[window(n * MINUTE) for n in range(100)]))
    before = batch_of(store)
    trim(store, 100)
    assert batch_of(store) == before
    store.close()


def test_a_refusing_disk_stops_a_step_and_the_next_one_begins_anew(tmp_path):
    store = open_store(tmp_path, 0)
    for number in range(300):
        store.commit(Commit(0, records=[health(number), window(number * MINUTE)], freeze=False))
    trimmer = Trimmer(store, 40_000)
    store.db.execute("PRAGMA query_only=ON")
    with pytest.raises(DiskError):
        trimmer.step(0)
    store.db.execute("PRAGMA query_only=OFF")
    while trimmer.is_due() and trimmer.step(0):
        pass
    rows = batch_of(store)
    [gap] = [row for row in rows if row.kind == "gap" and "health" in row.what]
    assert int(gap.what.split()[0]) + len([row for row in rows if row.kind == "health"]) == 300
    assert sum(row.picked_units for row in rows if row.kind == "sku_window") == 300
    store.close()


def test_a_draining_epoch_gives_way_too_but_for_what_is_frozen(tmp_path):
    """A second outage while the first one's backlog drains."""
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[window(n * MINUTE) for n in range(300)], freeze=False))
    old = store.streams.live
    store.open_epoch()
    store.freeze(old, 100)
    store.commit(Commit(0, records=[window(n * MINUTE) for n in range(300, 600)], freeze=False))
    trim(store, store.outbox_bytes // 2)
    assert store.db.execute(
        "SELECT count(*) FROM outbox WHERE epoch = ? AND seq <= 100", (old.epoch,)
    ).fetchone() == (100,)
    texts = [text for (text,) in store.db.execute("SELECT json FROM outbox WHERE kind = 'sku_window'")]
    assert sum(json.loads(text)["picked_units"] for text in texts) == 600
    assert len(texts) < 400
    assert old.waiting == 100 + old.last_seq - old.frozen_through - old.holes
    store.close()


def test_full_then_drained_goes_on(tmp_path):
    """thingsboard-gateway#1483: a full store never recovered after the link returned."""
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[receipt(n + 1) for n in range(300)], freeze=False))
    trim(store, 30_000)
    store.freeze()
    stream = store.streams.live
    stream.acked_through = stream.last_seq
    store.commit(Commit(0, records=[receipt(1000)], acked={stream.epoch: stream.last_seq}))
    assert [row.sequence for row in batch_of(store)] == [1000]
    store.close()
