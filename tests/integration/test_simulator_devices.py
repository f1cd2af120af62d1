"""A whole shop of devices against a real broker and a real bridge: what the tills count is what arrives, whoever dies."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import date
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contract.devices import DeviceEvent, Receipt, Weight, event_from_json
from contract.topics import command_topic, stream_topic_from_text
from simulator import journey
from simulator.catalogue import DEVICES, ShopFile

HOUR_MS = 3_600_000
FIRST_DAY = date(2017, 9, 4)


@pytest.fixture(scope="module")
def shop_path(tmp_path_factory) -> Path:
    return journey.prepare_shops(tmp_path_factory.mktemp("shops"), shops=3, first_day=FIRST_DAY, days=1)[0]


class Gateway:
    """Stands for the edge: dedupes on (device, boot_id, seq) and says `stored` for what it has without a gap."""

    def __init__(self, port: int) -> None:
        self.events: dict[tuple[str, str, int], DeviceEvent] = {}
        self.received: dict[str, int] = defaultdict(int)
        self._through: dict[tuple[str, str], int] = defaultdict(int)
        self.lock = threading.Lock()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="gateway")
        self.client.on_connect = lambda client, *_: client.subscribe("shelfloop/1/+/+", qos=1)
        self.client.on_message = self._take
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _take(self, client, _userdata, message) -> None:
        topic = stream_topic_from_text(message.topic)
        if topic.stream == "state" or topic.device == "bridge-1":
            assert topic.stream != "rejected", message.payload
            return
        event = event_from_json(topic.device, topic.stream, message.payload)
        boot = (event.device, event.boot_id)
        with self.lock:
            self.received[event.device] += 1
            self.events[*boot, event.seq] = event
            through = max(self._through[boot], (event.kept_from_seq or event.seq) - 1)
            while (*boot, through + 1) in self.events:
                through += 1
            self._through[boot] = through
        stored = json.dumps({"boot_id": event.boot_id, "through_seq": through})
        client.publish(command_topic(event.device, "stored"), stored, qos=1)

    def count(self) -> int:
        with self.lock:
            return len(self.events)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Shop:
    def __init__(self, path: Path, folder: Path, port: int, protocol: int) -> None:
        argv = [
            "--shop",
            str(path),
            "--dir",
            str(folder),
            "--broker-port",
            str(port),
            "--seed",
            "7",
            "--broker-protocol",
            str(protocol),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator.shop_process", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.ready = json.loads(self.process.stdout.readline())

    def ask(self, **command) -> dict:
        return self.tell(json.dumps(command).encode())

    def tell(self, line: bytes) -> dict:
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def settle(self, limit_s: float = 60) -> None:
        deadline_s = time.monotonic() + limit_s
        while (answer := self.ask(cmd="pending"))["pending"]:
            assert time.monotonic() < deadline_s, answer
            time.sleep(0.005)


class Bridge:
    def __init__(self, folder: Path, port: int, ports: dict[str, str], protocol: int) -> None:
        self._config = folder / "bridge.toml"
        lines = [
            'bridge = "bridge-1"',
            f'state_dir = "{folder}"',
            f"broker_port = {port}",
            f"broker_protocol = {protocol}",
            "ports = [" + ", ".join(f'{{path = "{path}"}}' for path in ports.values()) + "]",
            "[devices]",
            *[f'{spec.uid} = "{spec.device}"' for spec in DEVICES if spec.uid],
        ]
        self._config.write_text("\n".join(lines))
        self.start()

    def start(self) -> None:
        argv = [sys.executable, "-m", "firmware_bridge", "run", "--config", str(self._config)]
        self.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def _running(shop_path, tmp_path, broker, protocol=5):
    shop = Shop(shop_path, tmp_path, broker.port, protocol)
    bridge = Bridge(tmp_path, broker.port, shop.ready["ports"], protocol)
    gateway = Gateway(broker.port)
    try:
        yield shop, bridge, gateway
    finally:
        shop.process.stdin.close()
        shop.process.wait(60)
        bridge.kill()
        gateway.close()


def _counted(gateway) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    with gateway.lock:
        events = list(gateway.events.values())
    for event in events:
        if isinstance(event, Receipt):
            till = sums.setdefault(event.register_id, {"receipts": 0, "lines": 0, "units": 0, "cents": 0})
            till["receipts"] += 1
            till["lines"] += len(event.lines)
            till["units"] += sum(line.sold_units for line in event.lines)
            till["cents"] += event.total_cents
    return sums


def _assert_all_arrived(shop, gateway) -> dict:
    report = shop.ask(cmd="report")
    made = sum(wire["events"] for wire in report["devices"].values())
    deadline_s = time.monotonic() + 60  # what a device need not keep may still be on its way from the broker
    while gateway.count() < made and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert report["tills"] == _counted(gateway)
    for device, wire in report["devices"].items():
        seqs = sorted(seq for name, _, seq in list(gateway.events) if name == device)
        assert seqs == list(range(1, wire["events"] + 1)), device
        assert wire["dropped"] == 0
    return report


def test_what_the_tills_counted_arrives_though_bridge_and_broker_are_killed(
    shop_path, tmp_path, local_broker
):
    with _running(shop_path, tmp_path, local_broker) as (shop, bridge, gateway):
        now_ms = shop.ready["now_ms"]
        for hour in range(25):
            assert (
                shop.ask(cmd="advance", to_ms=now_ms + hour * HOUR_MS)["done_ms"] == now_ms + hour * HOUR_MS
            )
            if hour % 6 == 4:
                bridge.kill()
                bridge.start()
            if hour == 15:
                local_broker.kill()
                local_broker.start()
            if hour % 6 == 5:
                shop.settle()
        shop.settle()
        report = _assert_all_arrived(shop, gateway)
        closed = {
            day["register_id"]: {name: day[name] for name in ("receipts", "lines", "units", "cents")}
            for day in report["day_closes"]
        }
        assert closed == report["tills"]
        assert report["devices"]["till-2"]["sessions"] >= 4
        assert report["devices"]["till-1"]["sessions"] >= 2
        weights = [event for event in gateway.events.values() if isinstance(event, Weight)]
        assert {reading.cell for event in weights for reading in event.readings} == {
            f"c{n:02d}" for n in range(1, 16)
        }
        assert shop.ask(cmd="quit") == {"bye": True}
        assert shop.process.wait(60) == 0
        assert not (tmp_path / "ports" / "till-2").is_symlink()


@pytest.mark.parametrize("protocol", [5, 4])
def test_a_label_base_draws_what_the_gateway_sends(shop_path, tmp_path, local_broker, protocol):
    with _running(shop_path, tmp_path, local_broker, protocol) as (shop, _bridge, gateway):
        shop.ask(cmd="advance", to_ms=shop.ready["now_ms"])
        shop.settle()
        for number in range(1, 61):
            price = {
                "command_id": f"c-{number}", "tag": f"tag-{number:02d}", "sku": "1", "name": "Soup", "price_cents": 99,
                "currency": "USD", "content_hash": f"h{number}",
            }  # fmt: skip
            gateway.client.publish(command_topic("esl-base", "price"), json.dumps(price), qos=1)
        deadline_s = time.monotonic() + 60
        acks: list[DeviceEvent] = []
        while len(acks) < 60 and time.monotonic() < deadline_s:
            time.sleep(0.05)
            with gateway.lock:
                acks = [event for event in gateway.events.values() if event.stream == "esl_ack"]
        shown = [ack for ack in acks if ack.result == "displayed"]
        assert len({ack.command_id for ack in acks}) == 60
        assert len(shown) >= 50
        assert all(ack.content_hash == f"h{int(ack.tag[-2:])}" for ack in shown)


def test_a_command_that_makes_no_sense_changes_nothing(shop_path, tmp_path, local_broker):
    with _running(shop_path, tmp_path, local_broker) as (shop, _bridge, _gateway):
        assert "error" in shop.tell(b"not json")
        assert "error" in shop.tell(b'{"cmd": "dance"}')
        assert "error" in shop.tell(b'{"cmd": "advance", "to_ms": "soon"}')
        assert "forward only" in shop.ask(cmd="advance", to_ms=5)["error"]
        assert shop.ask(cmd="report")["now_ms"] == shop.ready["now_ms"]


def test_a_file_that_is_no_shop_stops_the_start(tmp_path):
    path = tmp_path / "x.sqlite"
    path.write_text("nothing")
    argv = [
        sys.executable,
        "-m",
        "simulator.shop_process",
        "--shop",
        str(path),
        "--dir",
        str(tmp_path),
        "--broker-port",
        "1",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 78
    assert "simulate receipts" in done.stderr


def test_the_best_sellers_of_the_real_receipts_fit_their_cells(shop_path):
    shop = ShopFile(shop_path)
    assert len(shop.cells) == 60
    assert all(shop.items[cell.sku].unit_weight_g >= 40 for cell in shop.cells)
    assert shop.items[shop.cells[0].sku].name.startswith("Bananas")
    shop.close()
