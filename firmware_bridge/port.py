"""One place where a device may be plugged in: opens, serves, and opens again, for ever. One thread each."""

import contextlib
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contract.ids import ID_PATTERN
from contract.topics import stream_topic
from firmware_bridge.core.dialects import UnreadableMessageError, event_from_message
from firmware_bridge.core.envelope import Envelope
from firmware_bridge.core.hello import PROTOCOL, Hello, ResetReason
from firmware_bridge.core.link import Link, LinkState, Role
from firmware_bridge.core.link_events import (
    HelloReceived,
    LinkEvent,
    LinkLimits,
    LogReceived,
    MessageAcked,
    MessageReceived,
    SessionDown,
    SessionUp,
)
from firmware_bridge.device_lane import DeviceLane
from firmware_bridge.own_events import OwnEvents, is_id
from firmware_bridge.publisher import Publisher
from firmware_bridge.serial_port import PortLostError, SerialPort, open_port
from firmware_bridge.settings import PortSettings
from firmware_bridge.state_board import StateBoard
from runtime.logs import Log, printable

log = Log("firmware_bridge.port")

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 5.0
LONGEST_WAIT_S = 1.0
HELD_RETRY_S = 0.2
MAX_COMMANDS_UNDER_WAY = 16
_COUNTED = (
    "frames_accepted", "frames_duplicate", "frames_crc_rejected", "frames_out_of_window", "frames_stale",
    "frames_sent", "resent", "sessions", "peer_errors",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Unpublished:
    """A message that the broker's client would not take yet: publishes itself when called, or raises queue.Full."""

    publish: Callable[[], None]


class Port:
    """lanes: by uid. Only `run`'s thread touches the link; `wake`, `evict` and `status` may come from any."""

    def __init__(
        self,
        settings: PortSettings,
        lanes: Mapping[str, DeviceLane],
        publisher: Publisher,
        own_events: OwnEvents,
        states: StateBoard,
        max_unpublished: int,
    ) -> None:
        self.path = settings.path
        self._baud = settings.baud
        self._lanes = lanes
        self._publisher = publisher
        self._own_events = own_events
        self._states = states
        self._link = Link(Role.HOST, limits=LinkLimits(max_undone=max_unpublished))
        self._counted = (0,) * len(_COUNTED)
        self._session = secrets.randbelow(65_535)
        self._lane: DeviceLane | None = None
        self._hello: Hello | None = None
        self._held: deque[_Unpublished] = deque()
        self._problem = "not opened yet"
        self._refused: tuple[str, str] | None = None
        self.devices_refused = 0
        """HELLOs that got no session; a refused device says HELLO every few seconds."""
        self._rejections_logged = 0
        self._lock = threading.Lock()
        self._confirmed = 0
        self._confirmed_session = 0
        self._evicted = False
        self._serial: SerialPort | None = None

    # --- any thread ----------------------------------------------------------------------------------------

    def wake(self) -> None:
        serial = self._serial
        if serial is not None:
            serial.wake()

    def evict(self) -> None:
        self._evicted = True
        self.wake()

    @property
    def held_messages(self) -> int:
        return len(self._held)

    @property
    def problem(self) -> str:
        """Empty while the port is open and its device, if one spoke, is known."""
        if self._problem:
            return self._problem
        refused = self._refused
        return f"device with uid {refused[0]} refused: {refused[1]}" if refused else ""

    def status(self) -> dict[str, object]:
        lane, hello = self._lane, self._hello
        return {
            "state": self._link.state.name.lower() if not self._problem else "away",
            "problem": self.problem,
            "device": lane.device if lane is not None else None,
            "uid": hello.uid if hello is not None else None,
            "firmware": hello.firmware if hello is not None else None,
            "session": self._link.session,
            "rejected_frames": {
                reason.value: count for reason, count in dict(self._link.decoder.rejected).items()
            },
            "unpublished": self._link.undone_messages,
        }

    # --- the port's thread ---------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Serves until `stop`. A port that is not there is no error: it may be plugged in later."""
        retry_s = FIRST_RETRY_S
        while not stop.is_set():
            try:
                with open_port(self.path, self._baud) as serial:
                    retry_s = FIRST_RETRY_S
                    self._opened(serial)
                    self._serve(serial, stop)
                    self._say_goodbye(serial)
            except PortLostError as error:
                self._lost(error.reason)
            finally:
                self._serial = None
                self._on_events(self._link.close())
            stop.wait(retry_s)
            retry_s = min(retry_s * 2, LAST_RETRY_S)

    def _opened(self, serial: SerialPort) -> None:
        self._problem = ""
        self._serial = serial
        log.info("port open", port=self.path)
        self._link.open(_now_ms())
        serial.write(self._link.data_to_send())

    def _lost(self, reason: str) -> None:
        if self._problem in ("", "not opened yet"):  # a change is worth a line, each retry is not
            log.warning("port lost, trying again until it is back", port=self.path, reason=reason)
        self._problem = printable(reason)

    def _serve(self, serial: SerialPort, stop: threading.Event) -> None:
        while not stop.is_set():
            data = serial.read(self._wait_s())
            now_ms = _now_ms()
            if data:
                events = self._link.receive_data(data, now_ms)
                self._count()  # before anyone can know of the frames: whenever we are killed, they are in the account
                self._on_events(events)
            self._on_events(self._link.on_time(now_ms))
            self._settle(now_ms)
            self._send_commands(now_ms)
            self._count()
            out = self._link.data_to_send()
            if out:
                serial.write(out)

    def _say_goodbye(self, serial: SerialPort) -> None:
        self._on_events(self._link.end_session(ResetReason.CLOSING, _now_ms()))
        with contextlib.suppress(PortLostError):
            serial.write(self._link.data_to_send())

    def _wait_s(self) -> float:
        due_ms = self._link.next_timeout_ms
        wait_s = LONGEST_WAIT_S if due_ms is None else (due_ms - _now_ms()) / 1000
        return min(wait_s, HELD_RETRY_S if self._held else LONGEST_WAIT_S)

    # --- what the link says --------------------------------------------------------------------------------

    def _on_events(self, events: list[LinkEvent]) -> None:
        for event in events:
            match event:
                case MessageReceived(body):
                    self._pass_on(body)
                case MessageAcked(number):
                    if self._lane is not None:
                        self._lane.acked(number)
                case HelloReceived(hello):
                    self._answer(hello)
                case SessionDown(reason, unacked):
                    self._session_down(reason, unacked)
                case LogReceived(text):
                    log.info("device says", port=self.path, text=printable(text))
                case SessionUp():
                    pass  # only `admit` gives it, and `_answer` deals with it

    def _answer(self, hello: Hello) -> None:
        lane = self._lanes.get(hello.uid)
        if lane is None:
            self._refuse(hello, "uid is not in the settings")
            return
        if hello.protocol != PROTOCOL:
            self._refuse(hello, f"protocol is {hello.protocol}, this bridge speaks {PROTOCOL}")
            return
        if not is_id(hello.boot_id):
            self._refuse(hello, f"boot id must match {ID_PATTERN}")
            return
        self._refused = None
        self._evicted = False
        self._session = self._session % 65_535 + 1
        lane.claim(self)
        self._lane, self._hello = lane, hello
        self._rejections_logged = 0
        with self._lock:
            self._confirmed, self._confirmed_session = 0, self._session
        self._link.admit(self._session, _now_ms())
        lane.up(self)
        log.info("device up", port=self.path, device=lane.device, boot_id=hello.boot_id, kind=hello.kind)
        self._states.set(lane.device, online=True)

    def _refuse(self, hello: Hello, why: str) -> None:
        self._link.refuse(_now_ms())
        self.devices_refused += 1
        if self._refused != (hello.uid, why):
            log.warning("device refused", port=self.path, uid=hello.uid, reason=why)
            source = f"{self.path} uid {hello.uid}"
            sample = f"{hello.kind} {hello.firmware} {hello.hardware} boot {hello.boot_id}".encode()
            self._try_publish(
                lambda: self._own_events.rejected(source, f"device refused: {why}", sample, None, None)
            )
        self._refused = (hello.uid, why)

    def _session_down(self, reason: ResetReason, unacked: int) -> None:
        self._count()
        lane, self._lane = self._lane, None
        self._held.clear()
        if lane is None:
            return
        log.info(
            "device down", port=self.path, device=lane.device, reason=reason.name.lower(), commands=unacked
        )
        if lane.down(self):
            self._states.set(lane.device, online=False)

    def _pass_on(self, body: bytes) -> None:
        """A message becomes an event on the broker, or a line in the gateway's quarantine."""
        lane, hello, session = self._lane, self._hello, self._session
        if lane is None or hello is None:
            return

        def confirmed() -> None:
            with self._lock:
                if self._confirmed_session == session:
                    self._confirmed += 1
            self.wake()

        lane.count({"messages_received": 1})
        try:
            event = event_from_message(lane.device, hello, body)
        except UnreadableMessageError as error:
            self._reject(lane, error.reason, body, error.envelope, confirmed)
            return
        topic, payload = stream_topic(lane.device, event.stream), event.to_json()
        self._try_publish(lambda: self._publisher.publish(topic, payload, confirmed))

    def _reject(
        self,
        lane: DeviceLane,
        reason: str,
        body: bytes,
        envelope: Envelope | None,
        confirmed: Callable[[], None],
    ) -> None:
        lane.count({"messages_rejected": 1})
        if self._rejections_logged == 0:  # once a session; the counter and the quarantine have them all
            log.warning("message rejected", port=self.path, device=lane.device, reason=reason)
        self._rejections_logged += 1
        self._try_publish(lambda: self._own_events.rejected(lane.device, reason, body, envelope, confirmed))

    # --- the broker and the link's credit ------------------------------------------------------------------

    def _try_publish(self, publish: Callable[[], None]) -> None:
        if self._held:
            self._held.append(_Unpublished(publish))  # order first
            return
        try:
            publish()
        except queue.Full:
            self._held.append(_Unpublished(publish))

    def _settle(self, now_ms: int) -> None:
        """Credit for what the broker confirmed; another try for what it would not take; the end of an eviction."""
        with contextlib.suppress(queue.Full):
            while self._held:
                self._held[0].publish()
                self._held.popleft()
        with self._lock:
            confirmed, self._confirmed = self._confirmed, 0
        if confirmed:
            self._link.done(confirmed)
        if self._evicted:
            self._evicted = False
            log.warning("device is at another port now", port=self.path)
            self._on_events(self._link.end_session(ResetReason.CLOSING, now_ms))

    def _send_commands(self, now_ms: int) -> None:
        lane = self._lane
        if lane is None or self._link.state is not LinkState.UP:
            return
        while self._link.can_send and self._link.unacked_messages < MAX_COMMANDS_UNDER_WAY:
            if not lane.hand_over(self, lambda message: self._link.send(message, now_ms)):
                return

    def _count(self) -> None:
        """Adds to the device's counters what the link counted since; before a device is known, it waits for one."""
        if self._lane is None:
            return
        link = self._link.counters
        totals = (
            link.data_accepted,
            link.data_duplicate,
            sum(self._link.decoder.rejected.values()),
            link.data_out_of_window,
            link.data_stale,
            link.data_sent,
            link.data_resent,
            link.sessions,
            link.peer_errors,
        )
        if totals == self._counted:
            return
        grown = zip(_COUNTED, totals, self._counted, strict=True)
        self._lane.count({name: total - before for name, total, before in grown})
        self._counted = totals


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
