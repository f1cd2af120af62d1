"""A centre as a process, and a fleet that sends to it."""

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from free_ports import free_port

from benchmarks.ingest_rig.batches import BATCH_ROWS, SKUS
from benchmarks.ingest_rig.databases import NewUrl
from benchmarks.ingest_rig.rows import Result, row
from central.ledger.engine import Ledger
from simulator.fleet import FleetGateway, FleetReport, run_fleet
from simulator.fleet_setup import add_fleet

ROOT = Path(__file__).resolve().parent.parent.parent
GOAL_P99_MS, GOAL_FLEET_P99_MS = 250, 2_000
WORKERS = {"sqlite": 1, "postgresql": 2}
FLEET, QUICK_FLEET, FLEET_ROWS, FLEET_PERIOD_S, FLEET_CONNECTIONS = 10_000, 1_000, 20, 10.0, 200


@contextmanager
def running(
    url: str, stores: int, skus: int, workers: int = 1
) -> Iterator[tuple[list[FleetGateway], list[int]]]:
    """A fleet, and the ports of as many processes on one ledger."""
    ledger = Ledger(url)
    ledger.create()
    fleet = add_fleet(ledger, stores, skus=skus)
    ledger.close()
    with tempfile.TemporaryDirectory(prefix="shelfloop-bench-") as folder:
        ports = [free_port() for _ in range(workers)]
        processes = [_start(Path(folder), url, port) for port in ports]
        try:
            for port in ports:
                _wait_until_up(port)
            yield fleet, ports
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def _start(folder: Path, url: str, port: int) -> "subprocess.Popen[bytes]":
    state = folder / str(port)
    state.mkdir()
    config = state / "central.toml"
    config.write_text(
        f'state_dir = "{state}"\ndatabase_url = "{url}"\nport = {port}\nstatus_port = {free_port()}\nlog_level = "ERROR"\n'
    )
    return subprocess.Popen([sys.executable, "-m", "central", "run", "--config", str(config)], cwd=ROOT)


def _wait_until_up(port: int) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the centre did not start")


def half_load(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    seconds = 4.0 if quick else 15.0
    with running(new_url(), 20, SKUS) as (fleet, (port,)):
        full = asyncio.run(
            run_fleet(fleet, "127.0.0.1", port, rows=BATCH_ROWS, period_s=0, seconds=seconds, connections=8, skus=SKUS)
        )  # fmt: skip
        rate = full.rows / full.wall_s
        period_s = len(fleet) * BATCH_ROWS / (rate / 2)
        half = asyncio.run(
            run_fleet(fleet, "127.0.0.1", port, rows=BATCH_ROWS, period_s=period_s, seconds=max(2 * seconds, 2 * period_s),
                      connections=8, skus=SKUS)
        )  # fmt: skip
    yield row(f"{kind}: over HTTP, 500-row batches, one process", round(rate), "rows/s", None, "higher")
    yield row(f"{kind}: p99 of a batch at half that load", round(half.quantile_ms(0.99), 1), "ms", GOAL_P99_MS, "lower",
              p50=round(half.quantile_ms(0.5), 1))  # fmt: skip


def fleet_latency(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    """On PostgreSQL two processes, each with half of the gateways, as nginx shares them out."""
    gateways, workers = QUICK_FLEET if quick else FLEET, WORKERS[kind]
    with running(new_url(), gateways, 40, workers) as (fleet, ports):
        for name, turns in (("first batch of each", 1), ("then", 2)):
            report = asyncio.run(_all_send(fleet, ports, turns * FLEET_PERIOD_S))
            yield row(f"{kind}: {gateways} gateways, {FLEET_ROWS} rows each {FLEET_PERIOD_S:.0f} s, p99, {name}",
                      round(report.quantile_ms(0.99), 1), "ms", GOAL_FLEET_P99_MS, "lower",
                      p50=round(report.quantile_ms(0.5), 1), failed=report.failed,
                      batches_a_s=round(len(report.latencies_s) / report.wall_s), asked_a_s=round(gateways / FLEET_PERIOD_S),
                      processes=workers)  # fmt: skip


async def _all_send(fleet: list[FleetGateway], ports: list[int], seconds: float) -> FleetReport:
    reports = await asyncio.gather(
        *(
            run_fleet(
                fleet[place :: len(ports)], "127.0.0.1", port, rows=FLEET_ROWS, period_s=FLEET_PERIOD_S,
                seconds=seconds, connections=FLEET_CONNECTIONS // len(ports),
            )
            for place, port in enumerate(ports)
        )
    )  # fmt: skip
    whole = FleetReport(wall_s=max(report.wall_s for report in reports))
    for report in reports:
        whole.latencies_s += report.latencies_s
        whole.rows += report.rows
        whole.failed += report.failed
    return whole
