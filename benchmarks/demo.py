"""How long the loop takes and what it weighs: the unattended demo, timed, and the first page of a fresh clone.

    python benchmarks/demo.py [--quick] [--json FILE] [--first-page] [--chaos SEED]

Then the run's own days are replayed as they were, and compared with what was really ordered.
The whole run is 28 days x 3 shops; --quick is 2 days x 3 shops, with its stepped part scaled to 28 days so that the row
keeps its goal (start-up is not scaled). --first-page also clones this repository into an empty folder and measures
`make demo` until HQ's page answers (the package cache is whatever pip has).
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# This folder has a models.py of its own: it must not stand for the package.
sys.path.insert(0, str(ROOT))

from central.ledger.engine import Ledger  # noqa: E402
from central.replaying import replay  # noqa: E402
from central.settings import CentralSettings  # noqa: E402

DAYS, QUICK_DAYS, STORES = 28, 2, 3
GOAL_WALL_S, GOAL_RSS_MB, GOAL_EDGE_RSS_MB, GOAL_FIRST_PAGE_S = 300, 200, 120, 120
GOAL_SAME, GOAL_REPLAY_S = 0.75, 10
"""As tests/acceptance/test_a_replay_plays_what_ran.py and benchmarks/ingest.py hold them."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_DAYS} days instead of {DAYS}")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--first-page", action="store_true", help="also time `make demo` in a fresh clone")
    parser.add_argument("--chaos", type=int, help="seed of the kills: also run with them")
    options = parser.parse_args()
    days = QUICK_DAYS if options.quick else DAYS
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept"
        rows = rows_from_report(_run_demo(days, ["--keep", str(kept)]), days, "")
        rows += replay_rows(kept / "central.toml", days)
    if options.chaos is not None:
        rows += rows_from_report(_run_demo(days, ["--chaos", str(options.chaos)]), days, "chaos ")
    if options.first_page:
        rows.append(_row("fresh clone to first page", _first_page_s(), "s", GOAL_FIRST_PAGE_S, "lower"))
    print(f"\n{'name':<44}{'value':>12} {'unit':<9}{'goal':>10}")
    for row in rows:
        print(
            f"{row['name']:<44}{row['value']:>12} {row['unit']:<9}{row['goal'] if row['goal'] is not None else '':>10}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def rows_from_report(report: dict[str, Any], days: int, prefix: str) -> list[dict[str, Any]]:
    """One row a figure. A shorter run's wall clock after start-up is scaled by its days, beside the measured one."""
    peaks: dict[str, float] = report["peak_rss_mb"]
    edges = [value for name, value in peaks.items() if "edge" in name]
    cells = report["cells"]
    rows = [
        _row(f"{prefix}balanced", int(report["balanced"]), "bool", 1, "higher"),
        _row(f"{prefix}declared gaps", report["declared_gaps"], "gaps", 0, "lower"),
        _row(f"{prefix}wall, {days} days x {STORES} shops", report["wall_s"], "s", None, "lower"),
        _row(
            f"{prefix}wall as of {DAYS} days",
            round(report["startup_s"] + (report["wall_s"] - report["startup_s"]) * DAYS / days, 1),
            "s",
            GOAL_WALL_S,
            "lower",
        ),
        _row(f"{prefix}largest edge RSS", max(edges), "MB", GOAL_EDGE_RSS_MB, "lower"),
        _row(f"{prefix}largest process RSS", max(peaks.values()), "MB", GOAL_RSS_MB, "lower"),
        _row(
            f"{prefix}duplicate effects", report["triggers"]["duplicates_in_effect"], "triggers", 0, "lower"
        ),
        _row(
            f"{prefix}units taken minus picks",
            cells["units_taken"] - cells["picks_counted"],
            "units",
            None,
            "lower",
        ),
        _row(f"{prefix}kills", report["kills"], "kills", 20 if prefix else 0, "higher"),
    ]
    for name in ("receipts", "lines", "units", "cents"):
        difference = report[name]["tills"] - report[name]["ledger"]
        rows.append(_row(f"{prefix}{name}: tills minus ledger", difference, name, 0, "lower"))
    for name, summary in report["latency_ms"].items():
        rows.extend(
            _row(f"{prefix}{name} {part}", summary[part], "ms", None, "lower") for part in ("p50", "p95")
        )
    return rows


def replay_rows(config: Path, days: int) -> list[dict[str, Any]]:
    """The run's own days played again as its rules are, beside what it really ordered: of all shops."""
    settings = CentralSettings.load(config)
    ledger = Ledger(settings.url)
    with ledger.read.connect() as connection:
        began_s = time.perf_counter()
        found = replay(connection, settings, {"service_level": 0.99}, days)
        seconds = (time.perf_counter() - began_s) / found.stores
    ledger.close()
    agrees = found.agreement
    rows = [
        _row("replay: real orders that come out again", _share(agrees.same, agrees.made), "share", GOAL_SAME, "higher"),
        _row("replay: orders, played by made", _share(found.now.orders, found.made.orders), "ratio", None, "higher"),
        _row("replay: units, played by made", _share(found.now.ordered_units, found.made.ordered_units), "ratio", None, "higher"),
        _row("replay: real orders", agrees.made, "orders", None, "higher"),
        _row("replay: with another quantity", agrees.quantity, "orders", 0, "lower"),
        _row(f"replay: a shop's {found.days} days, both sides", round(seconds, 2), "s", GOAL_REPLAY_S, "lower"),
    ]  # fmt: skip
    for side, why in (("only made", agrees.only_made), ("only played", agrees.only_played)):
        rows += [
            _row(f"replay: {side}: {text}", count, "orders", 0, "lower")
            for text, count in sorted(why.items())
        ]
    return rows


def _share(part: int, whole: int) -> float:
    """1 where there is nothing to compare."""
    return round(part / whole, 3) if whole else 1.0


def _row(name: str, value: float, unit: str, goal: float | None, better: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "peers": {}}


def _run_demo(days: int, more: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [sys.executable, "-m", "cli", "demo", "--days", str(days), "--stores", str(STORES), "--speed", "max",
                   "--exit", "--no-browser", "--report", str(path), *more]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=False)
        report: dict[str, Any] = json.loads(path.read_text())
        return report


def _first_page_s() -> float:
    """Seconds from `git clone` to HQ's page answering 200, in an empty folder."""
    folder = Path(tempfile.mkdtemp())
    started = time.monotonic()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "shelfloop")], check=True)
    env = {**os.environ, "BROWSER": "true"}
    demo = subprocess.Popen(
        ["make", "demo"], cwd=folder / "shelfloop", env=env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            print("   ", line, end="")
            found = re.search(r"http://127\.0\.0\.1:\d+\S*", line)
            if found:
                _wait_for_page(found.group(0), 60)
                return round(time.monotonic() - started, 1)
        raise SystemExit("make demo ended before it printed the page's address")
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_page(url: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within {limit_s} s")


if __name__ == "__main__":
    sys.exit(main())
