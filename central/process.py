"""The centre as a process: writer, dispatcher, status page and web server, each in a supervised thread."""

import gc
import logging
import socket
from collections import Counter
from collections.abc import Callable

import uvicorn

from central.api.app import make_app
from central.api.overview import own_version
from central.auth import Authority
from central.centre import Centre
from central.context import CHAIN
from central.dispatch import Dispatcher
from central.kept_calendars import adopt_calendars
from central.ledger.agreement import listen
from central.ledger.engine import Ledger
from central.ledger.gateway_views import gateway_views
from central.ledger.running import running_on
from central.ledger.writer import Transaction
from central.mqtt_events import EventPublisher, link_of
from central.packing import Packing
from central.retention import Retention
from central.settings import CentralSettings
from central.settings_audit import note_settings
from central.timeseries.projection import Projection
from central.timeseries.server import prepare_server, server_store
from central.transferring import Transfers
from runtime.clock import clock_from_setting
from runtime.errors import EXIT_OK, OperatorError
from runtime.heap import keep_what_is_loaded, use_one_heap
from runtime.logs import Log, start_logging
from runtime.status import Page, StatusServer
from runtime.supervise import Supervisor
from runtime.systemd_notify import ServiceNotifier

log = Log("central")

STOP_WAIT_S = 10
STALLED_AFTER_S = 30.0
YOUNG_OBJECTS = 50_000
"""New objects before the collector of cycles looks at them: a batch makes some thousand, and next to none in cycles."""


def run_centre(settings: CentralSettings) -> int:
    """Runs until SIGTERM or SIGINT. Raises OperatorError when a port, the ledger or the clock file is not usable."""
    ledger = Ledger(settings.url)
    ledger.wait_until_up()
    ledger.require()
    with running_on(ledger):
        return _run(settings, ledger)


def _run(settings: CentralSettings, ledger: Ledger) -> int:
    use_one_heap()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    start_logging(settings.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    clock = clock_from_setting(settings.clock_file)
    supervisor = Supervisor()
    centre = Centre(ledger, settings, clock)
    centre.stop = supervisor.stop
    dispatcher = centre.dispatcher = Dispatcher(centre)
    listener = _listener(settings)
    notifier = ServiceNotifier()
    centre.writer.tick = _then(centre.writer.tick, notifier.progress)
    centre.problems = lambda: _problems(centre, notifier)
    status = StatusServer(
        settings.status_port,
        lambda: status_of(centre, notifier),
        pages={"/metrics": lambda: _metrics_of(centre, notifier)},
    )
    app = make_app(centre, Authority(ledger))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", timeout_keep_alive=75, server_header=False,
        limit_concurrency=500, backlog=256, timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = uvicorn.Server(config)  # in a thread of its own, so signals stay the supervisor's
    keep_what_is_loaded()
    supervisor.stop_on_signals()
    supervisor.start("writer", centre.run)
    centre.writer.submit(centre.store_job(CHAIN, note_settings))
    centre.writer.submit(centre.store_job(CHAIN, adopt_calendars))
    supervisor.start("dispatch", dispatcher.run)
    supervisor.start("rounds", lambda: centre.rounds.run(supervisor.stop))
    if settings.transfer_interval_min:
        transfers = Transfers(centre)
        supervisor.start("transfers", lambda: transfers.run(supervisor.stop))
    retention = Retention(centre)
    supervisor.start("retention", lambda: retention.run(supervisor.stop))
    packing = Packing(centre)
    supervisor.start("packing", lambda: packing.run(supervisor.stop))
    if ledger.is_shared:
        supervisor.start("news", lambda: listen(ledger, centre.placed, supervisor.stop))
    supervisor.start("status", status.serve)
    if settings.mqtt_host:
        events = EventPublisher(centre, link_of(settings))
        supervisor.start("mqtt", events.link.run)
        supervisor.start("events", lambda: events.run(supervisor.stop))
    if settings.influx_url:
        series = _projection(centre)
        supervisor.start("series", lambda: series.run(supervisor.stop))
    supervisor.start("web", lambda: server.run(sockets=[listener]))
    host, port = listener.getsockname()[:2]
    log.info("centre is up", url=f"http://{host}:{port}", status_port=status.port)
    supervisor.stop.wait()
    notifier.stopping()
    server.should_exit = True
    dispatcher.refresh()
    status.close()
    if settings.mqtt_host:
        events.close()
    supervisor.join(STOP_WAIT_S)
    ledger.close()
    log.info("centre has stopped")
    return EXIT_OK


def _projection(centre: Centre) -> Projection:
    """To the server of the settings. Raises OperatorError when half of them are missing."""
    settings = centre.settings
    if not settings.influx_bucket:
        raise OperatorError("influx_bucket is missing; influx_url needs it (v1 servers: the database's name)")
    token = settings.influx_token.get_secret_value()
    kind, url, bucket = settings.influx_server, settings.influx_url, settings.influx_bucket
    store = server_store(kind, url, token, settings.influx_org, bucket)
    return Projection(
        centre.ledger, centre.writer, store, f"{kind} {url} {bucket}", centre.count, settings.watch_skus,
        prepare=lambda: prepare_server(kind, url, token, bucket),
    )  # fmt: skip


def _then(tick: Callable[[Transaction], object], done: Callable[[], None]) -> Callable[[Transaction], object]:
    """`tick`, and after it `done`: the thread that owns the ledger says itself that it goes on."""

    def both(transaction: Transaction) -> object:
        found = tick(transaction)
        done()
        return found

    return both


def _metrics_of(centre: Centre, notifier: ServiceNotifier) -> Page:
    from central.metrics import metrics_from  # noqa: PLC0415 - only where somebody asks

    return Page(
        "text/plain; version=0.0.4; charset=utf-8",
        metrics_from(status_of(centre, notifier), own_version(), _signs_of(centre)),
    )


def _signs_of(centre: Centre) -> dict[str, int]:
    """Gateways by what is out of order there; of this process's look, which is half a minute old for other workers'."""
    with centre.ledger.read.connect() as connection:
        views = gateway_views(connection, now_ms=centre.clock.now_ms(), look=centre.look_at_gateways())
    return Counter(sign.code for view in views for sign in view.signs)


def status_of(centre: Centre, notifier: ServiceNotifier) -> dict[str, object]:
    """For GET /status. backlog: events not yet placed or delivered, and requests that wait for the ledger."""
    # The time first: what a tick brought is in the backlog before its time is told.
    now_ms = centre.writer.ticked_ms
    backlog = centre.waiting_events() + centre.writer.queued + centre.rounds.waiting
    if centre.clock.now_ms() != now_ms:
        centre.writer.poke()
    return {
        "backlog": backlog,
        "now_ms": now_ms,
        "counters": {
            **centre.counters,
            "commits": centre.writer.commits_total,
            "failed_jobs": centre.writer.failed_jobs_total,
        },
        "problems": _problems(centre, notifier),
    }


def _problems(centre: Centre, notifier: ServiceNotifier) -> list[str]:
    """A simulation's clock may stand: then nothing has to go on."""
    silent_s = notifier.silent_s()
    if centre.settings.clock_file or silent_s < STALLED_AFTER_S:
        return []
    return [f"the ledger has worked nothing off for {silent_s:.0f} s: its disk or database may hang"]


def _listener(settings: CentralSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        raise OperatorError(
            f"host {settings.host}, port {settings.port}: {error.strerror}; choose a free port and an address of this machine"
        ) from None
    return listener
