"""Publishes on the broker and reports each confirmation to who asked."""

import threading
from collections.abc import Callable
from typing import Protocol


class Broker(Protocol):
    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Raises queue.Full when too much waits."""
        ...


class Publisher:
    """on_puback runs in the broker link's thread: it must only note and wake.

    The confirmation may come before `publish` has returned the message's number, hence `_early`. The lock is never
    held while calling the broker's client, which holds a lock of its own while it reports.
    """

    def __init__(self) -> None:
        self._broker: Broker | None = None
        self._lock = threading.Lock()
        self._waiting: dict[int, Callable[[], None]] = {}
        self._early: set[int] = set()
        self._publishing = 0

    def attach(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def unconfirmed(self) -> int:
        with self._lock:
            return len(self._waiting) + self._publishing

    def publish(
        self, topic: str, payload: bytes, on_puback: Callable[[], None] | None = None, *, retain: bool = False
    ) -> None:
        """QoS 1. Raises queue.Full when the broker's client holds too much: keep the message and try again."""
        assert self._broker is not None, "attach comes first"
        with self._lock:
            self._publishing += 1
        mid: int | None = None
        try:
            mid = self._broker.publish(topic, payload, qos=1, retain=retain)
        finally:
            with self._lock:
                self._publishing -= 1
                confirmed = mid in self._early
                if mid is not None and not confirmed:
                    self._waiting[mid] = on_puback or _nothing
                elif mid is not None:
                    self._early.discard(mid)
        if confirmed and on_puback is not None:
            on_puback()

    def confirmed(self, mid: int) -> None:
        """The broker's PUBACK of `mid`."""
        with self._lock:
            on_puback = self._waiting.pop(mid, None)
            if on_puback is None:
                self._early.add(mid)
        if on_puback is not None:
            on_puback()


def _nothing() -> None:
    """For messages whose confirmation nobody waits for."""
