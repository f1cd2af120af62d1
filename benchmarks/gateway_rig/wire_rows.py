"""The wire's figures as rows."""

from typing import Any

from benchmarks.gateway_rig import wire
from benchmarks.gateway_rig.outside import OutsideGateway
from benchmarks.gateway_rig.rows import Row

GOAL_ROW_BYTES, GOAL_DAY_MB = 12, 25


def rows(*, quick: bool, outside: OutsideGateway | None, peers: dict[str, Any]) -> list[Row]:  # noqa: ARG001
    found = wire.measure()
    return [
        Row(f"bytes of a window on the wire, {wire.ROWS_PER_BATCH} a batch", round(found.bytes_per_window_row, 2), "bytes",
            GOAL_ROW_BYTES, "lower"),
        Row(f"a day of {wire.SKUS} SKUs, {found.lines} lines sold, {found.batches} batches", round(found.mb_per_day, 2), "MB",
            GOAL_DAY_MB, "lower"),
        Row("  of it windows", round(found.share_of_windows_mb, 2), "MB", None, "lower"),
        Row("  of it receipts", round(found.share_of_receipts_mb, 2), "MB", None, "lower"),
        Row("  of it levels, every SKU every hour", round(found.share_of_levels_mb, 2), "MB", None, "lower"),
    ]  # fmt: skip
