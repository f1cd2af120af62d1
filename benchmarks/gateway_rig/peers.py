"""The same load over other software: the floor, and ThingsBoard's gateway."""

import json
import subprocess
from dataclasses import dataclass

from benchmarks.gateway_rig import thingsboard
from benchmarks.gateway_rig.processes import Broker, Load, folder_for, python, stop

SECTIONS_WITH_PEERS = frozenset({"load"})


@dataclass(frozen=True, slots=True)
class PeerRun:
    messages_per_s: float
    cpu_s_per_100k: float
    rss_mb: float
    bytes_per_message: float


def measure(*, quick: bool, wanted: list[str]) -> dict[str, PeerRun]:
    """Name -> figures; a peer that cannot be had is left out, with the reason printed."""
    if not SECTIONS_WITH_PEERS & set(wanted):
        return {}
    print("-- peers", flush=True)
    found = {
        "floor": max(
            (_floor(40_000 if quick else 120_000) for _ in range(3)), key=lambda run: run.messages_per_s
        )
    }
    try:
        found["thingsboard-gateway"] = _thingsboard(3_000 if quick else 10_000)
    except thingsboard.UnavailableError as error:
        print(f"thingsboard-gateway is left out: {error}")
    return found


def _floor(messages: int) -> PeerRun:
    folder = folder_for("floor")
    broker = Broker(folder)
    # Twelve heartbeats follow the load, see `workload_events`.
    process = python(
        "benchmarks.gateway_rig.floor",
        str(broker.port),
        str(folder),
        str(messages + 12),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        load = Load(broker.port, "single", messages)
        began_s = load.go()
        told = json.loads(process.stdout.readline())
        load.result()
    finally:
        stop(process)
        broker.stop()
    return PeerRun(
        messages / (told["done_s"] - began_s),
        told["cpu_s"] / messages * 1e5,
        told["rss_mb"],
        told["written"] / messages,
    )


def _thingsboard(messages: int) -> PeerRun:
    run = thingsboard.measure(messages)
    return PeerRun(run.messages_per_s, run.cpu_s_per_100k, run.rss_mb, run.bytes_per_message)
