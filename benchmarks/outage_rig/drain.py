"""The processes of a shop whose line is back: broker, centre and gateway, and a till that sells meanwhile."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.outage_rig.records import gtin
from central.settings import CentralSettings
from central.setup import add_gateway, create_token
from runtime.clock import ClockOwner

ROOT = Path(__file__).resolve().parents[2]
STORE, GATEWAY = "store-1", "gw-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, within_s: float, every_s: float = 0.05) -> Any:
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        value = condition()
        if value:
            return value
        time.sleep(every_s)
    raise SystemExit(f"waited {within_s:.0f} s in vain for {what}")


class Processes:
    """`with` it. state_dir: the gateway's, with what the outage left."""

    def __init__(self, folder: Path, state_dir: Path, skus: int, now_ms: int, outbox_max_bytes: int) -> None:
        self._folder, self._state_dir, self._skus = folder, state_dir, skus
        self._outbox_max_bytes = outbox_max_bytes
        self.clock = ClockOwner(folder / "clock", now_ms)
        self.mqtt_port, self.central_port, self.status_port, self.central_status = (
            free_port() for _ in range(4)
        )
        self._running: list[subprocess.Popen[bytes]] = []
        self._sequence = 0
        self.till: mqtt.Client | None = None

    def __enter__(self) -> Self:
        mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        config = self._folder / "mosquitto.conf"
        config.write_text(f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\n")
        self._start([mosquitto, "-c", str(config)])
        self._start_centre()
        self.till = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="till-9")
        wait_for(lambda: _answers(self.mqtt_port), "the broker", 20)
        self.till.connect("127.0.0.1", self.mqtt_port)
        self.till.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.till is not None:
            self.till.loop_stop()
        for process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self._running):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def start_gateway(self) -> None:
        settings = {
            "gateway": GATEWAY, "store": STORE, "state_dir": str(self._state_dir), "broker_port": self.mqtt_port,
            "central_url": f"http://127.0.0.1:{self.central_port}", "key_file": str(self._folder / "key"),
            "status_port": self.status_port, "clock_file": str(self._folder / "clock"), "uplink_linger_ms": 100,
            "outbox_max_bytes": self._outbox_max_bytes,
        }  # fmt: skip
        before = (self._state_dir / "epoch").read_text()
        config = self._folder / "edge.toml"
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        self._start([sys.executable, "-m", "edge", "run", "--config", str(config)])

        # Connected: a broker keeps nothing for a client that it never met.
        wait_for(
            lambda: not any("broker" in problem for problem in self._status()["problems"]), "the gateway", 120
        )
        # What is sold before the backlog has an epoch of its own belongs to it; what comes after it is live.
        wait_for(lambda: self._status().get("epoch", before) != before, "the live lane", 600)

    def is_drained(self) -> bool:
        status = self._status()
        return status["outbox_rows"] == 0 and not status["problems"]

    def _status(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/status", timeout=5) as reply:
                found: dict[str, Any] = json.load(reply)
        except OSError:
            return {"problems": ["no answer, nor from the broker"], "outbox_rows": 1}
        return found

    def sell(self) -> float:
        """Sells once at a till of its own and waits until HQ's ledger has it: seconds."""
        assert self.till is not None
        self._sequence += 1
        event = {
            "device": "till-9", "boot_id": "b", "seq": self._sequence, "kept_from_seq": self._sequence, "t_device_ms": 1,
            "t_event_ms": self.clock.now_ms(), "clock_quality": "synced", "register_id": "till-9",
            "business_date": "2030-01-01", "sequence": self._sequence, "total_cents": 100, "member": None,
            "lines": [{"kind": "sale", "gtin": gtin(1), "quantity_units": 1, "unit_price_cents": 100, "extended_cents": 100}],
        }  # fmt: skip
        began_s = time.monotonic()
        self.till.publish("shelfloop/1/till-9/receipt", json.dumps(event), qos=1)
        query = "SELECT 1 FROM receipts WHERE register_id = 'till-9' AND sequence = ? AND store_id = ? AND business_date = ?"
        wait_for(lambda: self.ledger(query, self._sequence, STORE, "2030-01-01"), "a live receipt", 120, 0.01)
        return time.monotonic() - began_s

    def ledger(self, query: str, *values: Any) -> list[Any]:
        path = self._folder / "central" / "ledger.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(query, values).fetchall()

    def _start(self, command: list[str]) -> None:
        log = (self._folder / "log").open("ab")
        self._running.append(subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stdout=log, stderr=log))
        log.close()

    def _start_centre(self) -> None:
        values = {
            "state_dir": str(self._folder / "central"), "port": self.central_port, "status_port": self.central_status,
            "clock_file": str(self._folder / "clock"),
        }  # fmt: skip
        config = self._folder / "central.toml"
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
        command = [sys.executable, "-m", "central"]
        subprocess.run(
            [*command, "init", "--config", str(config)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
        self._start([*command, "run", "--config", str(config)])
        wait_for(lambda: _answers(self.central_port), "the centre", 60)
        settings = CentralSettings.load(config)
        token = create_token(settings, "admin", "the benchmark")
        hours = [{"weekday": day, "opens_minute": 420, "closes_minute": 1320} for day in range(7)]
        self._put(token, "", {"name": "Shop", "region": "north", "timezone": "Etc/UTC", "currency": "EUR",
                              "h3_cell": "882a930995fffff", "hours": hours})  # fmt: skip
        items = [
            {"sku": f"sku-{n}", "gtins": [gtin(n)], "name": f"Good {n}", "category": f"c-{n % 40}"}
            for n in range(1, self._skus + 1)
        ]
        self._put(token, "/items", {"items": items})
        (self._folder / "key").write_text(add_gateway(settings, STORE, GATEWAY))

    def _put(self, token: str, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.central_port}/v1/stores/{STORE}{path}", json.dumps(body).encode(), method="PUT",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as reply:
            reply.read()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
