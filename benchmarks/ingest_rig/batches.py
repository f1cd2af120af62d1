"""Batches of 500 rows: windows of 100 SKUs over the minutes of a morning, with levels and proposals between them."""

import time

from benchmarks.ingest_rig.rows import Result, row
from contract.batch import batch_from_records
from contract.batch_reading import read_batch
from contract.codec import batch_to_bytes
from contract.devices import Place
from contract.records import ProposalRecord, Record, SkuWindow, StockFact, StockFactKind
from simulator.fleet import FleetGateway

START_MS = 1_504_526_400_000
BATCH_ROWS, SKUS = 500, 100
GOAL_PARSE = 1_000_000


def records(first_seq: int, count: int = BATCH_ROWS) -> list[Record]:
    """Windows, and for each hundred of them four levels and two proposals."""
    made: list[Record] = []
    for seq in range(first_seq, first_seq + count):
        at_ms, sku = START_MS + seq // SKUS * 60_000, f"sku-{seq % SKUS}"
        if seq % 100 in (20, 40, 60, 80):
            made.append(
                StockFact(seq=seq, at_ms=at_ms, fact=StockFactKind.LEVEL, sku=sku, units=seq % 40, place=Place.STORE,
                          on_hand_units=seq % 40)
            )  # fmt: skip
        elif seq % 100 in (30, 70):
            made.append(_proposal(seq, at_ms, sku))
        else:
            made.append(window(seq, at_ms, sku))
    return made


def window(seq: int, at_ms: int, sku: str) -> SkuWindow:
    return SkuWindow(
        seq=seq, at_ms=at_ms, sku=sku, span_ms=60_000, picked_units=seq % 3, put_back_units=0, refilled_units=0,
        unresolved_g=0, on_hand_units=seq % 40, on_shelf_units=seq % 20, stock_out_ms=0,
    )  # fmt: skip


def _proposal(seq: int, at_ms: int, sku: str) -> ProposalRecord:
    return ProposalRecord(
        seq=seq, at_ms=at_ms, sku=sku, quantity_units=24, on_hand_units=3, on_order_units=0,
        cumulative_quantiles=[2.0, 5.0, 8.0, 12.0, 16.0, 20.0, 24.0, 26.0, 29.0], window_days=3, service_level=0.95,
        pack_units=12, min_order_units=0, max_stock_units=None, target_units=24.0, expected_stock_out_units=9.5,
        reasons=["ordered up to the target, in whole packs"], doubt="", bundle="demo@1", watermark_ms=at_ms,
    )  # fmt: skip


def body_of(gateway: FleetGateway, rows: list[Record]) -> bytes:
    return batch_to_bytes(
        batch_from_records(
            gateway=gateway.gateway, store=gateway.store, epoch="e1", sent_at_ms=START_MS, have={}, rows=rows
        )
    )


def parse_rate(*, quick: bool) -> Result:
    """Of windows alone, the kind that comes in masses; in processor time of one core."""
    windows: list[Record] = [window(seq, START_MS, f"sku-{seq % SKUS}") for seq in range(1, BATCH_ROWS + 1)]
    body = body_of(FleetGateway("gw-1", "store-1", ""), windows)
    costs = []
    for _ in range(5):
        began, turns = time.process_time(), 100 if quick else 1000
        for _ in range(turns):
            read_batch(body, "zstd")
        costs.append((time.process_time() - began) / turns)
    return row("parse and validate, 500-row batches, one core", round(BATCH_ROWS / min(costs)), "rows/s", GOAL_PARSE,
               "higher")  # fmt: skip
