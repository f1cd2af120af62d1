"""Everybody who works in a demo, started in order: what a process needs is up before it."""

import json
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from simulator.catalogue import DAY_MS, HOUR_MS, ShopFile
from simulator.orchestrator.broker import Broker, broker_for
from simulator.orchestrator.centre_admin import CentreAdmin
from simulator.orchestrator.chain_setup import (
    managed_items,
    put_calendars,
    put_campaigns,
    put_members,
    put_suppliers,
    set_up_store,
)
from simulator.orchestrator.layout import (
    CENTRAL_NAME,
    HQ_NAME,
    MEMBER_APP_NAME,
    REPLENISHER_NAME,
    Layout,
    ShopPlace,
)
from simulator.orchestrator.settings_files import (
    bridge_settings,
    central_settings,
    edge_settings,
    hq_settings,
    write_settings,
)
from simulator.orchestrator.shop_link import ShopLink
from simulator.orchestrator.status_client import StatusClient
from simulator.orchestrator.supervisor import ChildError, ProcessSpec, ProcessSupervisor

DOCUMENTS_TO_OPEN = frozenset({"store", "items", "planogram", "prices", "supply", "history"})
FIRST_DAY = date(2017, 9, 4)
"""A Monday, after the part of the year that trained the models."""
SCOPES = ("admin", "system", "member-app")
VISITOR = "demo"
"""Who looks at HQ's pages."""
LINK_MINUTES = 1440
START_LIMIT_S = 90.0
SHORT_SHIPMENT = {"nth": 2, "missing_units": 2}


class Crew:
    """Says in `say` what it does. Raises ChildError when somebody does not come up."""

    def __init__(
        self, layout: Layout, supervisor: ProcessSupervisor, say: Callable[[str], None], mosquitto: str | None
    ) -> None:
        self.layout, self._supervisor, self._say, self._mosquitto = layout, supervisor, say, mosquitto
        self.files: dict[str, ShopFile] = {}
        self.shops: dict[str, ShopLink] = {}
        self.status: dict[str, StatusClient] = {}
        self.names_by_kind: dict[str, list[str]] = {}
        self.broker_kind = ""

    def begin_goods(self, days: int) -> ProcessSpec:
        """Makes the shops' files from the receipts, in a process of its own: it needs memory only once."""
        self._say("choosing baskets and best sellers from the receipts")
        goods = self.layout.root / "goods"
        shops = str(len(self.layout.shops))
        spec = self._spec(
            "journey",
            "simulator.journey",
            "--out",
            str(goods),
            "--shops",
            shops,
            "--days",
            str(days),
            "--first-day",
            FIRST_DAY.isoformat(),
        )
        self._supervisor.begin(spec)
        return spec

    def finish_goods(self, spec: ProcessSpec) -> None:
        self._supervisor.finish(spec)
        self.files = {place.store: ShopFile(place.file) for place in self.layout.shops}

    def start_centre(self) -> CentreAdmin:
        layout = self.layout
        config = write_settings(layout.root / "central.toml", central_settings(layout))
        self._say("starting the centre")
        self._central_command("init", "--config", str(config))
        for scope in SCOPES:
            path = str(layout.token_file(scope))
            self._central_command(
                "token", "create", "--config", str(config), "--scope", scope, "--name", f"demo-{scope}", "--token-file", path
            )  # fmt: skip
        self._central_command(
            "person", "add", "--config", str(config), "--name", VISITOR, "--role", "hq", "--by-link", str(layout.link_file),
            "--minutes", str(LINK_MINUTES),
        )  # fmt: skip
        for place in layout.shops:
            self._central_command(
                "gateway", "add", "--config", str(config), "--store", place.store, "--gateway", place.gateway,
                "--key-file", str(place.key_file),
            )  # fmt: skip
        self._start(CENTRAL_NAME, "central", "run", "--config", str(config))
        self._watch(CENTRAL_NAME, CENTRAL_NAME, layout.central_status_port)
        return CentreAdmin(layout.central_url, layout.token_file("admin").read_text(encoding="utf-8").strip())

    def login_url(self) -> str:
        """HQ's page with the code that lets one browser in, once."""
        return f"{self.layout.hq_url}login?link={self.layout.link_file.read_text(encoding='utf-8').strip()}"

    def start_hq(self) -> None:
        config = write_settings(self.layout.root / "hq.toml", hq_settings(self.layout))
        self._start(HQ_NAME, "hq", "run", "--config", str(config))

    def tell_the_centre(self, admin: CentreAdmin) -> None:
        self._say("telling the centre about shops, goods, prices and members")
        put_suppliers(admin, next(iter(self.files.values())).timezone)
        for number, place in enumerate(self.layout.shops):
            set_up_store(admin, self.files[place.store], number)
        put_calendars(admin, self.files.values())
        first = next(iter(self.files.values()))
        put_campaigns(admin, first.start_ms, first.end_ms)
        self.put_members(admin)

    def put_members(self, admin: CentreAdmin) -> None:
        for number, place in enumerate(self.layout.shops):
            put_members(admin, self.files[place.store], number)

    def start_outside(self, seed: int) -> None:
        layout = self.layout
        plan = layout.root / "replenisher-plan.json"
        plan.write_text(json.dumps(self._plan_of_people(seed)), encoding="utf-8")
        for name, module, scope, port, more in (
            (
                REPLENISHER_NAME,
                "simulator.outside.replenisher",
                "system",
                layout.replenisher_port,
                ("--plan", str(plan)),
            ),
            (MEMBER_APP_NAME, "simulator.outside.member_app", "member-app", layout.member_app_port, ()),
        ):
            self._start(
                name, module, "--centre", layout.central_url, "--token-file", str(layout.token_file(scope)),
                "--dir", str(layout.folder(name)), "--port", str(port), "--clock-file", str(layout.clock_file), *more,
            )  # fmt: skip
            self._watch("consumer", name, port)

    def start_shops(self, seed: int) -> None:
        self._say("opening the shops: brokers, devices, bridges, gateways")
        brokers = {place.store: self._start_broker(place) for place in self.layout.shops}
        for place in self.layout.shops:
            self._start_shop_process(place, brokers[place.store], seed)
        for place in self.layout.shops:
            ready = self.shops[place.store].answer(START_LIMIT_S)
            broker = brokers[place.store]
            settings = bridge_settings(self.layout, place, broker, ready["ports"])
            config = write_settings(place.folder / "bridge.toml", settings)
            self._start(place.name("bridge"), "firmware_bridge", "run", "--config", str(config))
            self._watch("bridge", place.name("bridge"), place.bridge_port)
            config = write_settings(place.folder / "edge.toml", edge_settings(self.layout, place, broker))
            self._start(place.name("edge"), "edge", "run", "--config", str(config))
            self._watch("edge", place.name("edge"), place.edge_port)

    def wait_until_up(self) -> None:
        """Every process with a status page answers."""
        deadline_s = time.monotonic() + START_LIMIT_S
        for client in self.status.values():
            while client.get() is None:
                self._supervisor.check()
                if time.monotonic() > deadline_s:
                    raise ChildError(
                        f"{client.name} does not answer on its status port after {START_LIMIT_S:.0f} s"
                    )
                time.sleep(0.05)

    def wait_until_told(self) -> None:
        """Every gateway knows its goods, shelves and prices: a shop opens after that, as a real one does."""
        deadline_s = time.monotonic() + START_LIMIT_S
        for name in self.names_by_kind["edge"]:
            while not _knows_all(self.status[name].get()):
                self._supervisor.check()
                if time.monotonic() > deadline_s:
                    raise ChildError(
                        f"{name} has not got its documents from the centre after {START_LIMIT_S:.0f} s"
                    )
                time.sleep(0.05)

    def end(self) -> None:
        """In order: first who makes work, last who takes it."""
        shops = [place.name("shop") for place in self.layout.shops]
        bridges, edges = self.names_by_kind.get("bridge", []), self.names_by_kind.get("edge", [])
        self._supervisor.end([*shops, *bridges], grace_s=4.0)
        self._supervisor.end(edges, grace_s=5.0)
        self._supervisor.end([CENTRAL_NAME, HQ_NAME, REPLENISHER_NAME, MEMBER_APP_NAME], grace_s=5.0)
        self._supervisor.end(self.names_by_kind.get("broker", []), grace_s=2.0)

    def _start_broker(self, place: ShopPlace) -> Broker:
        broker = broker_for(place.name("broker"), place.folder / "broker", place.broker_port, self._mosquitto)
        self.broker_kind = broker.kind
        self._supervisor.start(broker.spec)
        self.names_by_kind.setdefault("broker", []).append(broker.spec.name)
        return broker

    def _start_shop_process(self, place: ShopPlace, broker: Broker, seed: int) -> None:
        name = place.name("shop")
        spec = self._spec(
            name, "simulator.shop_process", "--shop", str(place.file), "--dir", str(place.folder),
            "--broker-port", str(broker.port), "--broker-protocol", str(broker.protocol), "--seed", str(seed),
            restart=False, piped=True,
        )  # fmt: skip
        self.shops[place.store] = ShopLink(place.store, self._supervisor.start(spec), spec.log)

    def _plan_of_people(self, seed: int) -> dict[str, object]:
        """Somebody in the ERP orders by hand once, on the second day where there is one."""
        shop = next(iter(self.files.values()))
        goods = sorted(managed_items(shop), key=lambda item: item.cell_rank or 0)[3 + seed % 10]
        at_ms = shop.start_ms + (DAY_MS if shop.days > 1 else 0) + 10 * HOUR_MS
        order = {
            "order": "HAND-0001", "store": shop.shop, "sku": goods.sku, "gtin": goods.gtin, "quantity_units": 12, "at_ms": at_ms,
        }  # fmt: skip
        return {"utc_offset_minutes": -300, "hand_orders": [order], "short_shipment": SHORT_SHIPMENT}

    def _central_command(self, *words: str) -> None:
        self._supervisor.run(self._spec("central-setup", "central", *words))

    def _start(self, name: str, module: str, *words: str) -> None:
        self._supervisor.start(self._spec(name, module, *words))

    def _watch(self, kind: str, name: str, port: int) -> None:
        self.names_by_kind.setdefault(kind, []).append(name)
        self.status[name] = StatusClient(name, port)

    def _spec(
        self, name: str, module: str, *words: str, restart: bool = True, piped: bool = False
    ) -> ProcessSpec:
        argv = (sys.executable, "-m", module, *words)
        return ProcessSpec(name, argv, self.layout.log(name), restart=restart, piped=piped)


def _knows_all(status: dict[str, Any] | None) -> bool:
    return status is not None and not status["backlog"] and set(status["documents"]) >= DOCUMENTS_TO_OPEN
