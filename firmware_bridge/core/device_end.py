"""The device's side of the wire in one object, for whoever plays a device: a simulator, a test, a serial till.

end = DeviceEnd(Hello(kind="till", uid="till-0001", boot_id="b1"), first_greeting=random_number)
end.open(now_ms)                            # the wire is there
write(end.data_to_send())                   # after every call
for event in end.receive_data(read(), now_ms): ...   # SessionUp, SessionDown, CommandReceived, MessageAcked
if end.can_send: end.send_event(receipt, now_ms)
end.on_time(now_ms)                         # at end.next_timeout_ms
"""

from dataclasses import dataclass

from contract.devices import DeviceEvent
from firmware_bridge.core.dialects import Command, command_from_message, message_from_event
from firmware_bridge.core.errors import PeerError
from firmware_bridge.core.hello import Hello
from firmware_bridge.core.link import Link, LinkState, Role
from firmware_bridge.core.link_events import (
    LinkCounters,
    LinkEvent,
    LinkLimits,
    MessageAcked,
    MessageReceived,
    SessionDown,
    SessionUp,
)


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """`stored` is one of them: body is then contract.devices.Stored as JSON, and frees the journal."""

    command: Command


DeviceEndEvent = SessionUp | SessionDown | MessageAcked | CommandReceived


class DeviceEnd:
    """Times are real milliseconds of any monotonic clock.

    Keeps no journal: MessageAcked means that the bridge's link has the event, and no more. What must not be lost
    stays with the device until the command `stored` covers it; on SessionUp it sends what is left, oldest first.
    """

    def __init__(self, hello: Hello, first_greeting: int = 0, limits: LinkLimits | None = None) -> None:
        self._hello = hello
        self._link = Link(Role.DEVICE, hello, limits, first_greeting)
        self.bad_commands = 0

    @property
    def is_up(self) -> bool:
        return self._link.state is LinkState.UP

    @property
    def can_send(self) -> bool:
        """Up, and the queue has room."""
        return self._link.can_send

    @property
    def unacked_messages(self) -> int:
        """Sent or queued, and not acknowledged by the bridge's link."""
        return self._link.unacked_messages

    @property
    def counters(self) -> LinkCounters:
        """counters.data_sent: transmissions of DATA frames, resends included."""
        return self._link.counters

    @property
    def next_timeout_ms(self) -> int | None:
        return self._link.next_timeout_ms

    def open(self, now_ms: int) -> None:
        self._link.open(now_ms)

    def close(self) -> list[DeviceEndEvent]:
        """The wire is gone (unplugged). What was not acknowledged may or may not have arrived."""
        return self._device_events(self._link.close())

    def send_event(self, event: DeviceEvent, now_ms: int) -> int:
        """Gives the number that MessageAcked will name. `event.device` does not travel: the bridge's settings give it.

        Raises LinkDownError, LinkBusyError, MessageTooLongError.
        """
        return self._link.send(message_from_event(event, self._hello), now_ms)

    def send_log(self, text: bytes) -> None:
        self._link.send_log(text)

    def receive_data(self, data: bytes, now_ms: int) -> list[DeviceEndEvent]:
        return self._device_events(self._link.receive_data(data, now_ms))

    def on_time(self, now_ms: int) -> list[DeviceEndEvent]:
        return self._device_events(self._link.on_time(now_ms))

    def frames_to_send(self) -> list[bytes]:
        """Whole frames to write now, one by one (a simulator may spoil one)."""
        return self._link.frames_to_send()

    def data_to_send(self) -> bytes:
        return self._link.data_to_send()

    def _device_events(self, events: list[LinkEvent]) -> list[DeviceEndEvent]:
        found: list[DeviceEndEvent] = []
        for event in events:
            if isinstance(event, MessageReceived):
                self._link.done()
                try:
                    found.append(CommandReceived(command_from_message(event.body)))
                except PeerError:
                    self.bad_commands += 1
            elif isinstance(event, SessionUp | SessionDown | MessageAcked):
                found.append(event)
        return found
