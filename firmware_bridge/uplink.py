"""From one port to the broker: messages become events, and the broker's confirmations become the device's credit."""

import queue
import threading
from collections import deque
from collections.abc import Callable

from contract.topics import stream_topic
from firmware_bridge.core.dialects import UnreadableMessageError, event_from_message
from firmware_bridge.core.hello import Hello
from firmware_bridge.device_lane import DeviceLane
from firmware_bridge.own_events import OwnEvents
from firmware_bridge.publisher import Publisher
from runtime.logs import Log

log = Log("firmware_bridge.uplink")


class Uplink:
    """The port's thread calls; confirmations come from the broker's.

    wake: ends the port's wait for the line; it is called for each wake_at confirmations, not for each one: a device
    that is out of credit has more than that to be confirmed, and any other can wait until the port next looks.
    """

    def __init__(
        self, publisher: Publisher, own_events: OwnEvents, wake: Callable[[], None], wake_at: int
    ) -> None:
        self._publisher = publisher
        self._own_events = own_events
        self._wake = wake
        self._wake_at = wake_at
        self._held: deque[Callable[[], None]] = deque()
        """What the broker's client was too full for. The link's credit bounds it."""
        self._rejections = 0
        self._lock = threading.Lock()
        self._session = 0
        self._confirmed = 0

    @property
    def held_messages(self) -> int:
        return len(self._held)

    def start_session(self, session: int) -> None:
        """Confirmations of an earlier session's messages are no credit in this one."""
        self._rejections = 0
        with self._lock:
            self._session, self._confirmed = session, 0

    def end_session(self) -> None:
        """What was held is dropped: the device sends again what it keeps."""
        self._held.clear()
        with self._lock:
            self._session, self._confirmed = 0, 0

    def take_confirmed(self) -> int:
        """Messages of this session that the broker confirmed since the last call."""
        with self._lock:
            confirmed, self._confirmed = self._confirmed, 0
        return confirmed

    def pass_on(self, lane: DeviceLane, hello: Hello, message: bytes) -> None:
        """Publishes the event in `message`, or for the gateway's quarantine what is wrong with it."""
        on_puback = self._confirmation()
        lane.count({"messages_received": 1})
        try:
            event = event_from_message(lane.device, hello, message)
        except UnreadableMessageError as error:
            self._reject(lane, error, message, on_puback)
            return
        topic, payload = stream_topic(lane.device, event.stream), event.to_json()
        self._publish(lambda: self._publisher.publish(topic, payload, on_puback))

    def report_refusal(self, source: str, reason: str, sample: bytes) -> None:
        """A device that got no session."""
        self._publish(lambda: self._own_events.rejected(source, reason, sample, None, None))

    def retry_held(self) -> None:
        while self._held:
            try:
                self._held[0]()
            except queue.Full:
                return
            self._held.popleft()

    def _reject(
        self, lane: DeviceLane, error: UnreadableMessageError, message: bytes, on_puback: Callable[[], None]
    ) -> None:
        lane.count({"messages_rejected": 1})
        if self._rejections == 0:  # a line for the first of a session; counter and quarantine have them all
            log.warning("message rejected", device=lane.device, reason=error.reason)
        self._rejections += 1
        reject = self._own_events.rejected
        self._publish(lambda: reject(lane.device, error.reason, message, error.envelope, on_puback))

    def _publish(self, publish: Callable[[], None]) -> None:
        if not self._held:  # order first
            try:
                publish()
            except queue.Full:
                pass
            else:
                return
        self._held.append(publish)

    def _confirmation(self) -> Callable[[], None]:
        session = self._session

        def confirmed() -> None:
            with self._lock:
                if session != self._session:
                    return
                self._confirmed += 1
                enough = self._confirmed == self._wake_at
            if enough:
                self._wake()

        return confirmed
