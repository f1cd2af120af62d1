"""The bridge as a process, between real ptys and a real Mosquitto: nothing journalled is lost, nothing doubled."""

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
import urllib.request
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from free_ports import free_port
from paho.mqtt.enums import CallbackAPIVersion
from soak import seeds, tell

from contract.devices import CellReading, ClockQuality, DeviceEvent, Scan, Weight, event_from_json
from contract.topics import command_topic, stream_topic_from_text
from firmware_bridge.core.device_end import CommandReceived, DeviceEnd
from firmware_bridge.core.hello import Hello
from firmware_bridge.core.link_events import SessionUp
from runtime.clock import ClockOwner

MOSQUITTO = "/usr/sbin/mosquitto"
RESEND_S = 2.0


PATIENCE_S, LOOK_S = 60.0, 0.01


def wait_for(condition, what: str) -> None:
    """Counts its own looks: whoever stops this test and its processes for a while does not make it fail."""
    for _ in range(int(PATIENCE_S / LOOK_S)):
        if condition():
            return
        time.sleep(LOOK_S)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


class Broker:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n"
        )
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(listens, "mosquitto listens")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Gateway:
    """Stands for the edge: keeps every event once, and says `stored` for what it has without a gap."""

    def __init__(self, port: int) -> None:
        self.events: dict[tuple[str, str, int], DeviceEvent] = {}
        self.received = 0
        self.states: dict[str, str] = {}
        self.stores = True
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="gateway")
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("shelfloop/1/+/+", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE_S), "what is said once must not be said before somebody listens"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, device: str, stream: str | None = None) -> list[DeviceEvent]:
        events = [event for (name, _, _), event in list(self.events.items()) if name == device]
        return [event for event in events if stream in (None, event.stream)]

    def command(self, device: str, name: str, body: object) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._client.publish(command_topic(device, name), payload, qos=1)

    def _on_message(self, _client, _userdata, message) -> None:
        topic = stream_topic_from_text(message.topic)
        if topic.stream == "state":
            self.states[topic.device] = json.loads(message.payload)["state"]
            return
        event = event_from_json(topic.device, topic.stream, message.payload)
        self.received += 1
        self.events[event.device, event.boot_id, event.seq] = event
        if self.stores and event.kept_from_seq is not None:
            through = event.kept_from_seq - 1
            while (event.device, event.boot_id, through + 1) in self.events:
                through += 1
            self.command(event.device, "stored", {"boot_id": event.boot_id, "through_seq": through})


class JournalDevice:
    """A serial device that keeps its events until `stored`, on a pty whose slave lies at `link`."""

    def __init__(self, link: Path, uid: str, kind: str = "till", boot_id: str = "boot-1") -> None:
        self.link, self.uid, self.boot_id = link, uid, boot_id
        self.journal: dict[int, bytes] = {}
        self.commands: list[tuple[str, dict]] = []
        self.end = DeviceEnd(
            Hello(kind=kind, uid=uid, boot_id=boot_id), first_greeting=int.from_bytes(os.urandom(2), "big")
        )
        self.noise = b""
        self.lock = threading.RLock()
        self._seq = 0
        self._unsent: list[int] = []
        self._progress_s = time.monotonic()
        self._master = -1
        self._running = True
        self.plug_in()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def plug_in(self) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(slave))
        os.set_blocking(master, False)
        with self.lock:
            self._master, self._slave = master, slave
            self.end.open(self._now_ms())

    def unplug(self) -> None:
        with self.lock:
            os.close(self._master)
            os.close(self._slave)
            self.link.unlink()
            self._master = -1
            self.end.close()

    def scan(self, raw: str) -> None:
        with self.lock:
            self._seq += 1
            self.journal[self._seq] = raw.encode()
            self._unsent.append(self._seq)

    def weight(self, grams: float) -> None:
        """State: not kept."""
        with self.lock:
            self._seq += 1
            if self.end.can_send:
                reading = CellReading(cell="c03", weight_g=grams, stable=True)
                self.end.send_event(
                    self._event(Weight, self._seq, keeps=False, readings=[reading]), self._now_ms()
                )

    def close(self) -> None:
        self._running = False
        self._thread.join()
        if self._master >= 0:
            self.unplug()

    def _event(self, cls, seq: int, *, keeps: bool, **fields):
        return cls(
            device="not-known-here",
            boot_id=self.boot_id,
            seq=seq,
            kept_from_seq=min(self.journal) if keeps else None,
            t_device_ms=seq,
            t_event_ms=1_700_000_000_000 + seq,
            clock_quality=ClockQuality.SYNCED,
            **fields,
        )

    def _run(self) -> None:
        while self._running:
            with self.lock:
                self._step()
            time.sleep(0.002)

    def _step(self) -> None:
        if self._master < 0:
            return
        now_ms = self._now_ms()
        try:
            data = os.read(self._master, 4096) if select.select([self._master], [], [], 0)[0] else b""
        except OSError:  # no bridge has the other side open
            data = b""
        for event in self.end.receive_data(data, now_ms) + self.end.on_time(now_ms):
            if isinstance(event, SessionUp):
                self._unsent = sorted(self.journal)
            elif isinstance(event, CommandReceived):
                self._obey(event.command.name, json.loads(event.command.body))
        if (
            self.journal and time.monotonic() - self._progress_s > RESEND_S
        ):  # a `stored` may be lost on its way
            self._unsent = sorted(self.journal)
            self._progress_s = time.monotonic()
        while self._unsent and self.end.can_send:
            seq = self._unsent.pop(0)
            if seq in self.journal:
                self.end.send_event(
                    self._event(Scan, seq, keeps=True, raw=self.journal[seq].decode()), now_ms
                )
        out = self.noise + self.end.data_to_send()
        self.noise = b""
        if out:
            with contextlib.suppress(OSError):  # full: the link sends it again
                os.write(self._master, out)

    def _obey(self, name: str, body: dict) -> None:
        self.commands.append((name, body))
        if name == "stored" and body["boot_id"] == self.boot_id:
            self._progress_s = time.monotonic()
            for seq in [seq for seq in self.journal if seq <= body["through_seq"]]:
                del self.journal[seq]

    @staticmethod
    def _now_ms() -> int:
        return time.monotonic_ns() // 1_000_000


class BridgeProcess:
    def __init__(
        self, folder: Path, broker_port: int, ports: list[str], devices: dict[str, str], **more
    ) -> None:
        self.status_port = free_port()
        lines = {
            "bridge": "bridge-1",
            "broker_port": broker_port,
            "status_port": self.status_port,
            "state_dir": str(folder / "state"),
            "ports": [{"path": port} for port in ports],
            "devices": devices,
            **more,
        }
        self.config = folder / "bridge.toml"
        self.config.write_text("".join(f"{name} = {toml(value)}\n" for name, value in lines.items()))
        self._log = (folder / "bridge.log").open("ab")
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "firmware_bridge", "run", "--config", self.config],
            stdout=self._log,
            stderr=self._log,
        )

    def kill(self) -> None:
        assert self.process is not None
        tell("kills of the bridge")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def status(self) -> dict:
        """Waits for it: a process that starts, or a busy machine, may have no answer at a try."""
        found = {}

        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.status_port}/status", timeout=5
                ) as answer:
                    found.update(json.load(answer))
            except OSError:
                return False
            return True

        wait_for(answers, "the bridge's status")
        return found


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}" = {toml(inner)}' for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(inner) for inner in value) + "]"
    return json.dumps(value)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = Broker(folder)
        self.broker.start()
        self.gateway = Gateway(self.broker.port)
        self.devices: list[JournalDevice] = []
        self.bridges: list[BridgeProcess] = []

    def device(self, name: str, uid: str, kind: str = "till") -> JournalDevice:
        self.devices.append(JournalDevice(self.folder / name, uid, kind))
        return self.devices[-1]

    def bridge(self, devices: dict[str, str], ports: list[str] | None = None, **more) -> BridgeProcess:
        paths = ports if ports is not None else [str(device.link) for device in self.devices]
        self.bridges.append(BridgeProcess(self.folder, self.broker.port, paths, devices, **more))
        self.bridges[-1].start()
        return self.bridges[-1]

    def close(self) -> None:
        for bridge in self.bridges:
            bridge.close()
        for device in self.devices:
            device.close()
        self.gateway.close()
        self.broker.kill()


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def raws(events: list[DeviceEvent]) -> list[str]:
    return [event.raw for event in sorted(events, key=lambda event: event.seq)]


@pytest.mark.parametrize("protocol", [4, 5])
def test_events_of_two_devices_reach_the_broker_and_stored_frees_the_journal(rig, protocol):
    till, shelf = rig.device("till", "uid-t"), rig.device("shelf", "uid-s", kind="shelf")
    rig.bridge({"uid-t": "till-2", "uid-s": "shelf-1"}, broker_protocol=protocol)
    for number in range(200):
        till.scan(f"code {number}")
    wait_for(lambda: not till.journal and len(rig.gateway.of("till-2")) == 200, "all scans stored")
    wait_for(lambda: shelf.end.is_up, "shelf up")
    shelf.weight(1234.567)
    wait_for(lambda: rig.gateway.of("shelf-1", "weight"), "weight")
    assert raws(rig.gateway.of("till-2")) == [f"code {number}" for number in range(200)]
    assert rig.gateway.of("shelf-1", "weight")[0].readings[0].weight_g == 1234.567
    assert rig.gateway.states == {"bridge-1": "online", "till-2": "online", "shelf-1": "online"}
    assert [event.kind for event in rig.gateway.of("bridge-1", "birth")] == ["bridge"]


def test_unplugging_and_plugging_in_again_loses_and_doubles_nothing(rig):
    till = rig.device("till", "uid-t")
    bridge = rig.bridge({"uid-t": "till-2"})
    for round_number in range(5):
        for number in range(100):
            till.scan(f"{round_number}/{number}")
        wait_for(
            lambda count=round_number * 100 + 20: len(rig.gateway.of("till-2")) > count,
            "part of a round arrives",
        )
        till.unplug()
        time.sleep(0.1)
        till.plug_in()
    wait_for(lambda: not till.journal, "journal empty")
    expected = [f"{round_number}/{number}" for round_number in range(5) for number in range(100)]
    assert raws(rig.gateway.of("till-2")) == expected
    assert bridge.process.poll() is None


@pytest.mark.parametrize("seed", seeds(1, 25))
def test_killing_the_bridge_loses_and_doubles_nothing_and_counters_go_on(rig, seed):
    chance = random.Random(seed)
    till = rig.device("till", "uid-t")
    bridge = rig.bridge({"uid-t": "till-2"})
    for round_number in range(4):
        for number in range(100):
            till.scan(f"{round_number}/{number}")
        part = chance.randint(0, 90)
        wait_for(
            lambda count=round_number * 100 + part: len(rig.gateway.of("till-2")) > count,
            "part of a round arrives",
        )
        bridge.kill()
        bridge.start()
    wait_for(lambda: not till.journal, "journal empty")
    expected = [f"{round_number}/{number}" for round_number in range(4) for number in range(100)]
    assert raws(rig.gateway.of("till-2")) == expected
    wait_for(lambda: bridge.status().get("backlog") == 0, "backlog 0")
    counters = bridge.status()["devices"]["till-2"]["counters"]
    assert counters["sessions"] >= 5
    assert counters["frames_accepted"] >= 400
    assert counters["frames_accepted"] + counters["frames_duplicate"] <= till.end.counters.data_sent


def test_killing_the_broker_holds_the_devices_back_and_loses_nothing(rig):
    till = rig.device("till", "uid-t")
    bridge = rig.bridge({"uid-t": "till-2"})
    till.scan("before")
    wait_for(lambda: not till.journal, "first scan stored")
    rig.broker.kill()
    for number in range(300):
        till.scan(f"{number}")
    wait_for(lambda: bridge.status().get("broker_connected") is False, "bridge notices")
    wait_for(lambda: bridge.status().get("unpublished", 0) >= 32, "credit is used up")
    time.sleep(0.5)
    status = bridge.status()
    assert status["backlog"] <= 32 + 5
    assert status["problems"]
    wait_for(lambda: till.end.is_up, "the device's session stands")
    rig.broker.start()
    wait_for(lambda: not till.journal, "journal empty")
    assert len(rig.gateway.of("till-2")) == 301


def test_noise_on_the_line_costs_frames_not_events(rig):
    till = rig.device("till", "uid-t")
    bridge = rig.bridge({"uid-t": "till-2"})
    wait_for(lambda: till.end.is_up, "till up")
    for number in range(200):
        if number % 10 == 0:
            till.noise = os.urandom(37) + b"\0"
        till.scan(f"{number}")
        time.sleep(0.003)
    wait_for(lambda: not till.journal, "journal empty")
    assert raws(rig.gateway.of("till-2")) == [f"{number}" for number in range(200)]
    assert bridge.status()["devices"]["till-2"]["counters"]["frames_crc_rejected"] > 0


def test_a_bad_message_is_quarantined_with_its_identity_and_the_next_one_passes(rig):
    till = rig.device("till", "uid-t")
    rig.bridge({"uid-t": "till-2"})
    wait_for(lambda: till.end.is_up, "till up")
    with till.lock:
        event = till._event(Scan, 7, keeps=False, raw="x").model_copy(update={"raw": ""})
        till.end.send_event(event, till._now_ms())
    till.scan("good")
    wait_for(lambda: rig.gateway.of("bridge-1", "rejected") and rig.gateway.of("till-2"), "both arrive")
    (rejected,) = rig.gateway.of("bridge-1", "rejected")
    assert (rejected.source, rejected.of_boot_id, rejected.of_seq) == ("till-2", "boot-1", 7)
    assert rejected.reason.startswith("raw: String should have at least 1 character")


def test_a_command_reaches_the_device_and_a_bad_one_only_costs_itself(rig):
    base = rig.device("esl", "uid-e", kind="esl-base")
    bridge = rig.bridge({"uid-e": "esl-1"})
    wait_for(lambda: base.end.is_up and bridge.status().get("broker_connected"), "up")
    rig.gateway.command("esl-1", "price", b"not json")
    rig.gateway.command("esl-1", "price", {"command_id": "c-1", "tag": "t-1"})
    wait_for(lambda: base.commands, "command")
    assert base.commands == [("price", {"command_id": "c-1", "tag": "t-1"})]
    wait_for(lambda: bridge.status().get("backlog") == 0, "backlog 0")
    assert bridge.status()["commands_rejected"] == 1


def test_commands_for_a_device_that_is_away_reach_it_later(rig):
    base = rig.device("esl", "uid-e", kind="esl-base")
    bridge = rig.bridge({"uid-e": "esl-1"})
    wait_for(lambda: base.end.is_up and bridge.status().get("broker_connected"), "up")
    base.unplug()
    wait_for(lambda: rig.gateway.states.get("esl-1") == "offline", "offline")
    rig.gateway.command("esl-1", "price", {"command_id": "c-1"})
    wait_for(lambda: bridge.status()["devices"]["esl-1"]["commands_waiting"] == 1, "it waits")
    base.plug_in()
    wait_for(lambda: base.commands, "command")


def test_an_unknown_device_is_refused_reported_once_and_named(rig):
    rig.device("stranger", "uid-x")
    bridge = rig.bridge({"uid-t": "till-2"})
    wait_for(lambda: rig.gateway.of("bridge-1", "rejected"), "report")
    (rejected,) = rig.gateway.of("bridge-1", "rejected")
    assert rejected.reason == "device refused: uid is not in the settings"
    assert "uid-x" in rejected.source
    wait_for(lambda: bridge.status().get("problems"), "problem named")
    status = bridge.status()
    assert "device with uid uid-x refused: uid is not in the settings" in status["problems"][0]
    assert status["devices_refused"] == 1


def test_a_port_that_another_program_holds_is_named_and_served_when_it_is_free(rig):
    till = rig.device("till", "uid-t")
    first = rig.bridge({"uid-t": "till-2"})
    wait_for(lambda: till.end.is_up, "first bridge serves")
    rig.folder = rig.folder / "second"
    rig.folder.mkdir()
    second = rig.bridge({"uid-t": "till-2"}, bridge="bridge-2")
    wait_for(lambda: second.status().get("problems"), "second bridge reports")
    assert "another program has the port open" in second.status()["problems"][0]
    first.kill()
    till.scan("by the second")
    wait_for(lambda: not till.journal, "second bridge serves")


def test_a_boot_id_that_is_no_id_is_refused_at_hello(rig):
    rig.devices.append(JournalDevice(rig.folder / "till", "uid-t", boot_id="Boot 1"))
    rig.bridge({"uid-t": "till-2"})
    wait_for(lambda: rig.gateway.of("bridge-1", "rejected"), "report")
    assert rig.gateway.of("bridge-1", "rejected")[0].reason.startswith("device refused: boot id must match")


def test_a_device_that_moves_to_another_port_keeps_its_id(rig):
    first = rig.device("port-a", "uid-t")
    bridge = rig.bridge({"uid-t": "till-2"}, ports=[str(rig.folder / "port-*")])
    wait_for(lambda: first.end.is_up, "first up")
    second = rig.device("port-b", "uid-t")
    wait_for(lambda: second.end.is_up, "second up")
    second.scan("at the new port")
    wait_for(lambda: not second.journal, "stored through the new port")
    assert bridge.status()["devices"]["till-2"]["state"] == "online"


def test_sigterm_ends_it_cleanly_and_leaves_offline_behind(rig):
    till = rig.device("till", "uid-t")
    bridge = rig.bridge({"uid-t": "till-2"})
    wait_for(lambda: till.end.is_up and rig.gateway.states.get("till-2") == "online", "up")
    assert bridge.stop() == 0
    wait_for(lambda: rig.gateway.states == {"bridge-1": "offline", "till-2": "offline"}, "offline")
    wait_for(lambda: not till.end.is_up, "the device's session has ended")


def test_each_hour_of_the_shop_has_a_heartbeat_however_fast_it_passes(rig):
    """The gateway calls a device silent by the shop's time: a simulation's day may pass in a second."""
    clock = ClockOwner(rig.folder / "clock", 1_504_526_400_000)
    rig.device("till", "uid-t")
    rig.bridge({"uid-t": "till-2"}, clock_file=str(clock.path), heartbeat_s=3600)
    wait_for(lambda: rig.gateway.of("bridge-1", "birth"), "the birth")
    for beats in (1, 2, 3):
        clock.stand_at(clock.now_ms() + 2 * 3_600_000)
        wait_for(lambda beats=beats: len(rig.gateway.of("bridge-1", "heartbeat")) >= beats, "a heartbeat")
    assert len(rig.gateway.of("bridge-1", "heartbeat")) == 3


def test_a_gateway_that_comes_later_learns_what_the_bridge_is(rig):
    rig.device("till", "uid-t")
    rig.bridge({"uid-t": "till-2"}, heartbeat_s=1)
    wait_for(lambda: rig.gateway.of("bridge-1", "birth"), "the birth at the start")
    rig.gateway.close()
    rig.gateway = Gateway(rig.broker.port)
    wait_for(lambda: rig.gateway.of("bridge-1", "birth"), "a birth again")
    assert {(born.kind, born.boot_id) for born in rig.gateway.of("bridge-1", "birth")} == {
        ("bridge", rig.gateway.of("bridge-1")[0].boot_id)
    }


def test_the_counters_are_nobody_elses_to_read(rig):
    till = rig.device("till", "uid-t")
    rig.bridge({"uid-t": "till-2"})
    till.scan("one")
    wait_for(lambda: rig.gateway.of("till-2"), "the event")
    files = [path for path in (rig.folder / "state").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o077 for path in files} <= {0}


def test_a_tcp_socket_serves_as_a_port(rig, tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))
    rig.bridge({"uid-t": "till-2"}, ports=[f"socket://127.0.0.1:{listener.getsockname()[1]}"])
    wire, _ = listener.accept()
    end = DeviceEnd(Hello(kind="till", uid="uid-t", boot_id="b1"))
    now_ms = JournalDevice._now_ms
    end.open(now_ms())
    while not end.is_up:
        wire.sendall(end.data_to_send())
        end.receive_data(wire.recv(4096), now_ms())
    event = Scan(device="x", boot_id="b1", seq=1, t_device_ms=1, raw="by tcp")
    end.send_event(event, now_ms())
    wire.sendall(end.data_to_send())
    wait_for(lambda: rig.gateway.of("till-2"), "scan")
    wire.close()
    listener.close()
