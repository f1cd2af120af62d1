"""The settings file of each process of a demo, as an operator would write it."""

import json
from collections.abc import Mapping
from pathlib import Path

from simulator.catalogue import DEVICES
from simulator.orchestrator.broker import Broker
from simulator.orchestrator.layout import Layout, ShopPlace

AUTO_APPROVE_BELOW_CENTS = 8_000
"""Orders of less go out by themselves; dearer ones wait for a person, and the report lists them."""
CAMPAIGN_INTERVAL_MIN = 240
SESSION_H = 24 * 7
"""Who watches a demo has no password to log in again with."""
WEBHOOK_RETRIES_S = (0.0, 0.2, 0.5, 1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 10.0, 30.0)
"""A killed consumer is back in a second: the schedule of days is for the world outside a demo."""


def toml_from_settings(settings: Mapping[str, object]) -> str:
    """`settings` as TOML. Values: text, numbers, booleans, lists and tables of one level (JSON writes them the same way)."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in settings.items())


def write_settings(path: Path, settings: Mapping[str, object]) -> Path:
    path.write_text(toml_from_settings(settings), encoding="utf-8")
    return path


def bridge_settings(
    layout: Layout, place: ShopPlace, broker: Broker, pty_paths: Mapping[str, str]
) -> dict[str, object]:
    """pty_paths: by device, as the shop process said when it was ready."""
    state_dir = place.folder / "bridge"
    state_dir.mkdir(exist_ok=True)
    return {
        "bridge": "bridge",
        "broker_port": broker.port,
        "broker_protocol": broker.protocol,
        "status_port": place.bridge_port,
        "clock_file": str(layout.clock_file),
        "state_dir": str(state_dir),
        "ports": [{"path": path} for path in pty_paths.values()],
        "devices": {spec.uid: spec.device for spec in DEVICES if spec.wire == "serial"},
        "log_level": "INFO",
    }


def edge_settings(layout: Layout, place: ShopPlace, broker: Broker) -> dict[str, object]:
    state_dir = place.folder / "edge"
    state_dir.mkdir(exist_ok=True)
    return {
        "gateway": place.gateway,
        "store": place.store,
        "state_dir": str(state_dir),
        "broker_port": broker.port,
        "broker_protocol": broker.protocol,
        "central_url": layout.central_url,
        "key_file": str(place.key_file),
        "status_port": place.edge_port,
        "clock_file": str(layout.clock_file),
        "commit_linger_ms": 10,
        "uplink_linger_ms": 10,
        "poll_interval_s": 1,
    }


def central_settings(layout: Layout) -> dict[str, object]:
    return {
        "state_dir": str(layout.folder("central")),
        "port": layout.central_port,
        "status_port": layout.central_status_port,
        "clock_file": str(layout.clock_file),
        "allow_private_webhooks": True,
        "retry_schedule_s": list(WEBHOOK_RETRIES_S),
        "auto_approve_below_cents": AUTO_APPROVE_BELOW_CENTS,
        "campaign_interval_min": CAMPAIGN_INTERVAL_MIN,
        "session_h": SESSION_H,
    }


def hq_settings(layout: Layout) -> dict[str, object]:
    return {
        "central_url": layout.central_url,
        "port": layout.hq_port,
        "status_port": layout.hq_status_port,
        "clock_file": str(layout.clock_file),
    }


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return (
            "{ "
            + ", ".join(f"{json.dumps(str(name))} = {_toml(item)}" for name, item in value.items())
            + " }"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)
