"""What a day of a busy shop writes: 50 messages a second over 60 hot SKUs, measured over a shorter span.

The kernel counts what the gateway's process sent to the disk; SQLite's checkpoints come every few minutes, so those that the
span's log will cause are counted in: each distinct 4 KiB block that the log holds is written once more.
"""

import struct
from pathlib import Path
from typing import Any

from benchmarks.gateway_rig.outside import OutsideGateway
from benchmarks.gateway_rig.rig import rig_of, run_load
from benchmarks.gateway_rig.rows import Row
from benchmarks.gateway_rig.shop import HOT_SKUS

MESSAGES_PER_S, GOAL_GB = 50, 3.0
DAY_S = 86_400
GB, BLOCK_BYTES, PAGE_BYTES = 1e9, 4096, 1024
CARD_GB, CARD_CYCLES, AMPLIFICATION = 32, 1000, 4
"""A cheap card: what its cells bear, and what it writes inside for each small write from outside."""


def rows(*, quick: bool, outside: OutsideGateway | None, peers: dict[str, Any]) -> list[Row]:  # noqa: ARG001
    span_s = 40 if quick else 240
    with rig_of("disk", outside, HOT_SKUS) as rig:
        run = run_load(rig, "single", MESSAGES_PER_S * span_s, rate=MESSAGES_PER_S)
        assert rig.gateway is not None
        checkpoint = checkpoint_bytes(rig.gateway.folder / "state" / "edge.sqlite-wal")
    assert run.after is not None
    assert run.before is not None
    written = run.after.written_bytes - run.before.written_bytes
    gb = (written + checkpoint) / span_s * DAY_S / GB
    years = CARD_GB * CARD_CYCLES / (gb * AMPLIFICATION) / 365
    return [
        Row(
            f"written a day at {MESSAGES_PER_S} messages/s (from {span_s} s)",
            round(gb, 2),
            "GB",
            GOAL_GB,
            "lower",
        ),
        Row(
            f"life of a {CARD_GB} GB card of {CARD_CYCLES} cycles at that",
            round(years, 1),
            "years",
            None,
            "higher",
        ),
    ]


def checkpoint_bytes(log: Path) -> int:
    """What writing the log's pages back into the database will cost."""
    content = log.read_bytes() if log.exists() else b""
    step = 24 + PAGE_BYTES
    pages = {
        struct.unpack_from(">I", content, place)[0] for place in range(32, len(content) - step + 1, step)
    }
    return len({page * PAGE_BYTES // BLOCK_BYTES for page in pages}) * BLOCK_BYTES
