"""Batches: what goes in comes out, byte bombs and ragged columns are refused, one bad row spoils no other."""

import json
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import codec
from contract.batch import MAX_ROWS, Batch, batch_from_records, records_from_batch
from contract.devices import ClockQuality, LineKind, Place
from contract.errors import MalformedMessageError
from contract.records import (
    QUANTILE_LEVELS,
    AlertRecord,
    ForecastRecord,
    GapRecord,
    ReceiptRecord,
    Record,
    Severity,
    SkuWindow,
    SoldLine,
    StockFact,
    StockFactKind,
)

SKU = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True)
AT = st.integers(1_700_000_000_000, 1_900_000_000_000)
UNITS = st.integers(0, 1000)
CENTS = st.integers(-100_000, 100_000)
LINE = st.builds(
    SoldLine,
    kind=st.sampled_from(LineKind),
    gtin=st.sampled_from([None, "09521234567899"]),
    quantity_units=UNITS,
    extended_cents=CENTS,
    sku=st.none() | SKU,
    coupon_code=st.none() | st.just("ABC-00001-7Q2RX"),
)
WINDOW = st.builds(
    SkuWindow, seq=st.just(1), at_ms=AT, sku=SKU, span_ms=st.just(60_000), picked_units=UNITS, put_back_units=UNITS,
    refilled_units=UNITS, unresolved_g=UNITS, on_hand_units=st.none() | st.integers(-100, 1000),
    on_shelf_units=st.none() | UNITS, stock_out_ms=UNITS,
)  # fmt: skip
FACT = st.builds(
    StockFact, seq=st.just(1), at_ms=AT, fact=st.sampled_from(StockFactKind), sku=SKU, units=st.integers(-1000, 1000),
    place=st.sampled_from(Place), despatch=st.none() | st.text(max_size=20), reason=st.text(max_size=50),
)  # fmt: skip
ALERT = st.builds(
    AlertRecord, seq=st.just(1), at_ms=AT, code=st.just("low-stock"), subject=st.text(max_size=30),
    severity=st.sampled_from(Severity), cleared=st.booleans(), text=st.text(max_size=60),
)  # fmt: skip
RECEIPT = st.builds(
    ReceiptRecord, seq=st.just(1), at_ms=AT, register_id=st.just("till-1"), business_date=st.just("2026-11-21"),
    sequence=st.integers(1, 10**6), clock_quality=st.sampled_from(ClockQuality), total_cents=CENTS, member=st.none(),
    lines=st.lists(LINE, min_size=1, max_size=4),
)  # fmt: skip
GAP = st.builds(
    GapRecord,
    seq=st.just(1),
    at_ms=AT,
    what=st.just("rows"),
    reason=st.text(max_size=40),
    units=st.none() | UNITS,
)
ROWS = st.lists(st.one_of(WINDOW, FACT, ALERT, GAP, RECEIPT.map(lambda row: row)), min_size=1, max_size=25)


def _numbered(rows: list[Record], first: int = 1) -> list[Record]:
    return [row.model_copy(update={"seq": first + place}) for place, row in enumerate(rows)]


def _batch(rows: list[Record]) -> Batch:
    return batch_from_records(
        gateway="gw-1",
        store="store-1",
        epoch="e-1",
        sent_at_ms=1_790_000_000_000,
        have={"items": 3},
        rows=rows,
    )


def _alerts(count: int) -> list[Record]:
    alert = AlertRecord(
        seq=1, at_ms=1, code="low-stock", subject="4011", severity=Severity.INFO, cleared=False, text=""
    )
    return _numbered([alert] * count)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, first=st.integers(1, 10**9))
def test_rows_come_out_of_the_bytes_as_they_went_in(rows: list[Record], first: int) -> None:
    numbered = _numbered(rows, first)
    body = codec.batch_to_bytes(_batch(numbered))
    found = records_from_batch(codec.batch_from_bytes(body))
    assert found.rejected == ()
    assert list(found.rows) == numbered


@settings(max_examples=30, deadline=None)
@given(rows=ROWS)
def test_plain_json_says_the_same_as_zstd(rows: list[Record]) -> None:
    batch = _batch(_numbered(rows))
    assert codec.batch_from_bytes(batch.to_json(), "") == codec.batch_from_bytes(codec.batch_to_bytes(batch))


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=300), encoding=st.sampled_from(["", "zstd", "gzip", "identity"]))
def test_any_bytes_give_a_batch_or_a_named_error_and_nothing_else(body: bytes, encoding: str) -> None:
    with pytest.raises(MalformedMessageError):
        codec.batch_from_bytes(body, encoding)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cut=st.floats(0, 0.99))
def test_a_truncated_body_is_refused(rows: list[Record], cut: float) -> None:
    body = codec.batch_to_bytes(_batch(_numbered(rows)))
    with pytest.raises(MalformedMessageError):
        codec.batch_from_bytes(body[: int(len(body) * cut)])


def test_a_zstd_bomb_is_refused_before_it_grows() -> None:
    bomb = zstandard.compress(b"\0" * 200_000_000, 19)
    assert len(bomb) < 50_000
    with pytest.raises(MalformedMessageError, match="8000000 bytes"):
        codec.batch_from_bytes(bomb)


def test_a_zstd_frame_that_wants_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(b"x" * 30_000_000) + stream.flush()
    with pytest.raises(MalformedMessageError):
        codec.batch_from_bytes(body)


def test_an_empty_batch_asks_for_documents_only() -> None:
    batch = _batch([])
    assert (batch.seq_from, batch.seq_to, batch.records) == (0, 0, {})
    assert records_from_batch(batch).rows == ()


def test_columns_that_hold_only_defaults_do_not_travel() -> None:
    fact = StockFact(
        seq=1, at_ms=1, fact=StockFactKind.LEVEL, sku="4011", units=3, place=Place.STORE
    )  # fmt: skip
    columns = _batch([fact]).records["stock_fact"]
    assert set(columns) == {"seq", "at_ms", "fact", "sku", "units", "place"}


def test_a_forecast_keeps_its_numbers() -> None:
    row = ForecastRecord(
        seq=1, at_ms=1, sku="4011", first_day="2026-11-21", mean=[1.25, 2.5],
        quantiles=[[float(place) for place in range(len(QUANTILE_LEVELS))]] * 2, bundle="demo@1",
    )  # fmt: skip
    found = records_from_batch(codec.batch_from_bytes(codec.batch_to_bytes(_batch([row]))))
    assert found.rows == (row,)


def test_one_bad_row_is_rejected_with_its_reason_and_the_others_stand() -> None:
    batch = _batch(_alerts(5))
    columns: dict[str, list[Any]] = json.loads(json.dumps(batch.records["alert"]))
    columns["severity"][2] = "shouting"
    found = records_from_batch(batch.model_copy(update={"records": {"alert": columns}}))
    assert [row.seq for row in found.rows] == [1, 2, 4, 5]
    assert [bad.seq for bad in found.rejected] == [3]
    assert "severity" in found.rejected[0].reason
    assert "shouting" in found.rejected[0].reason


def test_a_bad_gtin_spoils_only_its_own_receipt() -> None:
    line = SoldLine(kind=LineKind.SALE, gtin="09521234567899", quantity_units=1, extended_cents=100)
    receipts: list[Record] = [
        ReceiptRecord(
            seq=seq, at_ms=1, register_id="till-1", business_date="2026-11-21", sequence=seq, clock_quality=ClockQuality.SYNCED,
            total_cents=100, member=None, lines=[line],
        )
        for seq in (1, 2)
    ]  # fmt: skip
    batch = _batch(receipts)
    columns = json.loads(json.dumps(batch.records["receipt"]))
    columns["lines"][0][0]["gtin"] = "09521234567890"
    found = records_from_batch(batch.model_copy(update={"records": {"receipt": columns}}))
    assert [row.seq for row in found.rows] == [2]
    assert "check digit" in found.rejected[0].reason


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"alert": {"text": ["only one"]}}, "differ in length"),
        ({"alert": {"seq": [1, 1]}}, "each seq exactly once"),
        ({"alert": {"seq": [1, 3]}}, "each seq exactly once"),
        ({"alert": {"seq": [2, 3]}}, "each seq exactly once"),
        ({"alert": {"seq": ["1", 2]}}, "list of integers"),
        ({"alert": {"seq": [True, 2]}}, "list of integers"),
    ],
)
def test_a_batch_that_makes_no_sense_as_a_whole_is_refused(
    change: dict[str, dict[str, Any]], told: str
) -> None:
    batch = _batch(_alerts(2))
    records = {kind: {**batch.records[kind], **columns} for kind, columns in change.items()}
    with pytest.raises(MalformedMessageError, match=told):
        records_from_batch(batch.model_copy(update={"records": records}))


def test_an_unknown_kind_and_a_missing_seq_column_are_refused() -> None:
    batch = _batch(_alerts(2))
    with pytest.raises(MalformedMessageError, match="unknown record kind"):
        records_from_batch(batch.model_copy(update={"records": {"gossip": {"seq": [1]}}}))
    with pytest.raises(MalformedMessageError, match=r"alert\.seq"):
        records_from_batch(batch.model_copy(update={"records": {"alert": {"text": ["a"]}}}))


def test_rows_that_end_before_seq_to_are_refused() -> None:
    batch = _batch(_alerts(2)).model_copy(update={"seq_to": 3})
    with pytest.raises(MalformedMessageError, match="seq_to is 3"):
        records_from_batch(batch)


def test_a_coarsened_window_stands_for_its_whole_run() -> None:
    window = SkuWindow(
        seq=9, seq_from=1, at_ms=1, sku="4011", span_ms=900_000, picked_units=1, put_back_units=0, refilled_units=0,
        unresolved_g=0, on_hand_units=None, on_shelf_units=None, stock_out_ms=0,
    )  # fmt: skip
    batch = _batch([window])
    assert (batch.seq_from, batch.seq_to) == (1, 9)
    assert records_from_batch(batch).rows == (window,)


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(MalformedMessageError, match=f"more than {MAX_ROWS} rows"):
        records_from_batch(_batch(_alerts(MAX_ROWS + 1)))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    body = (
        '{"v":1,"gateway":"gw-1","store":"store-1","epoch":"e-1","seq_from":1,"seq_to":1,"sent_at_ms":1,"records":'
        '{"forecast":{"seq":[1],"at_ms":[1],"sku":["4011"],"first_day":["2026-11-21"],"mean":[['
        f"{number}"
        ']],"quantiles":[[[0,0,0,0,0,0,0,0,0]]],"bundle":["b"]}}}'
    )
    try:
        found = records_from_batch(codec.batch_from_bytes(body.encode(), ""))
    except MalformedMessageError:
        return
    assert [bad.seq for bad in found.rejected] == [1]
