"""One place where a device may be plugged in: opens, serves, and opens again, for ever. One thread each."""

import contextlib
import secrets
import threading
import time
from collections.abc import Mapping

from contract.ids import ID_PATTERN
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
from firmware_bridge.uplink import Uplink
from runtime.logs import Log, printable

log = Log("firmware_bridge.port")

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 5.0
LONGEST_WAIT_S = 1.0
HELD_RETRY_S = 0.2
MAX_COMMANDS_UNDER_WAY = 16
_SESSIONS = 65_535
_COUNTED = (
    "frames_accepted", "frames_duplicate", "frames_crc_rejected", "frames_out_of_window", "frames_stale",
    "frames_sent", "resent", "sessions", "peer_errors",
)  # fmt: skip
_NOT_OPENED = "not opened yet"


class Port:
    """lanes: by uid. Only `run`'s thread touches the link; `wake`, `evict` and what has no setter may be used by any."""

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
        self.devices_refused = 0
        """HELLOs that got no session; a refused device says HELLO every few seconds."""
        self._baud = settings.baud
        self._lanes = lanes
        self._states = states
        self._uplink = Uplink(publisher, own_events, self.wake, wake_at=max(1, max_unpublished // 4))
        self._link = Link(Role.HOST, limits=LinkLimits(max_undone=max_unpublished))
        self._counted = (0,) * len(_COUNTED)
        self._session = secrets.randbelow(_SESSIONS)
        self._lane: DeviceLane | None = None
        self._hello: Hello | None = None
        self._problem = _NOT_OPENED
        self._refused: tuple[str, str] | None = None
        self._evicted = False
        self._serial: SerialPort | None = None

    # --- any thread ----------------------------------------------------------------------------------------

    def wake(self) -> None:
        serial = self._serial
        if serial is not None:
            serial.wake()

    def evict(self) -> None:
        """The device turned up at another port."""
        self._evicted = True
        self.wake()

    @property
    def held_messages(self) -> int:
        return self._uplink.held_messages

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
        if self._problem in ("", _NOT_OPENED):  # a change is worth a line, each retry is not
            log.warning("port is not there, trying until it is", port=self.path, reason=reason)
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
            self._uplink.retry_held()
            confirmed = self._uplink.take_confirmed()
            if confirmed:
                self._link.done(confirmed)
            if self._evicted:
                self._leave_to_other_port(now_ms)
            self._send_commands(now_ms)
            self._count()
            out = self._link.data_to_send()
            if out:
                serial.write(out)

    def _wait_s(self) -> float:
        due_ms = self._link.next_timeout_ms
        wait_s = LONGEST_WAIT_S if due_ms is None else (due_ms - _now_ms()) / 1000
        return min(wait_s, HELD_RETRY_S if self._uplink.held_messages else LONGEST_WAIT_S)

    def _leave_to_other_port(self, now_ms: int) -> None:
        self._evicted = False
        log.warning("device is at another port now", port=self.path)
        self._on_events(self._link.end_session(ResetReason.CLOSING, now_ms))

    def _say_goodbye(self, serial: SerialPort) -> None:
        self._on_events(self._link.end_session(ResetReason.CLOSING, _now_ms()))
        with contextlib.suppress(PortLostError):
            serial.write(self._link.data_to_send())

    # --- what the link says --------------------------------------------------------------------------------

    def _on_events(self, events: list[LinkEvent]) -> None:
        for event in events:
            match event:
                case MessageReceived(body):
                    if self._lane is not None and self._hello is not None:
                        self._uplink.pass_on(self._lane, self._hello, body)
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
                    pass  # only `admit` gives it, and `_admit` deals with it

    def _answer(self, hello: Hello) -> None:
        lane = self._lanes.get(hello.uid)
        if lane is None:
            self._refuse(hello, "uid is not in the settings")
        elif hello.protocol != PROTOCOL:
            self._refuse(hello, f"protocol is {hello.protocol}, this bridge speaks {PROTOCOL}")
        elif not is_id(hello.boot_id):
            self._refuse(hello, f"boot id must match {ID_PATTERN}")
        else:
            self._admit(lane, hello)

    def _admit(self, lane: DeviceLane, hello: Hello) -> None:
        self._refused = None
        self._evicted = False
        self._session = self._session % _SESSIONS + 1
        lane.claim(self)
        self._lane, self._hello = lane, hello
        self._uplink.start_session(self._session)
        self._link.admit(self._session, _now_ms())
        lane.up(self)
        log.info("device up", port=self.path, device=lane.device, boot_id=hello.boot_id, kind=hello.kind)
        self._states.set(lane.device, online=True)

    def _refuse(self, hello: Hello, why: str) -> None:
        self._link.refuse(_now_ms())
        self.devices_refused += 1
        if self._refused != (hello.uid, why):
            log.warning("device refused", port=self.path, uid=hello.uid, reason=why)
            sample = f"{hello.kind} {hello.firmware} {hello.hardware} boot {hello.boot_id}".encode()
            self._uplink.report_refusal(f"{self.path} uid {hello.uid}", f"device refused: {why}", sample)
        self._refused = (hello.uid, why)

    def _session_down(self, reason: ResetReason, unacked: int) -> None:
        self._count()
        self._uplink.end_session()
        lane, self._lane = self._lane, None
        if lane is None:
            return
        log.info(
            "device down", port=self.path, device=lane.device, reason=reason.name.lower(), commands=unacked
        )
        if lane.down(self):
            self._states.set(lane.device, online=False)

    # --- commands and counters -----------------------------------------------------------------------------

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
