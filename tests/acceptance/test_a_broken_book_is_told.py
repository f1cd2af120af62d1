"""A ledger that says something else than the tills: the demo must say so, and not end with 0."""

import json
import subprocess
import time
import tomllib
import uuid
from pathlib import Path

import httpx
import pytest
from demo_runs import demo_argv, processes_of

from contract.batch import Batch, batch_from_records
from contract.codec import batch_to_bytes
from contract.devices import ClockQuality, LineKind
from contract.records import ReceiptRecord, SoldLine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def forged_batch() -> Batch:
    """A receipt that no till ever rang, sent with the gateway's own key."""
    line = SoldLine(
        kind=LineKind.SALE, gtin="09521000000018", quantity_units=1, unit_price_cents=100, extended_cents=100
    )
    receipt = ReceiptRecord(
        seq=1, at_ms=1_504_540_800_000, register_id="till-1", business_date="2017-09-04", sequence=999_999,
        clock_quality=ClockQuality.SYNCED, total_cents=100, member=None, lines=[line],
    )  # fmt: skip
    return batch_from_records(
        gateway="gw-1", store="shop-1", epoch=f"e{uuid.uuid4().hex[:12]}", sent_at_ms=1_504_540_800_000, have={}, rows=[receipt]
    )  # fmt: skip


def send(keep: Path, batch: Batch) -> httpx.Response:
    url = tomllib.loads((keep / "shop-1" / "edge.toml").read_text())["central_url"]
    key = (keep / "shop-1" / "gateway.key").read_text().strip()
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Encoding": "zstd",
        "Content-Type": "application/json",
    }
    return httpx.post(
        f"{url}/v1/gateways/gw-1/batches", content=batch_to_bytes(batch), headers=headers, timeout=30
    )


def test_a_receipt_that_no_till_rang_unbalances_the_books(tmp_path: Path) -> None:
    keep, report = tmp_path / "demo", tmp_path / "report.json"
    words = ("--days", "1", "--stores", "1", "--speed", "max", "--exit", "--report", str(report))
    demo = subprocess.Popen(demo_argv(keep, *words), stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    with demo.stdout:
        assert any("HQ's page" in line for line in demo.stdout)
        reply = send(keep, forged_batch())
        assert reply.status_code == 200, reply.text
        output = demo.stdout.read()
    assert demo.wait(600) == 1, output
    found = json.loads(report.read_text())
    assert found["balanced"] is False
    assert found["receipts"]["ledger"] == found["receipts"]["tills"] + 1
    assert any("receipts: tills" in reason for reason in found["unbalanced"])
    assert "DO NOT BALANCE" in output
    deadline_s = time.monotonic() + 60
    while processes_of(keep):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
