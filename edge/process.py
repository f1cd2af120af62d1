"""Puts a gateway together and keeps it running."""

import errno
import importlib.metadata
import queue
import time
from pathlib import Path

from pydantic import ValidationError

from contract.topics import ALL_DEVICE_STREAMS
from edge.acknowledge import act_of
from edge.alert_desk import AlertDesk
from edge.core.step import EdgeCore
from edge.errors import DiskError
from edge.folder_lock import hold_folder
from edge.gather import Gathering
from edge.inference import models_from_settings
from edge.intake import IntakeLink
from edge.loop import MAX_BATCH, EdgeLoop
from edge.self_state import SelfState
from edge.settings import EdgeSettings
from edge.shop_clock import ShopClock
from edge.staging.model_stage import ModelStage, open_stage
from edge.state_watch import StateWatch
from edge.status_pages import pages_of
from edge.status_report import StatusReport
from edge.store import EdgeStore
from edge.store_file import open_store
from edge.transport import CentralTransport
from edge.uplink import FromUplink, Uplink
from models.bundle import DEMO_PUBLIC_KEY
from runtime.clock import Clock, SharedClock, clock_from_setting
from runtime.errors import EXIT_OK, OperatorError
from runtime.heap import use_one_heap
from runtime.logs import Log, start_logging
from runtime.mqtt_link import BrokerAddress, MqttLink
from runtime.settings import secret_from_file
from runtime.status import StatusServer
from runtime.supervise import Supervisor
from runtime.systemd_notify import ServiceNotifier

log = Log("edge")

IDLE_WAIT_S = 0.05
SIMULATED_WAIT_S, SIMULATED_SLICE_S = 0.008, 0.002
"""A simulation waits for every process to see each step of its clock."""
HEALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Of a disk: room or time may heal it."""
IN_FLIGHT = 3 * MAX_BATCH
"""Messages that may be unacknowledged: one batch at the disk, the next ones on their way."""
LOOK_S = 1.0
"""How often states are compared with what they were, for the log and for `systemctl status`."""


def version() -> str:
    try:
        return importlib.metadata.version("shelfloop")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def broker_address(settings: EdgeSettings) -> BrokerAddress:
    return BrokerAddress(
        host=settings.broker_host,
        port=settings.broker_port,
        protocol=settings.broker_protocol,
        username=settings.broker_username,
        password=secret_from_file(settings.broker_password_file, "broker_password_file"),
        tls_ca_file=settings.tls_ca_file,
    )


def transport_from(settings: EdgeSettings) -> CentralTransport | None:
    """None when the shop works alone."""
    if not settings.central_url:
        return None
    if not settings.key_file:
        raise OperatorError(
            "key_file: is missing; `shelfloop central gateway add --key-file FILE` writes one for this gateway"
        )
    key = secret_from_file(settings.key_file, "key_file")
    return CentralTransport(settings.central_url, settings.gateway, key, settings.central_ca_file)


def core_from_store(settings: EdgeSettings, store: EdgeStore) -> EdgeCore:
    core = EdgeCore(window_ms=settings.window_ms, version=version())
    try:
        core.restore(store.state_rows())
    except (ValidationError, ValueError) as error:
        raise OperatorError(
            f"{store.path}: its state cannot be read by this version: {error}; install the version that wrote it"
        ) from None
    return core


def stage_from_settings(settings: EdgeSettings) -> ModelStage:
    """The bundles of the gateway, opened. Raises OperatorError when their folder cannot be used."""
    installed = models_from_settings(settings.bundle_dir, settings.bundle_public_key_file)
    key = Path(settings.bundle_public_key_file) if settings.bundle_public_key_file else DEMO_PUBLIC_KEY
    try:
        return open_stage(Path(settings.state_dir), installed, key)
    except OSError as error:
        what = f"state_dir {settings.state_dir}: bundles: {error.strerror}"
        if error.errno in HEALS:
            raise DiskError(f"{what}; free room, the gateway starts again by itself") from None
        raise OperatorError(f"{what}; make it writable for this user") from None


def check_gateway(settings: EdgeSettings) -> list[str]:
    """What was found, line by line. Raises OperatorError for what would stop the start."""
    broker_address(settings)
    transport_from(settings)
    clock = clock_from_setting(settings.clock_file)
    models = models_from_settings(settings.bundle_dir, settings.bundle_public_key_file)
    store = open_store(Path(settings.state_dir), clock.now_ms())
    try:
        core_from_store(settings, store)
        waiting = store.streams.waiting()
    finally:
        store.close()
    return [
        f"settings: good (gateway {settings.gateway} of store {settings.store})",
        f"models: {models.name}" + (f"; {models.doubt}" if models.doubt else ""),
        f"database: {store.path}, {waiting} records wait for the centre",
        f"centre: {settings.central_url or 'none; the shop works alone'}",
    ]


def run_gateway(settings: EdgeSettings) -> int:
    """Runs until a signal ends it. Raises OperatorError when a setting is bad; nothing has started then."""
    start_logging(settings.log_level)
    use_one_heap()
    clock = clock_from_setting(settings.clock_file)
    if not isinstance(clock, SharedClock):
        clock = ShopClock(clock)
    transport = transport_from(settings)
    address = broker_address(settings)
    hold_folder(Path(settings.state_dir))
    stage = stage_from_settings(settings)
    store = open_store(Path(settings.state_dir), clock.now_ms())
    core = core_from_store(settings, store)
    supervisor = Supervisor()
    supervisor.stop_on_signals()
    is_stopping = supervisor.stop.is_set
    # Our session's backlog is the broker's to keep; the in-flight window must hold more than a commit's batch.
    intake = IntakeLink(
        address, f"shelfloop-edge-{settings.gateway}", ALL_DEVICE_STREAMS, receive_maximum=IN_FLIGHT
    )
    commands = MqttLink(address, f"shelfloop-edge-{settings.gateway}-commands", persistent=False)
    loop_holder: list[EdgeLoop] = []
    notifier = ServiceNotifier()
    uplink = None
    if transport is not None:
        uplink = Uplink(
            transport, store.streams, store.path, clock, lambda: loop_holder[0].have,
            gateway=settings.gateway, store=settings.store, linger_s=settings.uplink_linger_ms / 1000,
            poll_interval_s=settings.poll_interval_s, is_stopping=is_stopping,
        )  # fmt: skip
    from_uplink: queue.Queue[FromUplink] = uplink.inbox if uplink else queue.Queue(100)
    loop = EdgeLoop(
        core, store, stage, clock, intake.inbox, from_uplink, uplink.status if uplink else None,
        lambda topic, payload: _publish(commands, topic, payload), intake.ack,
        gathering=_gathering(settings, clock),
        idle_wait_s=SIMULATED_WAIT_S if isinstance(clock, SharedClock) else IDLE_WAIT_S,
        outbox_max_bytes=settings.outbox_max_bytes,
        is_stopping=is_stopping, on_progress=notifier.progress,
    )  # fmt: skip
    loop_holder.append(loop)
    started_s = time.monotonic()
    if uplink is not None:
        uplink.tells = SelfState(settings, store, loop, intake.inbox.qsize, started_s)
    report = StatusReport(settings, core, store, loop, intake, uplink, clock, notifier, version(), started_s)
    acts = act_of(AlertDesk(core, from_uplink))
    server = StatusServer(settings.status_port, report.short, settings.status_host, pages_of(report), acts)
    log.info(
        "gateway starts", gateway=settings.gateway, epoch=store.streams.live.epoch, models=stage.models.name,
        status_port=server.port, waiting=store.streams.waiting(),
    )  # fmt: skip
    if stage.models.doubt:
        log.warning("the baseline forecasts", reason=stage.models.doubt)
    supervisor.start("loop", loop.run)
    if uplink is not None:
        supervisor.start("uplink", uplink.run)
    supervisor.start("intake", intake.run)
    supervisor.start("commands", commands.run)
    supervisor.start("status", server.serve)
    watch = StateWatch(report, notifier)
    while not supervisor.stop.wait(LOOK_S):
        watch.look()
    notifier.stopping()
    # What was taken in is committed and acknowledged before the connections go.
    loop.ended.wait(5.0)
    intake.close()
    commands.close()
    store.streams.news.set()
    server.close()
    supervisor.join(5.0)
    store.close()
    log.info("gateway ended")
    return EXIT_OK


def _gathering(settings: EdgeSettings, clock: Clock) -> Gathering:
    linger_s, idle_linger_s = settings.commit_linger_ms / 1000, settings.commit_idle_linger_ms / 1000
    if isinstance(clock, SharedClock):
        return Gathering(linger_s, linger_s, SIMULATED_SLICE_S, is_eager=True)
    return Gathering(linger_s, max(linger_s, idle_linger_s))


def _publish(link: MqttLink, topic: str, payload: bytes) -> None:
    try:
        link.publish(topic, payload)
    except queue.Full:
        # `stored` comes again with the next event or resend, a price with its next try.
        log.warning("too many commands wait for the broker", topic=topic)
