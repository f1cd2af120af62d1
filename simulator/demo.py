"""`shelfloop demo`: whole shops on this machine, from real receipts to HQ's page, with the books at the end."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import httpx

from runtime.clock import ClockOwner
from runtime.errors import EXIT_BAD_CONFIG, EXIT_FAULT, EXIT_OK
from simulator.catalogue import midnight_ms
from simulator.demo_options import demo_parser
from simulator.orchestrator.bookkeeper import Bookkeeper
from simulator.orchestrator.broker import mosquitto_path
from simulator.orchestrator.centre_admin import CentreAdmin, CentreAdminError
from simulator.orchestrator.chaos import Kill, Reaper, plan_kills
from simulator.orchestrator.conductor import Conductor
from simulator.orchestrator.courier import Courier
from simulator.orchestrator.crew import FIRST_DAY, Crew
from simulator.orchestrator.layout import (
    CENTRAL_NAME,
    MEMBER_APP_NAME,
    REPLENISHER_NAME,
    Layout,
    layout_for,
)
from simulator.orchestrator.ports import port_is_free
from simulator.orchestrator.progress import Figures, Progress
from simulator.orchestrator.quiet import Quiet, StageGroup, StuckError
from simulator.orchestrator.stages import DevicesStage, ProcessStage
from simulator.orchestrator.supervisor import ChildError, ProcessSupervisor
from simulator.report import report_from_books

WATCH_FROM_HOUR_MS = 7 * 3_600_000
OVERVIEW_EVERY_S = 5.0
EXIT_INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """0: done and balanced. 1: a fault, or books that do not balance. 78: an argument that cannot work. 130: interrupted."""
    options = demo_parser().parse_args(argv)
    if options.chaos is not None and options.speed is not None:
        print(
            "demo: --chaos needs --speed max: its kills follow the run's progress, step by step",
            file=sys.stderr,
        )
        return EXIT_BAD_CONFIG
    if options.port is not None and not port_is_free(options.port):
        print(f"demo: --port {options.port} is taken on 127.0.0.1; choose another", file=sys.stderr)
        return EXIT_BAD_CONFIG
    if options.report is not None and not os.access(options.report.parent, os.W_OK):
        print(f"demo: --report {options.report}: name a file in a folder that you may write", file=sys.stderr)
        return EXIT_BAD_CONFIG
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(
            number, _interrupt
        )  # SIGINT too: a shell that starts us in the background has it ignored
    progress = Progress()
    with contextlib.ExitStack() as stack:
        try:
            root = stack.enter_context(_folder(options.keep))
            return _Demo(options, root, progress).run()
        except (ChildError, StuckError, CentreAdminError) as error:
            progress.say(f"demo: {error}")
            return EXIT_FAULT
        except OSError as error:
            progress.say(f"demo: {error}")
            return EXIT_BAD_CONFIG
        except KeyboardInterrupt:
            progress.say("demo: interrupted, everything has ended")
            return EXIT_INTERRUPTED if options.exit else EXIT_OK


class _Demo:
    def __init__(self, options: argparse.Namespace, root: Path, progress: Progress) -> None:
        self._options, self._progress = options, progress
        self._began_s = time.monotonic()
        self._layout: Layout = layout_for(root, options.stores, options.port, watched=not options.exit)
        self._next_overview_s = 0.0
        self._orders = self._offers = self._losses = 0
        self._lag_ms: int | None = None

    def run(self) -> int:
        with ProcessSupervisor() as supervisor:
            mosquitto = None if self._options.broker == "iotcore" else mosquitto_path()
            crew = Crew(self._layout, supervisor, self._progress.say, mosquitto)
            try:
                return self._run_with(supervisor, crew)
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                crew.end()

    def _run_with(self, supervisor: ProcessSupervisor, crew: Crew) -> int:
        options, layout = self._options, self._layout
        goods = crew.begin_goods(options.days)
        clock = ClockOwner(layout.clock_file, midnight_ms(FIRST_DAY))
        admin = crew.start_centre()
        crew.start_hq()
        crew.finish_goods(goods)
        first = next(iter(crew.files.values()))
        crew.tell_the_centre(admin)
        crew.start_outside(options.seed)
        crew.start_shops(options.seed)
        crew.wait_until_up()
        crew.wait_until_told()
        self._announce(crew)
        reaper = Reaper(self._plan(crew), supervisor.kill)
        courier = Courier(crew.status[REPLENISHER_NAME], crew.status[MEMBER_APP_NAME], crew.shops)
        on_wait = supervisor.check
        conductor = Conductor(
            clock=clock, shops=crew.shops, files=crew.files, courier=courier, admin=admin, reaper=reaper,
            quiet=Quiet(self._stages(crew, reaper), on_wait), refresh_members=lambda: crew.put_members(admin),
            on_progress=lambda now_ms: self._show(now_ms, conductor, reaper, admin),
        )  # fmt: skip
        startup_s = time.monotonic() - self._began_s
        if options.speed is None:
            conductor.run_stepped(conductor.end_ms)
        else:
            conductor.run_stepped(first.start_ms + WATCH_FROM_HOUR_MS)
            conductor.run_scaled(conductor.end_ms, options.speed)
        bookkeeper = Bookkeeper(
            layout,
            crew.shops,
            crew.status,
            admin,
            courier,
            reaper.kills,
            crew.files,
            watched=options.speed is not None,
        )
        books = bookkeeper.books(conductor.end_ms, reaper.left)
        report = report_from_books(books) | {
            "kills": reaper.total,
            "kills_by_process": reaper.kills,
            "unordered_deaths": supervisor.deaths,
            "peak_rss_mb": {name: round(kb / 1024, 1) for name, kb in sorted(supervisor.peak_rss_kb.items())},
            "latency_ms": conductor.latencies.summary_ms(),
            "happened": bookkeeper.happened(),
            "days": options.days,
            "stores": options.stores,
            "broker": crew.broker_kind,
            "startup_s": round(startup_s, 1),
            "wall_s": round(time.monotonic() - self._began_s, 1),
        }
        self._hand_in(report)
        if not options.exit:
            self._stay(supervisor)
        return EXIT_OK if report["balanced"] else EXIT_FAULT

    def _plan(self, crew: Crew) -> list[Kill]:
        if self._options.chaos is None:
            return []
        receipts = sum(file.basket_count() for file in crew.files.values())
        return plan_kills(self._options.chaos, receipts, crew.names_by_kind, self._options.kills)

    def _stages(self, crew: Crew, reaper: Reaper) -> list[StageGroup]:
        def processes(*names: str, ticks: bool = True) -> list[ProcessStage]:
            return [ProcessStage(crew.status[name], ticks=ticks) for name in names]

        shops = self._layout.shops
        return [
            StageGroup(
                "till_to_stored", [DevicesStage(link, reaper.on_pending) for link in crew.shops.values()]
            ),
            StageGroup("", processes(*(place.name("bridge") for place in shops), ticks=False)),
            StageGroup("till_to_ledger", processes(*(place.name("edge") for place in shops))),
            StageGroup("till_to_decision", processes(CENTRAL_NAME)),
            StageGroup("till_to_consumer", processes(REPLENISHER_NAME, MEMBER_APP_NAME)),
        ]

    def _announce(self, crew: Crew) -> None:
        url = crew.login_url()
        if crew.broker_kind != "mosquitto":
            self._progress.say(
                "the broker is rumqttd (iotcore), for demos and quick tests only; shops have Mosquitto"
            )
        self._progress.say(
            f"\n    HQ's page: {url}\n\n(the link lets one browser in; Ctrl-C ends everything)"
        )
        if sys.stdout.isatty() and not self._options.no_browser and not self._options.exit:
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(url)

    def _show(self, now_ms: int, conductor: Conductor, reaper: Reaper, admin: CentreAdmin) -> None:
        if time.monotonic() >= self._next_overview_s:
            self._next_overview_s = time.monotonic() + OVERVIEW_EVERY_S
            self._look_at_overview(admin, conductor.start_ms, now_ms)
        tally = conductor.tally
        self._progress.show(
            Figures(
                now_ms=now_ms, receipts=tally.receipts, stock_outs=tally.stock_outs, orders=self._orders, offers=self._offers,
                lag_ms=self._lag_ms, losses=self._losses, kills=reaper.total if self._options.chaos is not None else None,
            )
        )  # fmt: skip

    def _look_at_overview(self, admin: CentreAdmin, from_ms: int, to_ms: int) -> None:
        try:
            overview = admin.get("/v1/overview", from_ms=from_ms, to_ms=to_ms)
        except (CentreAdminError, httpx.HTTPError):
            return  # it may be starting again; the last figures stay
        self._orders = sum(overview["triggers_by_state"].values())
        self._offers = overview["coupons"].get("issued", 0)
        self._losses, self._lag_ms = overview["losses"], overview["lag_ms"]

    def _hand_in(self, report: dict[str, object]) -> None:
        if self._options.report:
            self._options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        self._progress.say(
            f"receipts {report['receipts']}  units {report['units']}  cents {report['cents']}\n"
            f"triggers {report['triggers']}\ncoupons {report['coupons']}  gaps {report['declared_gaps']}  kills {report['kills']}\n"
            f"the books {'balance' if report['balanced'] else 'DO NOT BALANCE'} after {report['wall_s']} s"
        )
        reasons = report["unbalanced"]
        for reason in reasons if isinstance(reasons, list) else []:
            self._progress.say(f"  - {reason}")

    def _stay(self, supervisor: ProcessSupervisor) -> None:
        self._progress.say(f"the run is over; HQ's page stays at {self._layout.hq_url} until Ctrl-C")
        while True:
            supervisor.check()
            time.sleep(0.5)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """`keep`, empty or new, or a folder that is gone afterwards. Raises OSError when `keep` holds something already."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise OSError(f"--keep {keep} is not empty; give a new folder")
        yield keep.resolve()
        return
    root = Path(tempfile.mkdtemp(prefix="shelfloop-demo-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
