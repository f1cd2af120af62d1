"""deploy/: the broker starts with the file as it is written, and its rights hold."""

import queue
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from local_broker import LocalBroker
from paho.mqtt.enums import CallbackAPIVersion

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MOSQUITTO_PASSWD = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
USERS = ("gateway", "bridge-1", "till-1", "till-2")


@pytest.fixture
def shop_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    text = (DEPLOY / "mosquitto/shelfloop.conf").read_text(encoding="utf-8")
    assert text.count("\nlistener ") == 2
    passwords = tmp_path / "passwd"
    passwords.touch(mode=0o600)
    for user in USERS:
        subprocess.run(
            [MOSQUITTO_PASSWD, "-b", str(passwords), user, f"secret of {user}"],
            check=True,
            capture_output=True,
        )
    rights = tmp_path / "acl"
    shutil.copy(DEPLOY / "mosquitto/shelfloop.acl", rights)
    # Only what is this machine's is changed: ports and folders; the TLS port is tried on a whole machine, in
    # test_edge_ops_machine.py. The user lets root's Mosquitto read the test's files.
    text = re.sub(r"\n(listener|certfile|keyfile|tls_version) .*", "", text).replace(
        "/etc/mosquitto/shelfloop/", f"{tmp_path}/"
    )
    broker = LocalBroker(tmp_path, (*text.splitlines(), "user root"))
    broker.start()
    yield broker
    broker.kill()


class Peer:
    """A client of one user that remembers what it hears."""

    def __init__(self, broker: LocalBroker, user: str, password: str | None = None) -> None:
        self.heard: queue.Queue[str] = queue.Queue()
        self.answers: queue.Queue[str] = queue.Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=user, protocol=mqtt.MQTTv5)
        self.client.username_pw_set(user, password or f"secret of {user}")
        self.client.on_message = lambda _c, _u, message: self.heard.put(message.topic)
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.answers.put(str(reason))
        self.client.on_subscribe = lambda *_: self.answers.put("subscribed")
        self.client.on_publish = lambda _c, _u, _m, reason, _p: self.answers.put(str(reason))
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        self.reason = self.answers.get(timeout=60)

    def subscribe(self, topic: str) -> None:
        self.client.subscribe(topic, qos=1)
        assert self.answers.get(timeout=60) == "subscribed"

    def publish(self, topic: str) -> str:
        self.client.publish(topic, b"{}", qos=1)
        return self.answers.get(timeout=60)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_a_device_speaks_for_itself_only_and_hears_its_own_commands(shop_broker: LocalBroker) -> None:
    gateway, till, other = (Peer(shop_broker, user) for user in ("gateway", "till-1", "till-2"))
    try:
        gateway.subscribe("shelfloop/1/+/+")
        till.subscribe("shelfloop/1/+/cmd/+")
        assert till.publish("shelfloop/1/till-2/receipt") == "Not authorized"
        assert till.publish("shelfloop/1/till-1/cmd/stored") == "Not authorized"
        assert till.publish("shelfloop/1/till-1/receipt") == "Success"
        assert gateway.heard.get(timeout=60) == "shelfloop/1/till-1/receipt"
        assert gateway.publish("shelfloop/1/till-1/receipt") == "Success"  # what `edge replay` does
        assert gateway.heard.get(timeout=60) == "shelfloop/1/till-1/receipt"
        assert gateway.publish("shelfloop/1/till-2/cmd/stored") in ("Success", "No matching subscribers")
        assert gateway.publish("shelfloop/1/till-1/cmd/stored") == "Success"
        assert till.heard.get(timeout=60) == "shelfloop/1/till-1/cmd/stored"
        assert till.heard.empty()
        assert other.heard.empty()
    finally:
        for peer in (gateway, till, other):
            peer.close()


def test_the_bridge_speaks_for_its_devices_and_commands_none(shop_broker: LocalBroker) -> None:
    bridge = Peer(shop_broker, "bridge-1")
    try:
        assert bridge.publish("shelfloop/1/shelf-1/weight") in ("Success", "No matching subscribers")
        assert bridge.publish("shelfloop/1/shelf-1/cmd/price") == "Not authorized"
    finally:
        bridge.close()


def test_nobody_enters_without_a_password(shop_broker: LocalBroker) -> None:
    stranger = Peer(shop_broker, "till-1", password="guess")
    try:
        assert stranger.reason == "Not authorized"
    finally:
        stranger.close()


@pytest.mark.parametrize("room", ["bridge", "edge", "central", "hq"])
def test_a_unit_starts_its_process_and_gives_up_on_a_bad_setting(room: str) -> None:
    text = (DEPLOY / f"systemd/shelfloop-{room}.service").read_text(encoding="utf-8")
    assert f"ExecStart=/opt/shelfloop/bin/shelfloop {room} run --config /etc/shelfloop/{room}.toml" in text
    assert "Restart=always" in text
    assert "ExecStartPre" not in text  # RestartPreventExitStatus looks at the main process only
    assert "RestartPreventExitStatus=78" in text
