"""From the start of the process to the first message that is accepted, on a gateway that has run before."""

import time
from typing import Any

from benchmarks.gateway_rig.latency import DEVICE
from benchmarks.gateway_rig.outside import OutsideGateway
from benchmarks.gateway_rig.processes import python, stop
from benchmarks.gateway_rig.publisher import connect, publish_packet
from benchmarks.gateway_rig.rig import new_boot, rig_of
from benchmarks.gateway_rig.rows import Row
from benchmarks.gateway_rig.shop import event

GOAL_S, TRIES = 2.0, 3
LARGE_SKUS = 5000


def rows(*, quick: bool, outside: OutsideGateway | None, peers: dict[str, Any]) -> list[Row]:  # noqa: ARG001
    found = []
    for skus in (60, LARGE_SKUS):
        with rig_of(f"start-{skus}", outside, skus) as rig:
            assert rig.gateway is not None
            if skus == LARGE_SKUS:
                time.sleep(2.0)
                memory_mb = rig.gateway.cost().peak_rss_mb
            rig.gateway.stop()
            times = [_start_s(rig.port, rig.gateway.config) for _ in range(1 if quick else TRIES)]
        found.append(
            Row(
                f"cold start to the first accepted message, {skus} SKUs",
                round(min(times), 2),
                "s",
                GOAL_S,
                "lower",
            )
        )
    found.append(
        Row(
            f"memory of a shop of {LARGE_SKUS} SKUs, after its documents came",
            round(memory_mb, 1),
            "MB",
            None,
            "lower",
        )
    )
    return found


def _start_s(port: int, config: object) -> float:
    """The message waits at the broker, in the gateway's session: it is taken in as soon as the gateway is there."""
    from benchmarks.gateway_rig.listener import StoredListener

    boot_id = new_boot()
    listener = StoredListener("127.0.0.1", port, boot_id)
    opened = connect("127.0.0.1", port, f"bench-start-{boot_id}")
    opened.sendall(
        publish_packet(
            f"shelfloop/1/{DEVICE}/scan", event(DEVICE, boot_id, 1, kept_from_seq=1, raw="9521234567899"), 1
        )
    )
    began_s = time.monotonic()
    process = python("edge", "run", "--config", str(config))
    try:
        return listener.wait_all({DEVICE: 1}, 60) - began_s
    finally:
        opened.close()
        listener.close()
        stop(process)
