"""How fast batches come in: parsed, committed, answered; what a fleet of ten thousand gateways feels; what HQ waits for.

    python benchmarks/ingest.py [--quick] [--json FILE] [--database sqlite|postgresql|both] [--only WORD[,WORD]]

Each database is measured beside its own raw limit in the same run, turn by turn: the same rows in transactions of the
same size, by the fastest way that its driver has, with no centre around it (benchmarks/ingest_rig/raw.py says what a
raw row is). PostgreSQL is started for the run, with fsync on.
Words for --only: parse, commit, curve, load, fleet, forget, queries. In full, `queries` makes a hundred million rows.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# This folder has a models.py of its own: it must not stand for the package.
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

from local_postgresql import why_absent  # noqa: E402

from benchmarks.ingest_rig.batches import parse_rate  # noqa: E402
from benchmarks.ingest_rig.commits import commit_rate, cost_curve  # noqa: E402
from benchmarks.ingest_rig.databases import server  # noqa: E402
from benchmarks.ingest_rig.forgetting import forgetting  # noqa: E402
from benchmarks.ingest_rig.over_http import fleet_latency, half_load  # noqa: E402
from benchmarks.ingest_rig.queries import hq_queries  # noqa: E402
from benchmarks.ingest_rig.rows import Result  # noqa: E402

SECTIONS = {
    "commit": commit_rate,
    "curve": cost_curve,
    "load": half_load,
    "fleet": fleet_latency,
    "forget": forgetting,
    "queries": hq_queries,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter runs and a smaller fleet, same rows")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--only", default="parse," + ",".join(SECTIONS), help="words, with commas")
    options = parser.parse_args()
    words = options.only.split(",")
    if unknown := set(words) - {"parse", *SECTIONS}:
        parser.error(f"--only: {', '.join(sorted(unknown))} is none of parse, {', '.join(SECTIONS)}")
    results: list[Result] = []
    for result in measure(options.database, words, quick=options.quick):
        results.append(result)
        goal = "" if result["goal"] is None else result["goal"]
        peers = ", ".join(f"{name} {value}" for name, value in result["peers"].items())
        print(f"{result['name']:<76}{result['value']:>12} {result['unit']:<8}{goal:>10}  {peers}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def measure(database: str, words: list[str], *, quick: bool) -> Iterator[Result]:
    if "parse" in words:
        yield parse_rate(quick=quick)
    for kind in ("sqlite", "postgresql") if database == "both" else (database,):
        if kind == "postgresql" and why_absent():
            print(f"postgresql: left out: {why_absent()}", file=sys.stderr)
            continue
        for word, section in SECTIONS.items():
            if word in words:
                with server(kind) as new_url:
                    yield from section(kind, new_url, quick=quick)


if __name__ == "__main__":
    sys.exit(main())
