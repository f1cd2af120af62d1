"""Puts a gateway together and keeps it running."""

import importlib.metadata
import queue
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from contract.topics import ALL_DEVICE_STREAMS
from edge.core.step import EdgeCore
from edge.folder_lock import hold_folder
from edge.inference import models_from_settings
from edge.loop import EdgeLoop
from edge.settings import EdgeSettings
from edge.store import EdgeStore
from edge.store_file import open_store
from edge.transport import CentralTransport
from edge.uplink import FromUplink, Uplink
from runtime.clock import SharedClock, clock_from_setting
from runtime.errors import EXIT_OK, OperatorError
from runtime.heap import use_one_heap
from runtime.logs import Log, start_logging
from runtime.mqtt_link import BrokerAddress, MqttLink
from runtime.settings import secret_from_file
from runtime.status import StatusServer
from runtime.supervise import Supervisor

log = Log("edge")

IDLE_WAIT_S = 0.05
SIMULATED_WAIT_S = 0.008
"""A simulation waits for every process to see each step of its clock."""
UNSET_CLOCK_MS = 1_262_304_000_000
"""2010: a clock before it was never set (a Raspberry Pi without network time starts in 1970)."""


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
    transport = transport_from(settings)
    address = broker_address(settings)
    hold_folder(Path(settings.state_dir))
    models = models_from_settings(settings.bundle_dir, settings.bundle_public_key_file)
    store = open_store(Path(settings.state_dir), clock.now_ms())
    core = core_from_store(settings, store)
    supervisor = Supervisor()
    supervisor.stop_on_signals()
    is_stopping = supervisor.stop.is_set
    # Our session's backlog is the broker's to keep; the in-flight window must hold a commit's batch.
    link = MqttLink(address, f"shelfloop-edge-{settings.gateway}", [ALL_DEVICE_STREAMS], inbox_size=1000)
    loop_holder: list[EdgeLoop] = []
    uplink = None
    if transport is not None:
        uplink = Uplink(
            transport, store.streams, store.path, clock, lambda: loop_holder[0].have,
            gateway=settings.gateway, store=settings.store, linger_s=settings.uplink_linger_ms / 1000,
            poll_interval_s=settings.poll_interval_s, is_stopping=is_stopping,
        )  # fmt: skip
    from_uplink: queue.Queue[FromUplink] = uplink.inbox if uplink else queue.Queue(1)
    loop = EdgeLoop(
        core, store, models, clock, link.inbox, from_uplink, uplink.status if uplink else None,
        lambda topic, payload: _publish(link, topic, payload),
        linger_s=settings.commit_linger_ms / 1000,
        idle_wait_s=SIMULATED_WAIT_S if isinstance(clock, SharedClock) else IDLE_WAIT_S,
        outbox_max_bytes=settings.outbox_max_bytes,
        is_stopping=is_stopping,
    )  # fmt: skip
    loop_holder.append(loop)

    def status() -> Mapping[str, object]:
        return _status(settings, core, store, loop, link, uplink, clock.now_ms())

    server = StatusServer(settings.status_port, status)
    log.info(
        "gateway starts", gateway=settings.gateway, epoch=store.streams.live.epoch, models=models.name,
        status_port=server.port, waiting=store.streams.waiting(),
    )  # fmt: skip
    if models.doubt:
        log.warning("the baseline forecasts", reason=models.doubt)
    supervisor.start("loop", loop.run)
    if uplink is not None:
        supervisor.start("uplink", uplink.run)
    supervisor.start("mqtt", link.run)
    supervisor.start("status", server.serve)
    while not supervisor.stop.wait(1.0):
        pass
    # Inputs first, outputs last: what was taken in is committed before the end.
    link.close()
    store.streams.news.set()
    server.close()
    supervisor.join(5.0)
    store.close()
    log.info("gateway ended")
    return EXIT_OK


def _publish(link: MqttLink, topic: str, payload: bytes) -> None:
    try:
        link.publish(topic, payload)
    except queue.Full:
        # `stored` comes again with the next event or resend, a price with its next try.
        log.warning("too many commands wait for the broker", topic=topic)


def _status(
    settings: EdgeSettings,
    core: EdgeCore,
    store: EdgeStore,
    loop: EdgeLoop,
    link: MqttLink,
    uplink: Uplink | None,
    now_ms: int,
) -> Mapping[str, object]:
    waiting = store.streams.waiting() if uplink else 0
    pending = 0
    if uplink is not None:
        handed, applied = uplink.status.documents_handed, uplink.status.documents_applied
        pending = max(0, handed - applied) + uplink.inbox.qsize()
    problems = []
    if not link.connected.is_set():
        problems.append(f"no connection to the broker {settings.broker_host}:{settings.broker_port}")
    if uplink is not None and uplink.status.problem:
        problems.append(uplink.status.problem)
    if loop.disk_problem:
        problems.append(loop.disk_problem)
    if now_ms < UNSET_CLOCK_MS:
        problems.append("the clock was never set; give the gateway network time or a clock of its own")
    ticked_ms = loop.ticked_ms
    return {
        "backlog": link.inbox.qsize() + loop.uncommitted + waiting + pending + loop.pending_jobs,
        "now_ms": ticked_ms,
        "gateway": settings.gateway,
        "epoch": store.streams.live.epoch,
        "outbox_rows": store.streams.waiting(),
        "outbox_bytes": store.outbox_bytes,
        "quarantine_rows": store.quarantine_rows(),
        "documents": loop.have,
        "bundle": loop.bundle,
        "uplink": _uplink_status(uplink),
        "devices": {
            device: {
                "kind": row.kind,
                "online": row.online,
                "last_heard_ms": row.last_heard_ms,
                "accepted": row.accepted,
                "duplicates": row.duplicates,
                "rejected": row.rejected,
            }
            for device, row in list(core.state.devices.rows.by_key.items())
        },
        "counters": {**core.state.tally.counters, "commits_total": loop.commits},
        "problems": problems,
    }


def _uplink_status(uplink: Uplink | None) -> Mapping[str, object] | None:
    if uplink is None:
        return None
    status = uplink.status
    return {
        "is_up": status.is_up,
        "batches": status.batches,
        "rows": status.rows,
        "resent_batches": status.resent,
        "failures": status.failures,
        "silent_s": round(time.monotonic() - status.last_ok_monotonic_s, 1),
    }
