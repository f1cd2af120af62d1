"""The rows that the demo's benchmark makes of a report."""

import runpy
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks/demo.py"
SAME = {"tills": 1, "ledger": 1}
REPORT = {
    "balanced": True, "declared_gaps": 0, "wall_s": 30.0, "startup_s": 10.0, "peak_rss_mb": {"edge-1": 60.0, "central": 90.0},
    "cells": {"units_taken": 5, "picks_counted": 5}, "triggers": {"duplicates_in_effect": 0}, "kills": 0, "latency_ms": {},
    "receipts": SAME, "lines": SAME, "units": SAME, "cents": SAME,
}  # fmt: skip


@pytest.mark.parametrize(("days", "scaled_s"), [(2, 290.0), (28, 30.0)])
def test_only_the_stepped_part_is_scaled(days: int, scaled_s: float) -> None:
    rows = runpy.run_path(str(BENCHMARK))["rows_from_report"](REPORT, days, "")
    assert {row["name"]: row["value"] for row in rows}["wall as of 28 days"] == scaled_s
