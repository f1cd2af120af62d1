"""Messages and readings a second that are durable, and what they cost."""

from typing import Any

from benchmarks.gateway_rig import latency
from benchmarks.gateway_rig.outside import OutsideGateway
from benchmarks.gateway_rig.rig import rig_of, run_load
from benchmarks.gateway_rig.rows import Row

READINGS = 20
GOAL_PER_S, GOAL_OF_FLOOR, GOAL_READINGS_PER_S = 15_000, 0.8, 100_000
GOAL_CPU_S, GOAL_RSS_MB, GOAL_BYTES = 7.0, 110, 700


def single_rows(*, quick: bool, outside: OutsideGateway | None, peers: dict[str, Any]) -> list[Row]:
    with rig_of("load", outside) as rig:
        # The best of three: a neighbour's burst on a shared machine is not the gateway's.
        runs = [run_load(rig, "single", 40_000 if quick else 120_000) for _ in range(3)]
        best = max(runs, key=lambda run: run.messages_per_s)
        rows = [
            Row("single-reading messages durable", round(best.messages_per_s), "messages/s", GOAL_PER_S, "higher",
                {name: round(peer.messages_per_s) for name, peer in peers.items()}),
            Row("single-reading messages durable, worst of 3 runs", round(min(run.messages_per_s for run in runs)),
                "messages/s", None, "higher"),
        ]  # fmt: skip
        if "floor" in peers:
            share = best.messages_per_s / peers["floor"].messages_per_s
            rows.append(Row("the same, of the floor", round(share, 2), "of 1", GOAL_OF_FLOOR, "higher"))
        if best.after is not None:
            rows += [
                Row("CPU for 100k single-reading messages", round(best.cpu_s_per_100k, 2), "s", GOAL_CPU_S, "lower",
                    {name: round(peer.cpu_s_per_100k, 2) for name, peer in peers.items()}),
                Row("memory under load, bundle loaded", round(max(run.after.peak_rss_mb for run in runs if run.after), 1),
                    "MB", GOAL_RSS_MB, "lower", {name: round(peer.rss_mb, 1) for name, peer in peers.items()}),
                Row("bytes written a message at load", round(best.bytes_per_message), "bytes", GOAL_BYTES, "lower",
                    {name: round(peer.bytes_per_message) for name, peer in peers.items()}),
            ]  # fmt: skip
        rows += latency.loaded_rows(rig, quick=quick)
    return rows


def batched_rows(*, quick: bool, outside: OutsideGateway | None, peers: dict[str, Any]) -> list[Row]:  # noqa: ARG001
    with rig_of("batched", outside) as rig:
        runs = [run_load(rig, "batched", 8_000 if quick else 30_000) for _ in range(3)]
    best = max(runs, key=lambda run: run.messages_per_s)
    rows = [
        Row("readings durable, 20 a message", round(best.messages_per_s * READINGS), "readings/s", GOAL_READINGS_PER_S,
            "higher"),
        Row("readings durable, 20 a message, worst of 3 runs",
            round(min(run.messages_per_s for run in runs) * READINGS), "readings/s", None, "higher"),
    ]  # fmt: skip
    if best.after is not None:
        cpu_s = best.cpu_s_per_100k / READINGS
        rows.append(Row("CPU for 100k readings, 20 a message", round(cpu_s, 2), "s", None, "lower"))
    return rows
