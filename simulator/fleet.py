"""Many gateways in one process: each sends a small batch now and then, over a bounded number of connections.

What they say is made up, and cheap to make: windows of a few SKUs. The times of the batches are fixed beforehand; a
batch that must wait, for a connection or for the centre, waits on the clock: its latency counts from when it was due.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from contract.codec import compress

WINDOW_MS = 60_000


@dataclass(slots=True)
class FleetGateway:
    """One of the fleet. through_seq: the last row that the centre acknowledged."""

    gateway: str
    store: str
    key: str
    epoch: str = "fleet-1"
    through_seq: int = 0

    def body(self, rows: int, now_ms: int, skus: int) -> bytes:
        """The next `rows` windows: those after the acknowledged ones."""
        first = self.through_seq + 1
        seqs = list(range(first, first + rows))
        records = {
            "seq": seqs, "at_ms": [now_ms - now_ms % WINDOW_MS] * rows, "sku": [f"sku-{seq % skus}" for seq in seqs],
            "span_ms": [WINDOW_MS] * rows, "picked_units": [1] * rows, "put_back_units": [0] * rows,
            "refilled_units": [0] * rows, "unresolved_g": [0] * rows, "on_hand_units": [seq % 50 for seq in seqs],
            "on_shelf_units": [seq % 20 for seq in seqs], "stock_out_ms": [0] * rows,
        }  # fmt: skip
        batch = {
            "v": 1, "gateway": self.gateway, "store": self.store, "epoch": self.epoch, "seq_from": first,
            "seq_to": first + rows - 1, "sent_at_ms": now_ms, "have": {}, "records": {"sku_window": records},
        }  # fmt: skip
        return compress(json.dumps(batch, separators=(",", ":")).encode())


@dataclass(slots=True)
class FleetReport:
    """latencies_s: of each acknowledged batch, from when it was due. failed: answers that were no acknowledgement."""

    latencies_s: list[float] = field(default_factory=list)
    rows: int = 0
    failed: int = 0
    wall_s: float = 0.0

    def quantile_ms(self, q: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(int(q * len(ordered)), len(ordered) - 1)] * 1000 if ordered else float("inf")


async def run_fleet(
    gateways: Sequence[FleetGateway],
    host: str,
    port: int,
    *,
    rows: int,
    period_s: float,
    seconds: float,
    connections: int,
    skus: int = 40,
) -> FleetReport:
    """Every gateway sends `rows` rows each `period_s`, evenly spread, for `seconds`. period_s 0: as fast as it goes."""
    report = FleetReport()
    queue = _due(gateways, period_s, seconds)
    started = time.perf_counter()
    busy: set[str] = set()

    async def serve() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            for at_s, gateway in queue:
                wait_s = started + at_s - time.perf_counter()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                elif not period_s and time.perf_counter() - started > seconds:
                    return
                if gateway.gateway in busy:
                    continue  # its last batch is still on the way: a gateway sends one at a time
                busy.add(gateway.gateway)
                asked = time.perf_counter() if not period_s else started + at_s
                await _send(reader, writer, gateway, rows, skus, report)
                report.latencies_s.append(time.perf_counter() - asked)
                busy.discard(gateway.gateway)
        finally:
            writer.close()

    await asyncio.gather(*(serve() for _ in range(connections)))
    report.wall_s = time.perf_counter() - started
    return report


def _due(
    gateways: Sequence[FleetGateway], period_s: float, seconds: float
) -> Iterator[tuple[float, FleetGateway]]:
    """(when, who), in order of time; without a period always at once, for ever."""
    if not period_s:
        yield from ((0.0, gateway) for gateway in itertools.cycle(gateways))
    for turn in range(max(int(seconds / max(period_s, 1e-9)), 1)):
        for place, gateway in enumerate(gateways):
            yield turn * period_s + place * period_s / len(gateways), gateway


async def _send(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    gateway: FleetGateway,
    rows: int,
    skus: int,
    report: FleetReport,
) -> None:
    body = gateway.body(rows, time.time_ns() // 1_000_000, skus)
    head = (
        f"POST /v1/gateways/{gateway.gateway}/batches HTTP/1.1\r\nHost: centre\r\nAuthorization: Bearer {gateway.key}\r\n"
        f"Content-Encoding: zstd\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    status, answer = await _answer(reader)
    if status != 200:
        report.failed += 1
        return
    through = int(json.loads(answer)["acked_through"])
    report.rows += through - gateway.through_seq
    gateway.through_seq = through


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.lower().startswith(b"content-length:"))
    return int(lines[0].split()[1]), await reader.readexactly(length)
