"""The bridge: ports on one side, the broker on the other, and no state of its own that matters."""

import contextlib
import queue
import time
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from contract.errors import MalformedMessageError
from contract.topics import STATE, all_commands_topic, command_from_text, stream_topic
from firmware_bridge.core.dialects import Command, message_from_command
from firmware_bridge.device_lane import DeviceLane, PendingCommand, replaced_by
from firmware_bridge.discovery import watch
from firmware_bridge.own_events import OwnEvents
from firmware_bridge.port import Port
from firmware_bridge.publisher import Publisher
from firmware_bridge.settings import BridgeSettings, PortSettings
from firmware_bridge.state_board import OFFLINE, StateBoard
from runtime.clock import Clock, clock_from_setting
from runtime.errors import OperatorError
from runtime.logs import Log, printable
from runtime.mqtt_link import BrokerAddress, MqttLink, MqttMessage, Will
from runtime.settings import secret_from_file
from runtime.status import StatusServer
from runtime.supervise import Supervisor
from runtime.systemd_notify import ServiceNotifier

log = Log("firmware_bridge.bridge")

ROUTE_WAIT_S = 0.5
GOODBYE_S = 2.0
INBOX_SIZE = 1000
HEARTBEAT_LOOK_S = 0.25
HEARTBEAT_MS = 3_600_000
"""Business time after which a heartbeat is due, whatever the real clock says."""


class Bridge:
    """Call `run` from the main thread. Raises OperatorError while it is made when a setting cannot work."""

    def __init__(self, settings: BridgeSettings) -> None:
        self._settings = settings
        self._clock: Clock = clock_from_setting(settings.clock_file)
        self._supervisor = Supervisor()
        self._publisher = Publisher()
        self._own_events = OwnEvents(settings.bridge, self._clock, self._publisher)
        state_dir = state_dir_from_setting(settings.state_dir)
        self._lanes = {uid: DeviceLane(device, state_dir) for uid, device in settings.devices.items()}
        self._lane_by_device = {lane.device: lane for lane in self._lanes.values()}
        self._ports: list[Port] = []
        self._commands_rejected = 0
        self._states = StateBoard(self._publisher, [settings.bridge, *self._lane_by_device])
        self._mqtt = MqttLink(
            broker_from_settings(settings),
            client_id=f"shelfloop-{settings.bridge}",
            subscriptions=[all_commands_topic(device) for device in self._lane_by_device],
            will=Will(stream_topic(settings.bridge, STATE), OFFLINE),
            inbox_size=INBOX_SIZE,
            on_connected=self._states.publish_all,
            on_published=self._publisher.confirmed,
        )
        self._publisher.attach(self._mqtt)
        self._status_server = StatusServer(settings.status_port, self.status)

    @property
    def status_port(self) -> int:
        return self._status_server.port

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then says goodbye to devices and broker."""
        stop = self._supervisor.stop
        self._supervisor.stop_on_signals()
        last_s, last_ms = time.monotonic(), self._clock.now_ms()
        self._own_events.birth(version_text())
        self._states.set(self._settings.bridge, online=True)
        self._supervisor.start("mqtt", self._mqtt.run)
        self._supervisor.start("commands", self._route_commands)
        self._supervisor.start("status", self._status_server.serve)
        self._supervisor.start("discovery", lambda: watch(self._settings.ports, self._start_port, stop))
        log.info("bridge started", bridge=self._settings.bridge, status_port=self.status_port)
        notifier = ServiceNotifier()
        notifier.progress()
        while not stop.wait(HEARTBEAT_LOOK_S):
            self._states.publish_rest()
            notifier.progress()
            # Both clocks count: a simulation's hours pass in seconds, and silence for hours means something.
            now_s, now_ms = time.monotonic(), self._clock.now_ms()
            if now_s - last_s < self._settings.heartbeat_s and now_ms - last_ms < HEARTBEAT_MS:
                continue
            last_s, last_ms = now_s, now_ms
            with contextlib.suppress(
                queue.Full
            ):  # heartbeats are the first to yield; the next one says it all
                # A gateway that met the broker after our start has not heard what we are: nobody keeps a birth for it.
                self._own_events.birth(version_text())
                self._own_events.heartbeat(self._heartbeat_counters())
        notifier.stopping()
        self._say_goodbye()

    def status(self) -> dict[str, object]:
        """backlog: messages not yet confirmed by the broker, and commands not yet acknowledged by devices that are here."""
        ports = list(self._ports)
        lanes = self._lane_by_device
        problems = [f"port {port.path}: {port.problem}" for port in ports if port.problem]
        if not self._mqtt.connected.is_set():
            problems.insert(0, f"no broker at {self._settings.broker_host}:{self._settings.broker_port}")
        return {
            "backlog": self._publisher.unconfirmed
            + sum(port.held_messages for port in ports)
            + self._mqtt.inbox.unfinished_tasks
            + sum(lane.outstanding_commands for lane in lanes.values()),
            "now_ms": self._clock.now_ms(),
            "bridge": self._settings.bridge,
            "version": version_text(),
            "broker_connected": self._mqtt.connected.is_set(),
            "problems": problems,
            "unpublished": self._publisher.unconfirmed,
            "commands_rejected": self._commands_rejected,
            "devices_refused": sum(port.devices_refused for port in ports),
            "counters": dict(self._totals()),
            "devices": {
                device: {
                    "state": "online" if lane.online else "offline",
                    "commands_waiting": lane.waiting_commands,
                    "counters": lane.counters(),
                }
                for device, lane in lanes.items()
            },
            "ports": {port.path: port.status() for port in ports},
        }

    def _start_port(self, settings: PortSettings) -> None:
        port = Port(
            settings,
            self._lanes,
            self._publisher,
            self._own_events,
            self._states,
            self._settings.max_unpublished,
        )
        self._ports.append(port)
        self._supervisor.start(f"port {settings.path}", lambda: port.run(self._supervisor.stop))

    def _route_commands(self) -> None:
        while not self._supervisor.stop.is_set():
            try:
                message = self._mqtt.inbox.get(timeout=ROUTE_WAIT_S)
            except queue.Empty:
                continue
            self._route(message)
            self._mqtt.inbox.task_done()

    def _route(self, message: MqttMessage) -> None:
        try:
            device, name = command_from_text(message.topic)
            lane = self._lane_of(device)
            body = message_from_command(Command(name, message.payload))
        except MalformedMessageError as error:
            self._commands_rejected += 1
            log.warning("command rejected", topic=printable(message.topic), reason=str(error))
            message.ack()
            return
        lane.offer(PendingCommand(name, body, replaced_by(name, message.payload), message.ack))

    def _lane_of(self, device: str) -> DeviceLane:
        lane = self._lane_by_device.get(device)
        if lane is None:
            raise MalformedMessageError(f"command for {device}", "this bridge does not serve the device")
        return lane

    def _heartbeat_counters(self) -> dict[str, int]:
        """Totals, then each device's own: names of the contract have hyphens."""
        counters = {name.replace("_", "-"): value for name, value in self._totals().items()}
        counters["commands-rejected"] = self._commands_rejected
        counters["devices-refused"] = sum(port.devices_refused for port in self._ports)
        for device, lane in self._lane_by_device.items():
            counters |= {
                f"{device}-{name.replace('_', '-')}": value for name, value in lane.counters().items()
            }
        return counters

    def _totals(self) -> Counter[str]:
        totals: Counter[str] = Counter()
        for lane in self._lane_by_device.values():
            totals.update(lane.counters())
        return totals

    def _say_goodbye(self) -> None:
        """Devices hear that we go; the broker keeps `offline` of each; what is under way gets a moment."""
        for port in self._ports:
            port.wake()
        deadline_s = time.monotonic() + GOODBYE_S
        self._states.set(self._settings.bridge, online=False)
        while time.monotonic() < deadline_s and self._mqtt.connected.is_set():
            if not self._publisher.unconfirmed and not any(
                lane.online for lane in self._lane_by_device.values()
            ):
                break
            time.sleep(0.02)
        self._mqtt.close()
        self._status_server.close()
        self._supervisor.join(timeout_s=1.0)
        log.info("bridge stopped", bridge=self._settings.bridge)


def broker_from_settings(settings: BridgeSettings) -> BrokerAddress:
    """Raises OperatorError when the password's file is not readable."""
    return BrokerAddress(
        host=settings.broker_host,
        port=settings.broker_port,
        protocol=settings.broker_protocol,
        username=settings.broker_username,
        password=secret_from_file(settings.broker_password_file, "broker_password_file"),
        tls_ca_file=settings.tls_ca_file,
    )


def state_dir_from_setting(text: str) -> Path:
    """The folder, made when absent. Raises OperatorError when it cannot be written to."""
    path = Path(text).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / ".writable").touch()
        (path / ".writable").unlink()
    except OSError as error:
        raise OperatorError(
            f"state_dir {path}: {error.strerror}; choose a folder that this user can write to"
        ) from None
    return path


def version_text() -> str:
    try:
        return version("shelfloop")
    except PackageNotFoundError:
        return "unknown"
