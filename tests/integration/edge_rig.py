"""A real broker, a tiny centre and a real gateway process, for the edge's integration tests."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import paho.mqtt.client as mqtt
from free_ports import free_port
from soak import tell

from contract.batch import records_from_batch
from contract.codec import batch_from_bytes
from contract.ids import gtin_check_digit

START_MS = 1_504_526_400_000  # 2017-09-04 12:00 UTC, a Monday


LOOK_S = 0.02
PATIENCE_S = 60.0
"""How long a process may take on a machine that is busy with other tests; speed is measured elsewhere."""


def wait_for(condition: Callable[[], object], what: str, within_s: float = PATIENCE_S):
    """Counts its own looks: whoever stops this test and its processes for a while does not make it fail."""
    for _ in range(int(within_s / LOOK_S)):
        value = condition()
        if value:
            return value
        time.sleep(LOOK_S)
    raise AssertionError(f"waited {within_s} s in vain for {what}")


def gtin(number: int) -> str:
    body = f"952{number:09d}"
    return f"0{body}{gtin_check_digit(body)}"


def mosquitto_path():
    for path in ("/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"):
        if Path(path).exists():
            return path
    raise AssertionError("mosquitto is not installed: apt-get install mosquitto")


class Broker:
    def __init__(self, folder: Path):
        self.port = free_port()
        conf = folder / "mosquitto.conf"
        conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n")
        self.process = subprocess.Popen([mosquitto_path(), "-c", str(conf)], stderr=subprocess.DEVNULL)
        wait_for(self._answers, "the broker")

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class Centre:
    """Answers batches as the real one does: position by epoch, duplicates known, one transaction (a lock)."""

    def __init__(self, key="slg_test", documents=()):
        self.key, self.documents = key, list(documents)
        self.rows = {}
        self.position = {}
        self.duplicates = 0
        self.batches = 0
        self.refuse = lambda rows: None
        self.reject = lambda row: None
        self.status = 200
        self.drop_replies = 0
        self.lock = threading.Lock()
        centre = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):
                    self.close_connection = True  # its sender was killed between the head and the body
                    return
                with centre.lock:
                    code, answer = centre.take(self.headers, body)
                    if code == 200 and centre.drop_replies:
                        centre.drop_replies -= 1
                        self.close_connection = True
                        return
                data = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def take(self, headers, body):
        if headers["Authorization"] != f"Bearer {self.key}":
            return 401, {"title": "who are you"}
        if self.status != 200:
            return self.status, {"title": "not now"}
        batch = batch_from_bytes(body, headers["Content-Encoding"])
        found = records_from_batch(batch)
        assert not found.rejected, found.rejected
        if found.rows and (reason := self.refuse(found.rows)):
            return 422, {"title": reason}
        self.batches += 1
        position = self.position.get(batch.epoch, 0)
        rejected = []
        for row in found.rows:
            first = getattr(row, "seq_from", None) if row.kind == "sku_window" else None
            first = row.seq if first is None else first
            if row.seq <= position:
                self.duplicates += 1
                continue
            assert first == position + 1, f"hole: {first} after {position}"
            position = row.seq
            if reason := self.reject(row):
                rejected.append({"seq": row.seq, "reason": reason})
                continue
            self.rows[batch.epoch, row.seq] = row
        self.position[batch.epoch] = position
        news = [d for d in self.documents if d["version"] > batch.have.get(d["kind"], 0)]
        return 200, {
            "gateway": batch.gateway, "epoch": batch.epoch, "acked_through": position,
            "rejected": rejected, "documents": news, "server_time_ms": START_MS,
        }  # fmt: skip

    def of_kind(self, kind):
        with self.lock:
            return [row for _, row in sorted(self.rows.items()) if row.kind == kind]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Gateway:
    """The real process, with a clock of its own choice."""

    def __init__(
        self, folder: Path, broker_port: int, centre_port: int, *, clock_file="", key="slg_test", **more
    ):
        self.folder = folder
        (folder / "key").write_text(key)
        self.status_port = free_port()
        settings = {
            "gateway": "gw-1", "store": "store-1", "state_dir": str(folder / "state"),
            "broker_port": broker_port, "central_url": f"http://127.0.0.1:{centre_port}",
            "key_file": str(folder / "key"), "status_port": self.status_port, "clock_file": str(clock_file),
            "uplink_linger_ms": 0, "poll_interval_s": 0.2, **more,
        }  # fmt: skip
        self.config = folder / "edge.toml"
        self.config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        self.process = None

    def start(self):
        self.log = (self.folder / "edge.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(self.config)], stderr=self.log
        )
        # Connected, or what is published now reaches nobody: a broker keeps nothing for a client it never met.
        wait_for(
            lambda: (s := self.answer()) and not any("broker" in text for text in s["problems"]),
            "the gateway",
        )
        return self

    def status(self):
        """Waits for it: on a busy machine a try may find nobody within its two seconds."""
        return wait_for(self.answer, "the gateway's status")

    def answer(self):
        """Of one try; None when nobody answered."""
        assert self.process.poll() is None, (self.folder / "edge.log").read_text()[-3000:]
        return self.answer_if_any()

    def answer_if_any(self):
        """As `answer`, of a process that may die, even in the midst of it."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/status", timeout=2) as reply:
                return json.load(reply)
        except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException):
            return None

    def rests(self):
        status = self.answer()
        return status if status and status["backlog"] == 0 else None

    def kill(self):
        tell("kills of the gateway")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        return self.process.returncode if self.process else None


class Till:
    """Keeps events until `stored` covers them, and sends them again."""

    def __init__(self, broker_port, device="till-1", boot="boot-1"):
        self.device, self.boot, self.seq = device, boot, 0
        self.journal = {}
        self.stored_through = 0
        self.commands = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=device)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda c, *_: c.subscribe(f"shelfloop/1/{device}/cmd/+", 1)
        self.client.connect("127.0.0.1", broker_port)
        self.client.loop_start()
        wait_for(self.client.is_connected, "the till's connection")

    def _on_message(self, _client, _userdata, message):
        body = json.loads(message.payload)
        if not message.topic.endswith("/stored"):
            self.commands.append((message.topic.rsplit("/", 1)[1], body))
        elif body["boot_id"] == self.boot:
            self.stored_through = max(self.stored_through, body["through_seq"])
            for seq in [seq for seq in self.journal if seq <= self.stored_through]:
                del self.journal[seq]

    def send(self, stream, at_ms=None, keep=True, **fields):
        self.seq += 1
        event = {
            "device": self.device, "boot_id": self.boot, "seq": self.seq, "t_device_ms": self.seq * 10,
            "t_event_ms": at_ms, "clock_quality": "synced" if at_ms else "unknown", **fields,
        }  # fmt: skip
        if keep:
            self.journal[self.seq] = (stream, event)
            event["kept_from_seq"] = min(self.journal)
        self.client.publish(f"shelfloop/1/{self.device}/{stream}", json.dumps(event), qos=1)

    def resend(self):
        for stream, event in list(self.journal.values()):
            again = {**event, "kept_from_seq": min(self.journal, default=event["seq"])}
            self.client.publish(f"shelfloop/1/{self.device}/{stream}", json.dumps(again), qos=1)

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


def receipt(sequence, lines, *, day="2017-09-04", register="till-1", member=None):
    rows = [
        {"kind": "sale", "gtin": code, "quantity_units": units, "unit_price_cents": cents,
         "extended_cents": units * cents}
        for code, units, cents in lines
    ]  # fmt: skip
    return {
        "register_id": register, "business_date": day, "sequence": sequence, "lines": rows,
        "total_cents": sum(row["extended_cents"] for row in rows), "member": member,
    }  # fmt: skip


def shop_documents(skus=3, unit_g=250.0):
    """Documents of a little shop: SKU i has GTIN i and cell c-i of shelf-1."""
    items = [
        {"sku": f"sku-{i}", "gtins": [gtin(i)], "name": f"Item {i}", "category": "food", "unit_weight_g": unit_g}
        for i in range(1, skus + 1)
    ]  # fmt: skip
    hours = [{"weekday": day, "opens_minute": 360, "closes_minute": 1320} for day in range(7)]
    return [
        {"kind": "store", "version": 1, "store": "store-1", "name": "Shop", "timezone": "Etc/GMT+5",
         "currency": "USD", "hours": hours},
        {"kind": "items", "version": 1, "items": items},
        {"kind": "planogram", "version": 1, "esl_base": "esl-1", "facings": [
            {"device": "shelf-1", "cell": f"c-{i}", "sku": f"sku-{i}", "from_ms": 0, "capacity_units": 20,
             "tag": f"tag-{i}"} for i in range(1, skus + 1)]},
        {"kind": "prices", "version": 1, "prices": [
            {"sku": f"sku-{i}", "price_cents": 100 + i, "from_ms": 0} for i in range(1, skus + 1)]},
        {"kind": "supply", "version": 1, "lines": [
            {"sku": f"sku-{i}", "supplier": "sup-1", "lead_time_days": 2, "review_days": 1, "pack_units": 6,
             "cost_cents": 50} for i in range(1, skus + 1)]},
        {"kind": "history", "version": 1, "first_live_day": "2017-09-04", "rows": [
            {"sku": f"sku-{i}", "units": [3 + (d + i) % 4 for d in range(56)]} for i in range(1, skus + 1)]},
    ]  # fmt: skip
