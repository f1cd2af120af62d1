"""Run inside a gateway that install.sh made: what the broker lets whom do, as JSON on standard output."""

import json
import queue
import ssl
import sys
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

ETC = Path("/etc/shelfloop")
LIMIT_S = 60


class Peer:
    """A client by TLS; `reason` is the CONNACK's, or why there was none."""

    def __init__(
        self,
        user: str,
        password: str,
        port: int = 8883,
        ca: str = str(ETC / "ca.crt"),
        host: str = "localhost",
    ):
        self.heard: queue.Queue[str] = queue.Queue()
        self.answers: queue.Queue[str] = queue.Queue()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"{user}-{id(self)}", protocol=mqtt.MQTTv5
        )
        if user:
            self.client.username_pw_set(user, password)
        if ca:
            self.client.tls_set(ca_certs=ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_message = lambda _c, _u, message: self.heard.put(
            f"{message.topic} {message.payload.decode()}"
        )
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.answers.put(str(reason))
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.answers.put(f"disconnected: {reason}")
        self.client.on_publish = lambda _c, _u, _m, reason, _p: self.answers.put(str(reason))
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.answers.put(str(codes[0]))
        try:
            self.client.connect(host, port, keepalive=20)
            self.client.loop_start()
            self.reason = self.answers.get(timeout=LIMIT_S)
        except (OSError, queue.Empty) as error:
            self.reason = f"{type(error).__name__}: {error}"

    def publish(self, topic: str, payload: str = "{}") -> str:
        self.client.publish(topic, payload, qos=1)
        return self.answers.get(timeout=LIMIT_S)

    def subscribe(self, topic: str) -> str:
        self.client.subscribe(topic, qos=1)
        return self.answers.get(timeout=LIMIT_S)


def password(name: str) -> str:
    return (ETC / name).read_text().strip()


def main(strange_ca: str) -> None:
    till_password = password("devices/till-1.password")
    till, other = Peer("till-1", till_password), Peer("till-2", password("devices/till-2.password"))
    found: dict[str, object] = {
        "till": till.reason,
        "anonymous": Peer("", "").reason,
        "guess": Peer("till-1", "guess").reason,
        "another's password": Peer("till-2", till_password).reason,
        "strange certificate": Peer("till-1", till_password, ca=strange_ca).reason,
        "strange host name": Peer("till-1", till_password, host="127.0.0.2").reason,
        "no TLS on the shop's port": Peer("till-1", till_password, ca="").reason,
        "own stream": till.publish("shelfloop/1/till-1/heartbeat"),
        "another's stream": till.publish("shelfloop/1/till-2/receipt"),
        "a command to itself": till.publish("shelfloop/1/till-1/cmd/stored"),
        "a command to another": till.publish("shelfloop/1/till-2/cmd/price"),
        "outside of the tree": till.publish("other/topic"),
    }
    # A subscription to everything is granted, and brings nothing that is another's.
    other.subscribe("#")
    till.subscribe("shelfloop/1/+/cmd/+")
    bridge = Peer("bridge-1", password("bridge.password"))
    found["the bridge as a device"] = bridge.publish("shelfloop/1/shelf-9/heartbeat")
    found["a command of the bridge"] = bridge.publish("shelfloop/1/till-1/cmd/price")
    receipt = sys.stdin.read()
    found["a receipt"] = till.publish("shelfloop/1/till-1/receipt", receipt)
    found["stored"] = till.heard.get(timeout=LIMIT_S)
    found["heard by another"] = [] if other.heard.empty() else [other.heard.get()]
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
