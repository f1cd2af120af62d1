"""From a receipt, or a weight that has settled, to the order's webhook at its consumer: a real centre, a real gateway.

Each SKU begins with more than it needs. One event takes it below; the gateway asks its model, proposes, the centre decides,
approves by its limit and calls the consumer. Every second SKU lies on a cell and is picked, the others are sold at the till.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from benchmarks.gateway_rig.outside import OutsideGateway
from benchmarks.gateway_rig.processes import Broker, Gateway, folder_for, free_port, python, stop, wait_for
from benchmarks.gateway_rig.publisher import connect, publish_packet
from benchmarks.gateway_rig.rows import Row
from benchmarks.gateway_rig.shop import CAPACITY_UNITS, UNIT_G, event, gtin

GOAL_S = 2.0
LEFT_UNITS = 1
HISTORY_DAYS = 56
CELLS_A_SHELF = 20


def rows(*, quick: bool, outside: OutsideGateway | None, peers: dict[str, Any]) -> list[Row]:  # noqa: ARG001
    skus = 60 if quick else 300
    receiver = Consumer()
    centre = Centre(folder_for("trigger-centre"))
    folder = folder_for("trigger")
    broker = Broker(folder)
    gateway = Gateway(folder, broker.port, centre.url, centre.key)
    try:
        centre.start()
        _set_up(centre, skus, receiver.url)
        gateway.start(documents=3)
        waits = _measure(broker.port, centre, gateway, receiver, skus)
    finally:
        gateway.stop()
        centre.stop()
        broker.stop()
        receiver.close()
    found = []
    for what, of_kind in (("receipt", waits[0::2]), ("settled weight", waits[1::2])):
        ordered = sorted(of_kind)
        found += [
            Row(
                f"{what} to trigger at the webhook, p50 of {len(ordered)}",
                round(ordered[len(ordered) // 2], 2),
                "s",
                None,
                "lower",
            ),
            Row(
                f"{what} to trigger at the webhook, p99",
                round(ordered[int(len(ordered) * 0.99)], 2),
                "s",
                GOAL_S,
                "lower",
            ),
        ]
    return found


class Consumer:
    """Hears webhooks. `heard_s`: SKU -> the moment of its first trigger."""

    def __init__(self) -> None:
        self.heard_s: dict[str, float] = {}
        consumer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if body["type"] == "shelfloop.restock.trigger.v1":
                    consumer.heard_s.setdefault(body["data"]["sku"], time.monotonic())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Centre:
    """The real `shelfloop central`, on SQLite; orders of up to 1,000 are approved by themselves."""

    def __init__(self, folder: Path) -> None:
        from central.settings import CentralSettings
        from central.setup import add_gateway, create_token

        self.folder = folder
        port = free_port()
        settings = {
            "state_dir": str(folder / "state"), "port": port, "status_port": free_port(), "allow_private_webhooks": True,
            "auto_approve_below_cents": 100_000,
        }  # fmt: skip
        self._config = folder / "central.toml"
        self._config.write_text(
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        )
        self.url = f"http://127.0.0.1:{port}"
        made = python("central", "init", "--config", str(self._config), stdout=subprocess.PIPE)
        if made.wait(60):
            raise SystemExit("`shelfloop central init` failed, see above")
        loaded = CentralSettings.load(self._config)
        self.key = add_gateway(loaded, "store-1", "gw-1")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {create_token(loaded, 'admin', 'bench')}"},
            timeout=30,
        )
        self._process: Any = None

    def start(self) -> None:
        log = (self.folder / "central.log").open("a")
        self._process = python("central", "run", "--config", str(self._config), stdout=log, stderr=log)
        wait_for(self._is_up, f"the centre, see {log.name}")

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def put(self, path: str, body: dict[str, Any]) -> None:
        self._told(self._http.put(path, json=body))

    def post(self, path: str, body: dict[str, Any]) -> None:
        self._told(self._http.post(path, json=body))

    def _told(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise SystemExit(
                f"the centre answers {answer.request.url}: {answer.status_code} {answer.text[:300]}"
            )

    def stop(self) -> None:
        stop(self._process)
        self._http.close()


def _place(number: int) -> tuple[str, str]:
    return f"shelf-{number // CELLS_A_SHELF:02d}", f"c{number % CELLS_A_SHELF:02d}"


def _set_up(centre: Centre, skus: int, hook: str) -> None:
    centre.put("/v1/stores/store-1", {
        "name": "Bench", "region": "north", "timezone": "UTC", "currency": "EUR",
        "hours": [{"weekday": day, "opens_minute": 0, "closes_minute": 1440} for day in range(7)],
    })  # fmt: skip
    centre.put("/v1/stores/store-1/items", {"items": [
        {"sku": f"sku-{n}", "gtins": [gtin(n)], "name": f"Item {n}", "category": "food", "unit_weight_g": UNIT_G}
        for n in range(skus)]})  # fmt: skip
    centre.put("/v1/stores/store-1/planogram", {"facings": [
        {"device": _place(n)[0], "cell": _place(n)[1], "sku": f"sku-{n}", "from_ms": 0, "capacity_units": CAPACITY_UNITS}
        for n in range(1, skus, 2)]})  # fmt: skip
    centre.post("/v1/webhooks", {"url": hook, "types": ["shelfloop.restock.trigger.v1"]})


def _order_documents(centre: Centre, skus: int) -> None:
    """What makes orders possible; last, so that the first question to the models knows the stock."""
    centre.put("/v1/stores/store-1/prices", {"prices": [
        {"sku": f"sku-{n}", "price_cents": 199, "from_ms": 0} for n in range(skus)]})  # fmt: skip
    centre.put("/v1/stores/store-1/history", {
        "first_live_day": (datetime.now(UTC).date() - timedelta(days=1)).isoformat(),
        "rows": [{"sku": f"sku-{n}", "units": [1 + (d + n) % 2 for d in range(HISTORY_DAYS)]} for n in range(skus)],
    })  # fmt: skip
    centre.put("/v1/stores/store-1/supply", {"lines": [
        {"sku": f"sku-{n}", "supplier": "sup-1", "lead_time_days": 1, "review_days": 1, "pack_units": 6, "cost_cents": 50}
        for n in range(skus)]})  # fmt: skip


def _measure(port: int, centre: Centre, gateway: Gateway, receiver: Consumer, skus: int) -> list[float]:
    """Seconds from the event's publish to the webhook, in order of SKU."""
    shop = _Shop(port)
    for number in range(1, skus, 2):
        shop.weigh(number, CAPACITY_UNITS)
    lines = [{"gtin": gtin(n), "counted_units": CAPACITY_UNITS} for n in range(skus)]
    shop.say("dock-1", "stocktake", place="store", opening=True, lines=lines)
    wait_for(lambda: _counters(gateway).get("accepted_total", 0) >= skus // 2 + 1, "the opening count")
    # All three in one reply: a SKU is asked for when its documents come, and then not again for a while.
    os.kill(gateway.pid, signal.SIGSTOP)
    try:
        _order_documents(centre, skus)
    finally:
        os.kill(gateway.pid, signal.SIGCONT)
    wait_for(lambda: len((gateway.status() or {}).get("documents", ())) == 6, "the documents")
    wait_for(lambda: (gateway.status() or {}).get("backlog") == 0, "rest")
    if receiver.heard_s:
        raise SystemExit(f"{len(receiver.heard_s)} SKUs were ordered before anything happened")
    time.sleep(2.0)
    rng, sent_s = random.Random(3), []
    for number in range(skus):
        time.sleep(rng.uniform(0.1, 0.5))
        sent_s.append(time.monotonic())
        if number % 2:
            shop.weigh(number, LEFT_UNITS)
        else:
            shop.sell(number, CAPACITY_UNITS - LEFT_UNITS)
    wait_for(lambda: len(receiver.heard_s) >= skus, f"the triggers of all {skus} SKUs", 60)
    return [receiver.heard_s[f"sku-{number}"] - sent for number, sent in enumerate(sent_s)]


def _counters(gateway: Gateway) -> dict[str, int]:
    status = gateway.status()
    found: dict[str, int] = status["counters"] if status else {}
    return found


class _Shop:
    def __init__(self, port: int) -> None:
        self._socket = connect("127.0.0.1", port, "bench-shop")
        self._seqs: dict[str, int] = {}
        self._mid = 0

    def weigh(self, number: int, units: int) -> None:
        device, cell = _place(number)
        self.say(
            device, "weight", readings=[{"cell": cell, "weight_g": units * UNIT_G, "stable": True, "n": 10}]
        )

    def sell(self, number: int, units: int) -> None:
        self.say(
            "till-1", "receipt", register_id="till-1", business_date=datetime.now(UTC).date().isoformat(), sequence=number + 1,
            lines=[{"kind": "sale", "gtin": gtin(number), "quantity_units": units, "unit_price_cents": 100,
                    "extended_cents": 100 * units}],
            total_cents=100 * units,
        )  # fmt: skip

    def say(self, device: str, stream: str, **fields: Any) -> None:
        self._seqs[device] = seq = self._seqs.get(device, 0) + 1
        self._mid = self._mid % 60_000 + 1
        payload = event(device, "b-1", seq, **fields)
        self._socket.sendall(publish_packet(f"shelfloop/1/{device}/{stream}", payload, self._mid))
