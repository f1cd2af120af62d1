"""ThingsBoard's gateway under the same load: its MQTT connector, its SQLite storage, a second Mosquitto in the platform's place.

It comes from PyPI into a venv of its own under var/, and is measured as an outsider: a reading counts when it comes out on the
platform's side. What it has not passed on by the end of the time limit is left, and its pace is that of what came.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gateway_rig.processes import ROOT, Broker, Load, cost_of, folder_for, stop
from benchmarks.gateway_rig.publisher import Packets, connect, publish_packet, subscribe_packet
from benchmarks.gateway_rig.shop import event

VERSION = "3.8.5"
LIMIT_S, START_S, INSTALL_S = 60.0, 60.0, 240.0
UNLIMITED = "1000000:1,"


class UnavailableError(Exception):
    """It cannot be installed or started; the message says why."""


@dataclass(frozen=True, slots=True)
class ThingsBoardRun:
    messages_per_s: float
    cpu_s_per_100k: float
    rss_mb: float
    bytes_per_message: float


class Platform:
    """Counts the readings that reach the platform's broker."""

    def __init__(self, port: int) -> None:
        self.count, self.last_s = 0, 0.0
        self._socket = connect("127.0.0.1", port, "bench-platform")
        self._socket.settimeout(None)
        for topic in ("v1/gateway/telemetry", "v1/devices/me/rpc/request/+"):
            self._socket.sendall(subscribe_packet(topic))
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        packets = Packets()
        while True:
            try:
                data = self._socket.recv(65_536)
            except OSError:
                return
            if not data:
                return
            for first, body in packets.feed(data):
                if first >> 4 != 3:
                    continue
                if b"getSessionLimits" in body:
                    # It sends nothing before it knows what the platform allows.
                    number = body[2 : 2 + int.from_bytes(body[:2], "big")].rpartition(b"/")[2].decode()
                    answer = publish_packet(
                        f"v1/devices/me/rpc/response/{number}", json.dumps(_LIMITS).encode(), 0, qos=0
                    )
                    self._socket.sendall(answer)
                else:
                    # One "seq" a reading, however the gateway packs them.
                    self.count += len(re.findall(rb'"seq"', body))
                    self.last_s = time.monotonic()


def measure(messages: int) -> ThingsBoardRun:
    """Raises UnavailableError."""
    python = _installed()
    folder = folder_for("thingsboard")
    shop, cloud = Broker(folder / "shop"), Broker(folder / "cloud")
    platform = Platform(cloud.port)
    _write_config(folder, shop.port, cloud.port)
    (folder / "logs").mkdir()
    log = (folder / "out.log").open("w")
    process = subprocess.Popen(
        [str(python), "-c", "from thingsboard_gateway.tb_gateway import main; main()"], cwd=folder, stdout=log, stderr=log,
        env={**os.environ, "TB_GW_CONFIG_DIR": str(folder / "config"), "TB_GW_LOGS_PATH": str(folder / "logs")}, text=True,
    )  # fmt: skip
    try:
        _wait_until_it_passes_on(shop.port, platform, process, folder)
        load = Load(shop.port, "single", messages)
        before, cost_before = platform.count, cost_of(process.pid)
        began_s = load.go()
        while platform.count - before < messages and time.monotonic() - began_s < LIMIT_S:
            time.sleep(0.1)
        passed = platform.count - before
        cost = cost_of(process.pid)
        load.result()
        if not passed:
            raise UnavailableError(f"nothing came out of it; see {folder}/out.log")
        return ThingsBoardRun(
            passed / (platform.last_s - began_s),
            (cost.cpu_s - cost_before.cpu_s) / passed * 1e5,
            cost.rss_mb,
            (cost.written_bytes - cost_before.written_bytes) / passed,
        )
    finally:
        stop(process)
        platform.close()
        shop.stop()
        cloud.stop()


def _installed() -> Path:
    """The Python of a venv that has it."""
    venv = ROOT / "var" / f"thingsboard-gateway-{VERSION}"
    python = venv / "bin" / "python"
    if (venv / "done").exists():
        return python
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", str(venv)], check=True, timeout=INSTALL_S, capture_output=True
        )
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", f"thingsboard-gateway=={VERSION}"],
            check=True, timeout=INSTALL_S, capture_output=True, text=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"pip could not install it: {str(error.stderr).strip()[-300:]}") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"pip took longer than {INSTALL_S:.0f} s") from error
    (venv / "done").touch()
    return python


def _wait_until_it_passes_on(
    port: int, platform: Platform, process: "subprocess.Popen[str]", folder: Path
) -> None:
    opened = connect("127.0.0.1", port, "bench-warm-up")
    until_s, number = time.monotonic() + START_S, 0
    while not platform.count:
        if process.poll() is not None or time.monotonic() > until_s:
            opened.close()
            raise UnavailableError(f"it does not pass readings on; see {folder}/out.log")
        number += 1
        payload = event("probe-1", "b-1", number, readings=[{"cell": "c1", "weight_g": 1.0, "stable": True}])
        opened.sendall(publish_packet("shelfloop/1/probe-1/weight", payload, number))
        time.sleep(0.5)
    time.sleep(2.0)
    opened.close()


def _write_config(folder: Path, shop_port: int, cloud_port: int) -> None:
    config = folder / "config"
    config.mkdir()
    limits = dict.fromkeys(
        (
            "rateLimits",
            "dpRateLimits",
            "messagesRateLimits",
            "deviceMessagesRateLimits",
            "deviceRateLimits",
            "deviceDpRateLimits",
        ),
        UNLIMITED,
    )
    gateway: dict[str, Any] = {
        "thingsboard": {
            "host": "127.0.0.1", "port": cloud_port, "remoteShell": False, "remoteConfiguration": False,
            "statistics": {"enable": False}, "minPackSendDelayMS": 50, "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 60, "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1, "maxPayloadSizeBytes": 65_536, "deviceFiltering": {"enable": False}, "handleDeviceRenaming": False,
            "reportStrategy": {"type": "ON_RECEIVED"}, "checkingDeviceActivity": {"checkDeviceInactivity": False}, **limits,
        },
        "storage": {
            "type": "sqlite", "data_file_path": str(folder / "data") + "/", "messages_ttl_check_in_hours": 1,
            "messages_ttl_in_days": 7, "max_read_records_count": 1000, "read_records_count": 1000,
        },
        "grpc": {"enabled": False},
        "connectors": [{"type": "mqtt", "name": "shop", "configuration": "mqtt.json"}],
    }  # fmt: skip
    mapping = {
        "topicFilter": "shelfloop/1/+/weight", "subscriptionQos": 1,
        "converter": {
            "type": "json",
            "deviceInfo": {
                "deviceNameExpressionSource": "message", "deviceNameExpression": "${device}",
                "deviceProfileExpressionSource": "constant", "deviceProfileExpression": "default",
            },
            "sendDataOnlyOnChange": False, "timeout": 60_000, "attributes": [],
            "timeseries": [{"type": "integer", "key": "seq", "value": "${seq}"}],
        },
    }  # fmt: skip
    broker = {
        "host": "127.0.0.1", "port": shop_port, "clientId": "tb-gateway", "version": 5, "maxMessageNumberPerWorker": 10,
        "maxNumberOfWorkers": 100, "sendDataOnlyOnChange": False, "security": {"type": "anonymous"},
        "cleanSession": False, "cleanStart": False, "sessionExpiryInterval": 3600,
    }  # fmt: skip
    (config / "tb_gateway.json").write_text(json.dumps(gateway))
    (config / "mqtt.json").write_text(
        json.dumps({"name": "shop", "broker": broker, "mapping": [mapping], "requestsMapping": {}})
    )
    (config / "logs.json").write_text(json.dumps(_LOGS))
    (folder / "data").mkdir()


_LIMITS: dict[str, Any] = {
    "maxPayloadSize": 65_536,
    "maxInflightMessages": 1000,
    "rateLimits": {"messages": UNLIMITED, "telemetryMessages": UNLIMITED, "telemetryDataPoints": UNLIMITED},
    "gatewayRateLimits": {
        "messages": UNLIMITED,
        "telemetryMessages": UNLIMITED,
        "telemetryDataPoints": UNLIMITED,
    },
}
_LOGS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "level": "WARNING"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
