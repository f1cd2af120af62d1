"""The short way from bytes to rows gives what the long one gives, and the same refusals."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "central"))
from central_rows import (
    START_MS,
    alert,
    forecast,
    gap,
    health,
    level,
    proposal,
    receipt,
    sale,
    window,
)

from contract.batch import BatchRows, batch_from_records, records_from_batch
from contract.batch_reading import WindowRow, read_batch
from contract.codec import batch_from_bytes, batch_to_bytes
from contract.errors import MalformedMessageError
from contract.records import Record

MAKERS = (window, window, window, receipt, level, alert, forecast, proposal, gap, health)


def body_of(rows: list[Record], **update: object) -> bytes:
    batch = batch_from_records(
        gateway="gw-1", store="store-1", epoch="e1", sent_at_ms=START_MS, have={"items": 3}, rows=rows
    )
    return batch_to_bytes(batch.model_copy(update=update))


def as_dicts(read: BatchRows) -> tuple[list[dict[str, Any]], list[Any]]:
    rows = [row._asdict() if isinstance(row, WindowRow) else row.model_dump() for row in read.rows]
    return rows, list(read.rejected)


def the_long_way(body: bytes, encoding: str) -> tuple[Any, BatchRows]:
    batch = batch_from_bytes(body, encoding)
    return batch, records_from_batch(batch)


def both_ways(body: bytes, encoding: str = "zstd") -> tuple[Any, Any]:
    answers: list[Any] = []
    for read in (read_batch, the_long_way):
        try:
            batch, rows = read(body, encoding)
            answers.append((batch.model_dump(exclude={"records"}), *as_dicts(rows)))
        except MalformedMessageError as error:
            answers.append(str(error))
    return answers[0], answers[1]


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_the_short_way_reads_what_the_long_one_reads(seed: int, count: int) -> None:
    rng = random.Random(seed)
    rows = [rng.choice(MAKERS)(seq=seq, at_ms=START_MS + rng.randrange(10**6)) for seq in range(1, count + 1)]
    short, long = both_ways(body_of(rows))
    assert short == long
    assert [row["seq"] for row in short[1]] == list(range(1, count + 1))


BASE = json.loads(
    batch_from_records(
        gateway="gw-1", store="store-1", epoch="e1", sent_at_ms=START_MS, have={},
        rows=[window(1, seq=1), window(2, seq=2), receipt(1, [sale(1)], seq=3), window(3, seq=4)],
    ).to_json()
)  # fmt: skip


def changed(kind: str, column: str, values: list[Any]) -> bytes:
    return json.dumps(
        {**BASE, "records": {**BASE["records"], kind: {**BASE["records"][kind], column: values}}}
    ).encode()


@pytest.mark.parametrize(
    "body",
    [
        changed("sku_window", "picked_units", [1, -1, 1]),
        changed("sku_window", "picked_units", [1, "2", 1]),
        changed("sku_window", "picked_units", [1, 2.0, 1]),
        changed("sku_window", "picked_units", [1, None, 1]),
        changed("sku_window", "picked_units", [1, 2]),
        changed("sku_window", "on_hand_units", [None, -5, 10**9]),
        changed("sku_window", "seq", [1, 2, 5]),
        changed("sku_window", "seq", [1, 1, 4]),
        changed("sku_window", "seq", [2, 1, 4]),
        changed("sku_window", "seq", [1, "2", 4]),
        changed("sku_window", "seq_from", [1, None, 4]),
        changed("sku_window", "sku", ["a b", "ok", "ok"]),
        changed("sku_window", "extra", [1, 2, 3]),
        changed("receipt", "lines", [[]]),
        changed("receipt", "clock_quality", ["synced"]),
        changed("receipt", "clock_quality", ["perfect"]),
        json.dumps({**BASE, "records": {"nonsense": {"seq": [1]}}}).encode(),
        json.dumps({**BASE, "records": {"sku_window": None}}).encode(),
        json.dumps({**BASE, "records": {}}).encode(),
        json.dumps({**BASE, "v": 2}).encode(),
        json.dumps({**BASE, "seq_to": 5}).encode(),
        json.dumps({**BASE, "epoch": "Not An Id"}).encode(),
        b"", b"[]", b"nonsense",
    ],
)  # fmt: skip
def test_what_the_short_way_does_not_take_gets_the_long_ones_answer(body: bytes) -> None:
    short, long = both_ways(body, "")
    assert short == long


def test_a_coarsened_window_keeps_the_run_it_stands_for() -> None:
    short, long = both_ways(body_of([window(1, seq=5, seq_from=1), window(2, seq=6)]))
    assert short == long
    assert short[1][0]["seq_from"] == 1
