"""What the bridge itself has to say, as a device of the store: birth, heartbeats, and what it could not pass on."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping

from contract.devices import Birth, ClockQuality, DeviceEvent, Heartbeat, Rejected
from contract.ids import ID_PATTERN
from contract.topics import stream_topic
from firmware_bridge.core.envelope import Envelope
from firmware_bridge.publisher import Publisher
from runtime.clock import Clock
from runtime.logs import printable

_ID = re.compile(ID_PATTERN)
_SAMPLE_CHARS = 400
_REASON_CHARS = 300
_SOURCE_CHARS = 200


class OwnEvents:
    """Numbers the bridge's events of this start. Any thread may call."""

    def __init__(self, bridge: str, clock: Clock, publisher: Publisher) -> None:
        self._bridge, self._clock, self._publisher = bridge, clock, publisher
        self._boot_id = f"b-{secrets.token_hex(6)}"
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._last_seq = 0

    def birth(self, version: str) -> None:
        self._publish(Birth, kind="bridge", firmware=version)

    def heartbeat(self, counters: Mapping[str, int]) -> None:
        """counters: names that are no ids, being too long, are left out; /status has them all."""
        fitting = {name: value for name, value in counters.items() if is_id(name)}
        self._publish(Heartbeat, uptime_ms=self._uptime_ms(), counters=fitting)

    def rejected(
        self,
        source: str,
        reason: str,
        sample: bytes,
        envelope: Envelope | None,
        on_puback: Callable[[], None] | None,
    ) -> None:
        """For the gateway's quarantine. envelope: of the message that is rejected, if it was readable.

        Raises queue.Full.
        """
        identity = _identity(envelope)
        self._publish(
            Rejected,
            on_puback,
            source=printable(source, _SOURCE_CHARS),
            reason=printable(reason, _REASON_CHARS),
            sample=printable(sample, _SAMPLE_CHARS),
            **identity,
        )

    def _publish(
        self, cls: type[DeviceEvent], on_puback: Callable[[], None] | None = None, **fields: object
    ) -> None:
        with self._lock:
            self._last_seq += 1
            seq = self._last_seq
        event = cls.model_validate(
            {
                "device": self._bridge,
                "boot_id": self._boot_id,
                "seq": seq,
                "t_device_ms": self._uptime_ms(),
                "t_event_ms": self._clock.now_ms(),
                "clock_quality": ClockQuality.SYNCED,
                **fields,
            }
        )
        self._publisher.publish(stream_topic(self._bridge, cls.stream), event.to_json(), on_puback)

    def _uptime_ms(self) -> int:
        return int((time.monotonic() - self._started_s) * 1000)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _identity(envelope: Envelope | None) -> dict[str, object]:
    """Of the rejected event, as far as it is a valid one."""
    if envelope is None or not is_id(envelope.boot_id) or not 1 <= envelope.seq < 2**53:
        return {}
    return {"of_boot_id": envelope.boot_id, "of_seq": envelope.seq}
