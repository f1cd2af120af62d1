"""The retained `state` of the bridge and of each device it serves: who comes to the broker later sees who is here."""

import queue
import threading
from collections.abc import Iterable

from contract.devices import DeviceState
from contract.topics import STATE, stream_topic
from firmware_bridge.publisher import Publisher

ONLINE = DeviceState(state="online").to_json()
OFFLINE = DeviceState(state="offline").to_json()


class StateBoard:
    """Any thread may call. One lock over change and publication, or an older state could be retained over a newer one."""

    def __init__(self, publisher: Publisher, devices: Iterable[str]) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._online = dict.fromkeys(devices, False)
        self._unpublished: set[str] = set()

    def set(self, device: str, *, online: bool) -> None:
        with self._lock:
            self._online[device] = online
            self._publish([device])

    def publish_all(self) -> None:
        """After each connection: the broker may have come back without what it retained."""
        with self._lock:
            self._publish(list(self._online))

    def publish_rest(self) -> None:
        """What the broker's client was too full for."""
        with self._lock:
            self._publish(sorted(self._unpublished))

    def _publish(self, devices: list[str]) -> None:
        self._unpublished.update(devices)
        for device in devices:
            try:
                payload = ONLINE if self._online[device] else OFFLINE
                self._publisher.publish(stream_topic(device, STATE), payload, retain=True)
            except queue.Full:
                return
            self._unpublished.discard(device)
