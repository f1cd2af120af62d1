"""Rows of the ledger from what a gateway told: each record's columns by their names."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from central.core.coupon_hash import code_hash
from contract.batch_reading import WindowRow
from contract.records import HealthRecord, ReceiptRecord, SkuWindow, SoldLine

Row = dict[str, Any]


def window_row(record: SkuWindow) -> WindowRow:
    return WindowRow._make([getattr(record, name) for name in WindowRow._fields])


def line_row(line: SoldLine) -> Row:
    return {
        "kind": str(line.kind), "sku": line.sku, "gtin": line.gtin, "raw_code": line.raw_code,
        "quantity_units": line.quantity_units, "quantity_g": line.quantity_g,
        "unit_price_cents": line.unit_price_cents, "extended_cents": line.extended_cents,
        "code_hash": None if line.coupon_code is None else code_hash(line.coupon_code),
    }  # fmt: skip


def content_hash(receipt: ReceiptRecord) -> str:
    """Of what the till said: neither the gateway's arrival time nor its item list takes part."""
    parts: Iterable[object] = (
        (str(line.kind), line.gtin, line.raw_code, line.quantity_units, line.quantity_g, line.unit_price_cents,
         line.extended_cents, line.coupon_code)
        for line in receipt.lines
    )  # fmt: skip
    return hashlib.sha256(repr((receipt.total_cents, receipt.member, *parts)).encode()).hexdigest()[:32]


def health_row(gateway: str, health: HealthRecord) -> Row:
    return {
        "gateway": gateway, "watermark_ms": health.watermark_ms, "version": health.version, "bundle": health.bundle,
        "counters": json.dumps(health.counters), "devices_online": json.dumps(health.devices_online),
        "devices_offline": json.dumps(health.devices_offline),
    }  # fmt: skip
