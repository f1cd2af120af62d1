"""From the publish of a message to its device hearing `stored`: received, decided, on the disk, and the broker both ways."""

import random
import time
from typing import Any

from benchmarks.gateway_rig.outside import OutsideGateway
from benchmarks.gateway_rig.publisher import connect, publish_packet
from benchmarks.gateway_rig.rig import Rig, new_boot, rig_of
from benchmarks.gateway_rig.rows import Row
from benchmarks.gateway_rig.shop import event

LOAD_PER_S = 10_000
GOAL_LOADED_S, GOAL_IDLE_S = 0.4, 1.2
DEVICE = "probe-1"


def loaded_rows(rig: Rig, *, quick: bool) -> list[Row]:
    seconds = 8 if quick else 30
    boot_id = new_boot()
    load = rig.load("single", LOAD_PER_S * seconds, boot_id, rate=LOAD_PER_S)
    load.go()
    time.sleep(1.0)
    waits = _probe(rig, count=int((seconds - 2) / 0.04), mean_gap_s=0.04)
    load.result()
    return _rows(f"received to durable at {LOAD_PER_S:,} messages/s", waits, GOAL_LOADED_S)


def idle_rows(*, quick: bool, outside: OutsideGateway | None, peers: dict[str, Any]) -> list[Row]:  # noqa: ARG001
    with rig_of("idle", outside) as rig:
        waits = _probe(rig, count=12 if quick else 60, mean_gap_s=1.5)
        urgent = _probe(rig, count=20 if quick else 100, mean_gap_s=0.4, stream="scan", raw="9521234567899")
    return [
        *_rows("received to durable when idle, state that heals", waits, GOAL_IDLE_S),
        *_rows("received to durable when idle, receipts and the like", urgent, None),
    ]


def _rows(name: str, waits: list[float], goal: float | None) -> list[Row]:
    ordered = sorted(waits)
    return [
        Row(f"{name}, p50", round(ordered[len(ordered) // 2], 3), "s", None, "lower"),
        Row(
            f"{name}, p99",
            round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
            "s",
            goal,
            "lower",
        ),
    ]


def _probe(
    rig: Rig, *, count: int, mean_gap_s: float, stream: str = "heartbeat", **fields: Any
) -> list[float]:
    """Seconds until `stored` of `count` messages of a device of its own, sent at uneven moments."""
    boot_id, rng = new_boot(), random.Random(7)
    fields = fields or {"uptime_ms": 1}
    listener = rig.listen(boot_id)
    opened = connect(rig.host, rig.port, f"bench-probe-{boot_id}", rig.username, rig.password)
    sent_s: list[float] = []
    try:
        for seq in range(1, count + 1):
            time.sleep(rng.uniform(0.5, 1.5) * mean_gap_s)
            payload = event(DEVICE, boot_id, seq, kept_from_seq=seq, **fields)
            sent_s.append(time.monotonic())
            opened.sendall(publish_packet(f"shelfloop/1/{DEVICE}/{stream}", payload, seq))
        listener.wait_all({DEVICE: count}, 60)
        told = listener.told_s[DEVICE]
    finally:
        opened.close()
        listener.close()
    return [next(at_s for seq, at_s in told if seq >= number) - sent for number, sent in enumerate(sent_s, 1)]
