"""What a gateway takes in, keeps and sends, and how fast, beside its floor and a peer in the same run.

    python benchmarks/gateway.py [--quick] [--json FILE] [--only WORD[,WORD]] [--no-peers]
    python benchmarks/gateway.py --broker HOST[:PORT] [--user NAME --password-file FILE] [--upstream PORT] [--pid PID]
    python benchmarks/gateway.py --serve [--upstream URL --key-file FILE]

The first form starts everything itself: Mosquitto, a centre that only answers, the real gateway with a signed bundle, windows,
stock and outbox on, and publishers that are not paho. The second drives a gateway that runs already, over its broker:
`--upstream PORT` is where it finds our answering centre, `--pid` its process on this machine for CPU, memory and disk. The third holds a
broker and a gateway ready for somebody else's load generator, and with --upstream URL for somebody else's sink.

Peers: bare paho + SQLite (the floor), and thingsboard-gateway from PyPI in a venv of its own under var/.
Words for --only: load, batched, idle, disk, wire, trigger, start.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.gateway_rig import cold_start, disk, latency, peers, throughput, trigger, wire_rows  # noqa: E402
from benchmarks.gateway_rig.outside import OutsideGateway, hold  # noqa: E402
from benchmarks.gateway_rig.rows import Row, as_json, table  # noqa: E402

SECTIONS = {
    "start": cold_start.rows,
    "load": throughput.single_rows,
    "batched": throughput.batched_rows,
    "idle": latency.idle_rows,
    "disk": disk.rows,
    "wire": wire_rows.rows,
    "trigger": trigger.rows,
}
OUTSIDE = ("load", "batched", "idle")


def main() -> int:
    options = _options()
    if options.serve:
        return hold(options.upstream, options.key_file)
    began_s = time.monotonic()
    outside = OutsideGateway.from_options(options) if options.broker else None
    wanted = options.only.split(",") if options.only else list(OUTSIDE if outside else SECTIONS)
    peer_figures = {} if options.no_peers or outside else peers.measure(quick=options.quick, wanted=wanted)
    found: list[Row] = []
    for name in wanted:
        print(f"-- {name}", flush=True)
        found += SECTIONS[name](quick=options.quick, outside=outside, peers=peer_figures)
    if outside is not None:
        outside.close()
    print(table(found))
    print(f"{len(found)} rows in {time.monotonic() - began_s:.0f} s")
    if options.json:
        options.json.write_text(as_json(found))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter spans; every row is still printed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    parser.add_argument("--only", metavar="WORDS", help=f"some of {', '.join(SECTIONS)}, with commas")
    parser.add_argument("--no-peers", action="store_true", help="leave the floor and the peer out")
    parser.add_argument("--broker", metavar="HOST[:PORT]", help="the broker of a gateway that runs already")
    parser.add_argument("--user", default="", help="user at that broker, who may publish as any device")
    parser.add_argument("--password-file", type=Path, help="file with that user's password")
    parser.add_argument(
        "--upstream",
        metavar="PORT|URL",
        help="with --broker a port for our sink, with --serve a centre's URL",
    )
    parser.add_argument(
        "--key-file", type=Path, help="with --serve --upstream: the gateway's key at that centre"
    )
    parser.add_argument("--pid", type=int, help="with --broker: the gateway's process on this machine")
    parser.add_argument("--serve", action="store_true", help="hold a broker and a gateway until Ctrl-C")
    options = parser.parse_args()
    unknown = set(options.only.split(",") if options.only else ()) - set(SECTIONS)
    if unknown:
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}; known are {', '.join(SECTIONS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
