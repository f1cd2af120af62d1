"""The measured shop: its documents, and what its devices say.

Sixty hot SKUs lie on twelve shelves of five cells; more SKUs may fill the shop. A tenth of the readings is a pick, an empty
cell is refilled, the rest is the noise of a cell that nobody touches.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.ids import gtin_check_digit

HOT_SKUS, CELLS_PER_SHELF = 60, 5
SHELVES = HOT_SKUS // CELLS_PER_SHELF
UNIT_G, CAPACITY_UNITS = 250.0, 20
PICK_SHARE = 0.1
COLD_CELLS_PER_SHELF = 20
HISTORY_DAYS = 56


def gtin(number: int) -> str:
    body = f"952{number:09d}"
    return f"{body}{gtin_check_digit(body)}"


def place_of(number: int) -> tuple[str, str]:
    """(device, cell) of SKU `number`, counted from 0."""
    if number < HOT_SKUS:
        return f"shelf-{number // CELLS_PER_SHELF:02d}", f"c{number % CELLS_PER_SHELF:02d}"
    cold = number - HOT_SKUS
    return f"cold-{cold // COLD_CELLS_PER_SHELF:03d}", f"c{cold % COLD_CELLS_PER_SHELF:02d}"


def documents(
    skus: int = HOT_SKUS, *, on_order: int = 0, now: datetime | None = None
) -> list[dict[str, Any]]:
    """What a centre tells the shop's gateway, each of version 1."""
    today = (now or datetime.now(UTC)).date()
    items = [
        {
            "sku": f"sku-{n}",
            "gtins": [gtin(n)],
            "name": f"Item {n}",
            "category": f"cat-{n % 24}",
            "unit_weight_g": UNIT_G,
        }
        for n in range(skus)
    ]
    facings = [
        {
            "device": place_of(n)[0],
            "cell": place_of(n)[1],
            "sku": f"sku-{n}",
            "from_ms": 0,
            "capacity_units": CAPACITY_UNITS,
        }
        for n in range(skus)
    ]
    return [
        {"kind": "store", "version": 1, "store": "store-1", "name": "Bench", "timezone": "UTC", "currency": "EUR",
         "hours": [{"weekday": day, "opens_minute": 0, "closes_minute": 1440} for day in range(7)]},
        {"kind": "items", "version": 1, "items": items},
        {"kind": "planogram", "version": 1, "facings": facings},
        {"kind": "prices", "version": 1, "prices": [
            {"sku": f"sku-{n}", "price_cents": 199, "from_ms": 0} for n in range(skus)]},
        {"kind": "supply", "version": 1, "lines": [
            {"sku": f"sku-{n}", "supplier": "sup-1", "lead_time_days": 2, "review_days": 1, "pack_units": 6,
             "cost_cents": 50, "on_order_units": on_order} for n in range(skus)]},
        {"kind": "history", "version": 1, "first_live_day": (today - timedelta(days=1)).isoformat(), "rows": [
            {"sku": f"sku-{n}", "units": [3 + (d + n) % 4 for d in range(HISTORY_DAYS)]} for n in range(skus)]},
    ]  # fmt: skip


class Cells:
    """What the hot cells weigh, reading by reading."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._units = [CAPACITY_UNITS] * HOT_SKUS

    def reading(self, number: int) -> dict[str, Any]:
        if self._random.random() < PICK_SHARE:
            self._units[number] = self._units[number] - 1 if self._units[number] else CAPACITY_UNITS
        weight_g = round(self._units[number] * UNIT_G + self._random.gauss(0.0, 0.4), 1)
        return {"cell": place_of(number)[1], "weight_g": weight_g, "stable": True}


def event(device: str, boot_id: str, seq: int, **fields: Any) -> bytes:
    value = {"device": device, "boot_id": boot_id, "seq": seq, "t_device_ms": seq * 20, **fields}
    return json.dumps(value, separators=(",", ":")).encode()


def workload_events(
    name: str, messages: int, connections: int, *, boot_id: str, seed: int
) -> list[list[tuple[str, bytes]]]:
    """(topic, payload) of each connection. A shelf speaks through one connection, so that its order stands.

    single: one reading a message. batched: twenty readings a message. Either ends with a heartbeat of each shelf that asks
    for `stored`: its answer says that all before it is on the gateway's disk.
    """
    per_message = {"single": 1, "batched": 20}[name]
    cells, seqs = Cells(seed), [0] * SHELVES
    found: list[list[tuple[str, bytes]]] = [[] for _ in range(connections)]
    for number in range(messages):
        shelf = number % SHELVES
        seqs[shelf] += 1
        turn = number // SHELVES * per_message
        readings = [
            cells.reading(shelf * CELLS_PER_SHELF + (turn + place) % CELLS_PER_SHELF)
            for place in range(per_message)
        ]
        device = f"shelf-{shelf:02d}"
        found[shelf % connections].append(
            (f"shelfloop/1/{device}/weight", event(device, boot_id, seqs[shelf], readings=readings))
        )
    for shelf, (device, payload) in enumerate(last_words(seqs, boot_id)):
        found[shelf % connections].append((f"shelfloop/1/{device}/heartbeat", payload))
    return found


def last_words(seqs: list[int], boot_id: str) -> Iterator[tuple[str, bytes]]:
    """A heartbeat of each shelf that says it still keeps everything: `stored` can only cover it when nothing is missing."""
    for shelf, seq in enumerate(seqs):
        device = f"shelf-{shelf:02d}"
        yield device, event(device, boot_id, seq + 1, kept_from_seq=1, uptime_ms=1)


def last_seqs(messages: int) -> dict[str, int]:
    """Device -> seq of its heartbeat in `workload_events`."""
    return {f"shelf-{shelf:02d}": (messages - shelf + SHELVES - 1) // SHELVES + 1 for shelf in range(SHELVES)}
