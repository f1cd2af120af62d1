"""How good the forecasts are, beside their peers on the same evenings, and what the numbers are to reach.

    python benchmarks/forecast.py [--quick] [--json FILE] [--data FOLDER] [--cache FOLDER] [--peers-python PYTHON]

Sets: M5 (30,490 series, benchmark only) and FreshRetailNet-50K, from --data (default ../shared/data beside the project).
The heavy form is what `shelfloop models forecast --train` fits; it is fitted once before the first of M5's four
evenings, as LightGBM is, once more before M5's last 28 days, and before each evening of FreshRetailNet. The gateway form
is the bundle's network, fitted on the same days. --quick takes a seeded part of the series and a short fit: every row is
printed, and only the whole run is to be compared with the goals.
--growth tells time and memory of `models forecast --train` as the number of series grows.
Peers: moving average and last week (negative binomial of the series' own moments), a plain LightGBM with a model a quantile
on columns of its own, and statsforecast's classical methods, which want an older SciPy and so live in a virtual environment
of their own under var/peers, made when missing.
Seeds are fixed. Drawn examples and each method's forecasts are kept in --cache (default var/forecast-cache) until the code
they come from or the data change, so a run that was stopped goes on where it was; the whole takes some 5 GB there.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.forecasting.door import door_rows, growth_rows  # noqa: E402
from benchmarks.forecasting.new import new_rows  # noqa: E402
from benchmarks.forecasting.plan import FULL, PEERS, QUICK, Bench  # noqa: E402
from benchmarks.forecasting.table import (  # noqa: E402
    fresh_rows,
    hidden_rows,
    m5_evening_rows,
    m5_last_rows,
    print_head,
    print_rows,
)

PARTS = {
    "hidden": hidden_rows, "m5-last": m5_last_rows, "m5-evenings": m5_evening_rows, "fresh": fresh_rows, "new": new_rows,
    "door": door_rows, "growth": growth_rows,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a seeded part of the series, a short fit")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets"
    )
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "var" / "forecast-cache", help="folder for what is kept"
    )
    parser.add_argument(
        "--peers-python",
        type=Path,
        help="interpreter that has statsforecast, in place of var/peers/statsforecast",
    )
    parser.add_argument(
        "--growth", action="store_true", help="time and memory from 1,000 to 30,490 series, and nothing else"
    )
    parser.add_argument("--only", choices=list(PARTS), help="one part of the table")
    parser.add_argument(
        "--peers", default=",".join(PEERS), help="which of %(default)s, or none (default: all)"
    )
    options = parser.parse_args()
    if not (options.data / "m5").is_dir():
        print(f"no data in {options.data}: NOTHING was measured; give the folder by --data", file=sys.stderr)
        return 0
    if options.growth:
        options.only = "growth"
    peers = frozenset(options.peers.split(",")) - {"none"}
    if peers - set(PEERS):
        parser.error(
            f"--peers knows {', '.join(PEERS)} and none, not {', '.join(sorted(peers - set(PEERS)))}"
        )
    bench = Bench(options.data, options.cache, options.peers_python, QUICK if options.quick else FULL, peers)
    rows: list[dict[str, Any]] = []
    print_head()
    for name, part in PARTS.items():
        if options.only not in {None, name}:
            continue
        found = part(bench)
        print_rows(found)
        rows += found
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
