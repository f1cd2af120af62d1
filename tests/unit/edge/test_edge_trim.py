"""A full outbox: coarser first, then fewer, always declared; sums and the run of seq stay."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.batch import records_from_batch
from contract.codec import batch_from_bytes
from contract.records import HealthRecord, ReceiptRecord, SkuWindow
from edge.batch_rows import batch_body
from edge.core.coarsen import WaitingRow, coarsened
from edge.outbox_reader import OutboxReader
from edge.store import Commit
from edge.store_file import open_store
from edge.store_trim import trim

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


def batch_of(store):
    """What the centre would make of the whole outbox: raises when the run of seq has a hole."""
    reader = OutboxReader(store.path)
    stream = store.streams.live
    rows = reader.rows(stream.epoch, stream.acked_through, stream.last_seq, 10**6, 10**9)
    reader.close()
    body = batch_body(gateway="g", store="s", epoch=stream.epoch, sent_at_ms=0, have={}, rows=rows)
    found = records_from_batch(batch_from_bytes(body))
    assert not found.rejected
    assert found.rows[-1].seq == stream.last_seq
    return found.rows


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abw"), st.integers(0, 600), st.integers(0, 9)), min_size=1, max_size=40
    ),
    st.sampled_from([15 * MINUTE, HOUR, 24 * HOUR]),
)
def test_merging_keeps_every_unit_and_the_run_of_seq(items, span):
    rows, seq = [], 10
    for sku, minute, picked in items:
        record = health(minute) if sku == "w" else window(minute * MINUTE, sku, picked)
        seq += 1
        rows.append(WaitingRow(seq, seq, record.kind, record.model_dump_json(exclude={"seq"})))
    found = coarsened(coarsened(rows, 15 * MINUTE).rows, span)

    def totals(some):
        sums = {}
        for row in some:
            if row.kind == "sku_window":
                value = json.loads(row.text)
                for name in ("picked_units", "refilled_units", "unresolved_g", "stock_out_ms"):
                    sums[value["sku"], name] = sums.get((value["sku"], name), 0) + value[name]
        return sums

    assert totals(found.rows) == totals(rows)
    assert [row.text for row in found.rows if row.kind == "health"] == [
        row.text for row in rows if row.kind == "health"
    ]
    expected = rows[0].seq_from
    for row in found.rows:
        assert row.seq_from == expected
        assert row.seq == row.seq_from or json.loads(row.text)["seq_from"] == row.seq_from
        expected = row.seq + 1
    assert expected == rows[-1].seq + 1


def test_windows_get_coarser_before_anything_is_dropped(tmp_path):
    store = open_store(tmp_path, 0)
    for hour in range(24):
        records = [window(hour * HOUR + minute * MINUTE, sku) for minute in range(60) for sku in "ab"]
        store.commit(Commit(0, records=[*records, receipt(hour + 1)], freeze=False))
    limit = store.outbox_bytes // 4
    assert trim(store, limit, 0)
    assert store.outbox_bytes <= limit
    rows = batch_of(store)
    assert sum(row.picked_units for row in rows if row.kind == "sku_window") == 24 * 60 * 2
    assert len([row for row in rows if row.kind == "receipt"]) == 24
    assert not [row for row in rows if row.kind == "gap"]
    store.close()


def test_what_is_dropped_is_declared_and_receipts_go_last(tmp_path):
    store = open_store(tmp_path, 0)
    for number in range(200):
        store.commit(
            Commit(0, records=[health(number), receipt(number + 1), window(number * MINUTE)], freeze=False)
        )
    sales = len(receipt(1).model_dump_json()) * 200
    trim(store, int(sales * 1.4), 99)
    rows = batch_of(store)
    gaps = [row for row in rows if row.kind == "gap"]
    kept = len([row for row in rows if row.kind == "health"])
    assert [gap.what for gap in gaps] == [f"{200 - kept} health records"]
    assert len([row for row in rows if row.kind == "receipt"]) == 200
    trim(store, sales // 2, 99)
    rows = batch_of(store)
    kept = [row for row in rows if row.kind == "receipt"]
    lost = [gap for gap in rows if gap.kind == "gap" and "receipt" in gap.what]
    assert kept
    assert sum(gap.units for gap in lost) + 2 * len(kept) == 400
    assert sum(gap.cents for gap in lost) + 100 * len(kept) == 20_000
    assert kept[-1].sequence == 200  # the oldest went
    store.close()


def test_rows_that_may_have_been_sent_are_never_touched(tmp_path):
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[window(n * MINUTE) for n in range(100)]))
    before = batch_of(store)
    assert not trim(store, 100, 0)
    assert batch_of(store) == before
    store.close()


def test_full_then_drained_goes_on(tmp_path):
    """thingsboard-gateway#1483: a full store never recovered after the link returned."""
    store = open_store(tmp_path, 0)
    store.commit(Commit(0, records=[receipt(n + 1) for n in range(300)], freeze=False))
    trim(store, 20_000, 0)
    store.freeze()
    stream = store.streams.live
    stream.acked_through = stream.last_seq
    store.commit(Commit(0, records=[receipt(1000)], acked={stream.epoch: stream.last_seq}))
    assert [row.sequence for row in batch_of(store)] == [1000]
    store.close()
