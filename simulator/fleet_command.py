"""`shelfloop simulate fleet`: load on a centre of your own, by gateways that exist in its ledger and nowhere else.

First `--add N --config FILE` puts N stores with a gateway each into a ledger (one that you can throw away) and their keys into a
file; then, with the centre running, `--port P` lets them send.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from simulator.fleet import FleetGateway, FleetReport, run_fleet

MAX_GATEWAYS, MAX_ROWS, SKUS = 20_000, 5_000, 40


def main(argv: list[str] | None = None) -> int:
    """0, or 1 when a batch was not acknowledged, or 78 for what the operator must put right."""
    options = _parser().parse_args(argv)
    try:
        return _add(options) if options.add else _run(options)
    except (OSError, ValueError) as error:
        print(f"shelfloop simulate fleet: {error}", file=sys.stderr)
        return 78


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop simulate fleet",
        description="Lets many gateways send to one centre, over plain HTTP and a bounded number of connections. Their stores are"
        " made up and stay in the ledger: use one that you can throw away.",
    )
    parser.add_argument("--keys", type=Path, required=True, metavar="FILE", help="the fleet's names and keys")
    add = parser.add_argument_group("make a fleet (on SQLite while the centre is stopped)")
    add.add_argument(
        "--add", type=_whole(1, MAX_GATEWAYS), metavar="N", help="so many stores, a gateway each"
    )
    add.add_argument(
        "--config", type=Path, metavar="FILE", help="the centre's settings, which say where its ledger is"
    )
    run = parser.add_argument_group("let it send")
    run.add_argument("--host", default="127.0.0.1", help="of the centre (default 127.0.0.1)")
    run.add_argument("--port", type=_whole(1, 65_535), help="of the centre's API")
    run.add_argument(
        "--rows", type=_whole(1, MAX_ROWS), default=20, help="windows in each batch (default 20)"
    )
    run.add_argument(
        "--period", type=_seconds, default=10.0, metavar="S",
        help="each gateway sends so often (default 10); 0: as fast as the centre answers",
    )  # fmt: skip
    run.add_argument("--seconds", type=_seconds, default=60.0, metavar="S", help="for so long (default 60)")
    run.add_argument("--connections", type=_whole(1, 1_000), default=64, help="at the same time (default 64)")
    return parser


def _whole(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 86400")
    return value


def _add(options: argparse.Namespace) -> int:
    if options.keys.exists():
        raise ValueError(f"--keys {options.keys} is there already; name a new file, or let that fleet send")
    if not options.config:
        raise ValueError("--add needs --config FILE: the centre's settings, which say where its ledger is")
    from central.ledger.engine import Ledger  # noqa: PLC0415 - sending needs no database driver
    from central.settings import CentralSettings  # noqa: PLC0415
    from simulator.fleet_setup import add_fleet  # noqa: PLC0415

    ledger = Ledger(CentralSettings.load(options.config).url)
    try:
        ledger.create()
        fleet = add_fleet(ledger, options.add, skus=SKUS)
    finally:
        ledger.close()
    _write_keys(options.keys, fleet)
    print(f"{len(fleet)} stores with a gateway and {SKUS} SKUs each; their keys are in {options.keys}")
    return 0


def _run(options: argparse.Namespace) -> int:
    if not options.port:
        raise ValueError("say --port P to let the fleet send, or --add N --config FILE to make one")
    fleet = _fleet(options.keys)
    print(
        f"{len(fleet)} gateways, {options.rows} rows each {options.period:g} s for {options.seconds:g} s, "
        f"over {options.connections} connections",
        file=sys.stderr,
    )
    report = asyncio.run(
        run_fleet(
            fleet, options.host, options.port, rows=options.rows, period_s=options.period, seconds=options.seconds,
            connections=options.connections, skus=SKUS,
        )
    )  # fmt: skip
    _write_keys(options.keys, fleet)
    print(_told(report))
    return 1 if report.failed else 0


def _fleet(keys: Path) -> list[FleetGateway]:
    try:
        rows = json.loads(keys.read_text())
        return [FleetGateway(**row) for row in rows]
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"--keys {keys} is no fleet ({error}); make one with --add") from None


def _write_keys(path: Path, fleet: list[FleetGateway]) -> None:
    """Each with its last acknowledged row, after which the next run goes on: the same rows again would be duplicates."""
    rows = [
        {"gateway": one.gateway, "store": one.store, "key": one.key, "through_seq": one.through_seq}
        for one in fleet
    ]
    fresh = path.with_suffix(".new")
    # Keys are secrets: nobody else reads them, not even for the moment between making the file and changing its mode.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(rows, file)
    fresh.replace(path)


def _told(report: FleetReport) -> str:
    batches = len(report.latencies_s)
    if not batches:
        return "no batch was sent: --seconds is shorter than --period allows"
    return (
        f"{batches} batches in {report.wall_s:.1f} s ({batches / report.wall_s:.0f} a second, {report.rows} rows)\n"
        f"from due to acknowledged: p50 {report.quantile_ms(0.5):.1f} ms, p99 {report.quantile_ms(0.99):.1f} ms, "
        f"worst {report.quantile_ms(1.0):.1f} ms\nnot acknowledged: {report.failed}"
    )
