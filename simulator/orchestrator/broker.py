"""One shop's MQTT broker: Mosquitto when it is there, else rumqttd from PyPI (`iotcore`), for demos and quick tests only."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from simulator.orchestrator.supervisor import ProcessSpec

AUTOSAVE_EVERY_CHANGES = 500
"""The broker is a wire, never the store: what it forgets in a kill is sent again until the gateway says `stored`."""
MAX_QUEUED, MAX_INFLIGHT = 200_000, 1000


@dataclass(frozen=True, slots=True)
class Broker:
    """protocol: the MQTT version its clients speak."""

    spec: ProcessSpec
    port: int
    protocol: int
    kind: str


def mosquitto_path() -> str | None:
    """Debian keeps it in /usr/sbin, which is not on everybody's PATH."""
    return shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    )


def broker_for(name: str, folder: Path, port: int, program: str | None) -> Broker:
    """The broker of one shop. Its files lie in `folder`, its only listener is on loopback. program: Mosquitto, or None."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "broker.log"
    if program is None:
        argv = (sys.executable, "-m", "simulator.orchestrator.iotcore_broker", str(port))
        return Broker(ProcessSpec(name, argv, log), port, 4, "iotcore")
    config = folder / "mosquitto.conf"
    config.write_text(mosquitto_config(folder, port), encoding="utf-8")
    return Broker(ProcessSpec(name, (program, "-c", str(config)), log), port, 5, "mosquitto")


def mosquitto_config(folder: Path, port: int) -> str:
    # As root, Mosquitto would change its user, lose our folder and, with the change, its death signal.
    user = "user root\n" if os.geteuid() == 0 else ""
    return (
        f"{user}listener {port} 127.0.0.1\nallow_anonymous true\n"
        f"persistence true\npersistence_location {folder}/\nautosave_interval {AUTOSAVE_EVERY_CHANGES}\nautosave_on_changes true\n"
        f"max_queued_messages {MAX_QUEUED}\nmax_inflight_messages {MAX_INFLIGHT}\nmessage_size_limit 1000000\n"
        "set_tcp_nodelay true\nlog_type error\nlog_type warning\nlog_type notice\nconnection_messages false\n"
    )
