"""A shop of 5,000 SKUs without its centre for 30 days: what its gateway keeps, and how that drains once the line is back.

    python benchmarks/outage.py [--quick] [--json FILE] [--days N]

The outage is simulated record by record against the gateway's real file with its real limit, trimming and all; the drain runs
the real processes (broker, gateway, centre) while a till sells. --quick is 2 days with a limit in proportion.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outage_rig.drain import STORE, Processes, wait_for  # noqa: E402
from benchmarks.outage_rig.records import DAY_MS, ShopRecords  # noqa: E402
from edge.backlog import Backlog  # noqa: E402 - found only now
from edge.store import Commit  # noqa: E402
from edge.store_file import open_store  # noqa: E402
from edge.uplink import UplinkStatus  # noqa: E402

SKUS, DAYS, QUICK_DAYS = 5000, 30, 2
MAX_BYTES = 536_870_912
START_MS = 1_788_220_800_000
"""2026-09-01, a Tuesday, 00:00 UTC."""
GOAL_TIMES_REAL, GOAL_LATENCY_S = 20, 2.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_DAYS} days, the limit in proportion")
    parser.add_argument("--days", type=int, help=f"instead of {DAYS}")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    days = options.days or (QUICK_DAYS if options.quick else DAYS)
    max_bytes = MAX_BYTES * days // DAYS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = ShopRecords(SKUS, START_MS)
        outage = simulate_outage(folder / "state", shop, days, max_bytes)
        rows = outage_rows(outage, days, max_bytes)
        rows += drain_rows(folder, shop, days, max_bytes)
    print(f"\n{'name':<66}{'value':>16} {'unit':<8}{'goal':>14}  peers")
    for row in rows:
        goal = "" if row["goal"] is None else row["goal"]
        print(f"{row['name']:<66}{row['value']:>16} {row['unit']:<8}{goal:>14}  {row['peers'] or ''}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    missed = [row["name"] for row in rows if not _is_met(row)]
    print(f"goals missed: {', '.join(missed)}" if missed else "all goals are met")
    return 0


def simulate_outage(state_dir: Path, shop: ShopRecords, days: int, max_bytes: int) -> dict[str, float]:
    """The gateway's file after the outage; what it took at most, and how long one commit with its trimming did."""
    store = open_store(state_dir, START_MS)
    backlog = Backlog(store, max_bytes, UplinkStatus())
    outbox_bytes = file_bytes = uncapped = 0
    pauses_s: list[float] = []
    began_s = time.monotonic()
    for at_ms, records in shop.quarters(days):
        for place in range(0, len(records), 500):
            part = records[place : place + 500]
            before_s = time.monotonic()
            store.commit(Commit(at_ms, records=part, freeze=False))
            backlog.after_commit(at_ms, acked=False)
            pauses_s.append(time.monotonic() - before_s)
            outbox_bytes = max(outbox_bytes, store.outbox_bytes)
        if at_ms % DAY_MS == 0:
            file_bytes = max(file_bytes, store.path.stat().st_size)
            day = (at_ms - START_MS) // DAY_MS
            print(
                f"day {day}: {store.streams.waiting():,} rows, {store.outbox_bytes / 1e6:.0f} MB, file {file_bytes / 1e6:.0f} MB"
            )
    spans = [
        span
        for (span,) in store.db.execute(
            "SELECT json_extract(json, '$.span_ms') FROM outbox WHERE kind = 'sku_window'"
        )
    ]
    rows = store.streams.waiting()
    uncapped = sum(shop.kinds.values())
    store.close()
    pauses_s.sort()
    return {
        "outbox_bytes": outbox_bytes, "file_bytes": file_bytes, "rows": rows, "emitted": uncapped,
        "widest_span_min": max(spans) / 60_000, "windows": len(spans), "pause_p99_s": pauses_s[int(len(pauses_s) * 0.99)],
        "pause_max_s": pauses_s[-1], "took_s": time.monotonic() - began_s,
    }  # fmt: skip


def outage_rows(outage: dict[str, float], days: int, max_bytes: int) -> list[dict[str, Any]]:
    return [
        _row(
            f"outbox at most in {days} days without a centre",
            outage["outbox_bytes"],
            "bytes",
            max_bytes,
            "lower",
        ),
        _row("the gateway's file at most", outage["file_bytes"], "bytes", None, "lower"),
        _row("records emitted", outage["emitted"], "rows", None, "higher"),
        _row("rows left after trimming", outage["rows"], "rows", None, "lower"),
        _row("windows left", outage["windows"], "rows", None, "lower"),
        _row("widest window", round(outage["widest_span_min"]), "min", None, "lower"),
        _row(
            "commit of 500 rows with trimming, p99", round(outage["pause_p99_s"] * 1000), "ms", None, "lower"
        ),
        _row(
            "commit of 500 rows with trimming, longest",
            round(outage["pause_max_s"] * 1000),
            "ms",
            None,
            "lower",
        ),
    ]


def drain_rows(folder: Path, shop: ShopRecords, days: int, max_bytes: int) -> list[dict[str, Any]]:
    now_ms = START_MS + days * DAY_MS
    with Processes(folder, folder / "state", SKUS, now_ms, max_bytes) as processes:
        began_s = time.monotonic()
        processes.start_gateway()
        print(f"the gateway is up after {time.monotonic() - began_s:.1f} s")
        while_draining: list[float] = []
        while not processes.is_drained():
            while_draining.append(processes.sell())
            if while_draining[-1] > GOAL_LATENCY_S:
                at_s = time.monotonic() - began_s
                print(f"a live receipt took {while_draining[-1]:.1f} s, {at_s:.0f} s after the start")
            time.sleep(0.2)
            if time.monotonic() - began_s > 3600:
                raise SystemExit("not drained within an hour")
        drain_s = time.monotonic() - began_s
        at_rest = []
        for _ in range(20):
            at_rest.append(processes.sell())
            time.sleep(0.2)
        wait_for(processes.is_drained, "the last receipts", 60)
        return [*_speed_rows(days, drain_s, while_draining, at_rest), *_book_rows(processes, shop)]


def _speed_rows(
    days: int, drain_s: float, while_draining: list[float], at_rest: list[float]
) -> list[dict[str, Any]]:
    quiet = {"nothing to drain, p99 s": round(_p(at_rest, 0.99), 2)}
    return [
        _row("drain, start of the gateway included", round(drain_s, 1), "s", days * 86_400 / GOAL_TIMES_REAL, "lower"),
        _row("drain, times real time", round(days * 86_400 / drain_s), "x", GOAL_TIMES_REAL, "higher"),
        _row("live receipts sold while it drained", len(while_draining) - 1, "receipts", None, "higher"),
        # The first one waits for the gateway to start.
        _row("live receipt to HQ's ledger while draining, p50", round(_p(while_draining[1:], 0.5), 2), "s", None, "lower",
             {"nothing to drain, p50 s": round(_p(at_rest, 0.5), 2)}),
        _row("live receipt to HQ's ledger while draining, p99", round(_p(while_draining[1:], 0.99), 2), "s",
             GOAL_LATENCY_S, "lower", quiet),
    ]  # fmt: skip


def _book_rows(processes: Processes, shop: ShopRecords) -> list[dict[str, Any]]:
    """Both sides of every sum, and of every kind of record with what the gaps declare."""
    [(units, cents, receipts)] = processes.ledger(
        "SELECT sum(sold_units), sum(total_cents), count(*) FROM receipts WHERE store_id = ? AND register_id = 'till-1'",
        STORE,
    )
    [(picked, refilled, empty_ms)] = processes.ledger(
        "SELECT sum(picked_units), sum(refilled_units), sum(stock_out_ms) FROM windows WHERE store_id = ?",
        STORE,
    )
    [(delivered, deliveries)] = processes.ledger(
        "SELECT sum(units), count(*) FROM stock_facts WHERE store_id = ? AND fact = 'delivery'", STORE
    )
    [(levels,)] = processes.ledger(
        "SELECT count(*) FROM stock_facts WHERE store_id = ? AND fact = 'level'", STORE
    )
    [(forecasts,)] = processes.ledger(
        "SELECT count(*) FROM forecasts WHERE store_id = ? AND bundle = 'b@1'", STORE
    )
    declared: Counter[str] = Counter()
    gaps = processes.ledger("SELECT what, declared_by FROM gaps WHERE store_id = ?", STORE)
    for what, _ in gaps:
        if found := re.match(r"(\d+) (\w+)", what):
            declared[found[2]] += int(found[1])
    sums, kinds = shop.sums, shop.kinds
    differences = {
        "units: sold minus at HQ": sums["units"] - units,
        "cents: sold minus at HQ": sums["cents"] - cents,
        "receipts: sold minus at HQ": kinds["receipt"] - receipts,
        "picked units: counted minus at HQ": sums["picked_units"] - picked,
        "refilled units: counted minus at HQ": sums["refilled_units"] - refilled,
        "stock-out ms: counted minus at HQ": sums["stock_out_ms"] - empty_ms,
        "delivered units: counted minus at HQ": sums["delivered_units"] - delivered,
        "deliveries: told minus at HQ": kinds["stock_fact delivery"] - deliveries,
        "levels: told minus at HQ minus declared dropped": kinds["stock_fact level"]
        - levels
        - declared["stock_fact"],
        "forecasts: made minus at HQ minus declared dropped": kinds["forecast"]
        - forecasts
        - declared["forecast"],
    }
    rows = [
        _row(name, value, name.partition(":")[0].split()[-1], 0, "lower")
        for name, value in differences.items()
    ]
    rows.append(_row("gap records at HQ", len(gaps), "gaps", None, "lower"))
    rows.append(_row("records that the gaps declare", sum(declared.values()), "rows", None, "lower"))
    return rows


def _p(values: list[float], share: float) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _is_met(row: dict[str, Any]) -> bool:
    if row["goal"] is None:
        return True
    if row["goal"] == 0:
        return bool(row["value"] == 0)
    return bool(row["value"] >= row["goal"] if row["better"] == "higher" else row["value"] <= row["goal"])


def _row(
    name: str, value: float, unit: str, goal: float | None, better: str, peers: dict[str, float] | None = None
) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "peers": peers or {}}


if __name__ == "__main__":
    sys.exit(main())
