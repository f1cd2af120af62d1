"""The MQTT broker: does it answer, does it let us in, which one is it."""

import ssl
import threading
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from cli.findings import Finding, fail, ok, warn
from runtime.errors import reason_of

TIMEOUT_S = 4.0
VERSION_TOPIC = "$SYS/broker/version"
VERSION_WAIT_S = 1.0
DEMO_ONLY = (
    "for demos and quick tests only: it keeps nothing over a restart, takes payloads of 20 kB, drops clients without "
    "keep-alive and loses acknowledged messages when its log is small"
)


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """connected: the CONNACK said yes. reason: what it said, or why none came. version: of `$SYS`, "" when silent."""

    connected: bool
    reason: str
    version: str = ""
    answered: bool = True


def check_broker(
    host: str, port: int, *, protocol: int = 5, username: str = "", password: str = "", tls_ca_file: str = ""
) -> Finding:
    about = f"broker {host}:{port}"
    answer = ask_broker(
        host, port, protocol=protocol, username=username, password=password, tls_ca_file=tls_ca_file
    )
    if not answer.answered:
        return fail(
            about, f"does not answer: {answer.reason}", "start it (systemctl start mosquitto), or correct broker_host and broker_port"
        )  # fmt: skip
    if not answer.connected:
        if protocol == MQTTProtocolVersion.MQTTv5 and ask_broker(host, port, protocol=4).connected:
            return fail(
                about, f"has no MQTT 5 ({answer.reason})", "set broker_protocol = 4, or run Mosquitto"
            )
        return fail(
            about, f"refuses us: {answer.reason}", "check broker_username, broker_password_file and the broker's ACL"
        )  # fmt: skip
    if "mosquitto" in answer.version.lower():
        return ok(about, answer.version)
    if answer.version:
        return warn(about, f"is {answer.version}, untested here", "Mosquitto is what a shop should run")
    return warn(
        about, f"names no version; if it is iotcore (rumqttd): {DEMO_ONLY}", "run Mosquitto in a shop"
    )


def ask_broker(
    host: str, port: int, *, protocol: int, username: str = "", password: str = "", tls_ca_file: str = ""
) -> BrokerAnswer:
    """Connects once with a clean session and a random client id, and asks for the version."""
    answered, versioned = threading.Event(), threading.Event()
    found: dict[str, str] = {}

    def on_connect(
        client: mqtt.Client, _data: object, _flags: mqtt.ConnectFlags, reason: ReasonCode, _p: object
    ) -> None:
        found["reason"] = str(reason)
        if not reason.is_failure:
            found["connected"] = "yes"
            client.subscribe(VERSION_TOPIC)
        answered.set()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        found["version"] = message.payload.decode("utf-8", "replace")[:80]
        versioned.set()

    def on_disconnect(
        _client: mqtt.Client, _data: object, _flags: mqtt.DisconnectFlags, reason: ReasonCode, _p: object
    ) -> None:
        found.setdefault("reason", f"it closed the connection ({reason})")
        answered.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="", protocol=MQTTProtocolVersion(protocol))
    client.on_connect, client.on_message, client.on_disconnect = on_connect, on_message, on_disconnect
    if username:
        client.username_pw_set(username, password)
    try:
        if tls_ca_file:
            client.tls_set(ca_certs=tls_ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.connect_timeout = TIMEOUT_S
        client.connect(host, port, keepalive=10)
    except (OSError, ValueError) as error:
        return BrokerAnswer(connected=False, reason=reason_of(error), answered=False)
    client.loop_start()
    try:
        if not answered.wait(TIMEOUT_S):
            return BrokerAnswer(connected=False, reason="no CONNACK: it may speak no MQTT", answered=False)
        if found.get("connected"):
            versioned.wait(VERSION_WAIT_S)
    finally:
        client.disconnect()
        client.loop_stop()
    return BrokerAnswer("connected" in found, found["reason"], found.get("version", ""))
