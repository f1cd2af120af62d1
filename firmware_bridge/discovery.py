"""Which ports to serve: the paths of the settings as they are, and what their globs match as things are plugged in."""

import glob
import threading
from collections.abc import Callable, Iterable

from firmware_bridge.settings import PortSettings

EVERY_S = 0.5
MAX_PORTS = 64


def is_glob(path: str) -> bool:
    return "://" not in path and glob.has_magic(path)


def matching_ports(ports: Iterable[PortSettings]) -> list[PortSettings]:
    """Each path once, in the order of the settings. A fixed path counts whether it is there or not."""
    found: dict[str, PortSettings] = {}
    for port in ports:
        paths = sorted(glob.glob(port.path)) if is_glob(port.path) else [port.path]  # noqa: PTH207 - devices, not files
        for path in paths:
            found.setdefault(path, PortSettings(path=path, baud=port.baud))
    return list(found.values())[:MAX_PORTS]


def watch(ports: list[PortSettings], start: Callable[[PortSettings], None], stop: threading.Event) -> None:
    """Calls `start` once for each port that there ever is, until `stop`. A port that goes away tries itself again."""
    known: set[str] = set()
    has_globs = any(is_glob(port.path) for port in ports)
    while not stop.is_set():
        for port in matching_ports(ports):
            if port.path not in known and len(known) < MAX_PORTS:
                known.add(port.path)
                start(port)
        stop.wait(EVERY_S if has_globs else None)
