"""Which model runs where, and how well its bands held."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from nicegui import ui

from contract.api.rollouts import BundleView, RolloutView
from contract.api.stores import GatewayView, StoreView
from hq.central_api import CentralApi
from hq.charts.sku_sold import coverage
from hq.desk import Desk
from hq.errors import CentralRefusedError, HqError
from hq.pages.frame import frame, section
from hq.pages.live import Live
from hq.pages.rollout_panel import RolloutPanel
from hq.pages.shop import BUSIEST_FIRST
from hq.pages.table import Column, DataTable, Row, cell
from hq.pages.toast import Toast
from hq.scope import Scope
from hq.words import UNKNOWN, ago, counted, number, percent

DAYS_MS = 28 * 86_400_000
SKUS_MEASURED = 12
"""Best sellers asked for a shop: enough to see a band that is too narrow, few enough not to load the centre."""


@dataclass(frozen=True, slots=True)
class Seen:
    gateways: list[GatewayView]
    stores: list[StoreView]
    rollouts: tuple[list[RolloutView], list[BundleView]] | None
    now_ms: int


async def _rollouts(central: CentralApi) -> tuple[list[RolloutView], list[BundleView]] | None:
    """None for those who see some shops only: a roll-out is the whole chain's."""
    try:
        rollouts, bundles = await asyncio.gather(central.rollouts(), central.bundles())
    except CentralRefusedError as error:
        if error.status not in (403, 404):
            raise
        return None
    return rollouts.rows, bundles.rows


def register(desk: Desk) -> None:
    @ui.page("/models")
    def models_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "models", "Models", chosen):
            _Models(desk, chosen)


class _Models:
    def __init__(self, desk: Desk, scope: Scope) -> None:
        self._desk, self._scope = desk, scope
        self._seen: Seen | None = None
        self._held: dict[str, tuple[int, int]] = {}
        self._toast = Toast()
        self._live = Live(self._load, self._build, desk.refresh_s, skeleton_rows=6)

    async def _load(self) -> Seen:
        central = self._desk.central
        gateways, stores, rollouts, health = await asyncio.gather(
            central.gateways(), central.stores(), _rollouts(central), central.health()
        )
        mine = self._scope.stores(stores.rows)
        names = {store.store for store in mine}
        return Seen(
            [gateway for gateway in gateways.rows if gateway.store in names], mine, rollouts, health.now_ms
        )

    def _build(self, first: Seen) -> Callable[[Seen], None]:
        with section("Bundles", "a bundle holds the demand and the restock model, signed together"):
            bundles = DataTable(_BUNDLES, empty="No gateway has said yet which bundle it runs.")
        panel = RolloutPanel(self._desk, self._toast, self._live.look) if first.rollouts is not None else None
        with section(
            "Shops",
            f"how often sales fell into the 80 % band, over {SKUS_MEASURED} best sellers and the last 28 days; about 80 % is right",
        ):
            self._button = (
                ui.button("Measure now", on_click=self._measure)
                .props("outline dense no-caps color=ink")
                .classes("stop")
            )
            self._progress = ui.label().classes("panel-note")
            self._table = DataTable(_SHOPS, empty="No gateway yet.", filtered="Filter shops", page_rows=50)

        def update(seen: Seen) -> None:
            self._seen = seen
            bundles.set_rows(_bundle_rows(seen))
            if panel is not None and seen.rollouts is not None:
                panel.show(*seen.rollouts, seen.now_ms)
            self._show_shops()

        return update

    def _show_shops(self) -> None:
        if self._seen is not None:
            names = {store.store: store.name for store in self._seen.stores}
            self._table.set_rows(
                [
                    _shop_row(gateway, names, self._held.get(gateway.store), self._seen.now_ms)
                    for gateway in self._seen.gateways
                ]
            )

    async def _measure(self) -> None:
        if self._seen is None:
            return
        self._button.set_enabled(False)
        stores = self._seen.stores
        try:
            for place, store in enumerate(stores):
                self._progress.set_text(f"asking {store.name} ({place + 1} of {len(stores)})")
                held = await self._measure_store(store.store, self._seen.now_ms)
                if held is not None:
                    self._held[store.store] = held
                self._show_shops()
            self._progress.set_text(
                "measured just now" if self._held else "no past day had a forecast yet: come back tomorrow"
            )
        except HqError as error:
            self._progress.set_text(f"{error.why} {error.do}")
        finally:
            self._button.set_enabled(True)

    async def _measure_store(self, store: str, now_ms: int) -> tuple[int, int] | None:
        inside = judged = 0
        skus = await self._desk.central.skus(store, sort=BUSIEST_FIRST, limit=SKUS_MEASURED)
        for sku in skus.rows:
            held = coverage(await self._desk.central.series(store, sku.sku, now_ms - DAYS_MS, now_ms, "1d"))
            if held is not None:
                inside, judged = inside + held[0], judged + held[1]
        return (inside, judged) if judged else None


_BUNDLES = [
    Column("bundle", "Bundle"),
    Column("gateways", "Gateways", numeric=True),
    Column("online", "Online", numeric=True),
    Column("shops", "Shops", wide=True, sortable=False),
]
_SHOPS = [
    Column("shop", "Shop"),
    Column("bundle", "Bundle"),
    Column("held", "In the 80 % band", numeric=True),
    Column("heard", "Last heard", numeric=True),
]


def _bundle_rows(seen: Seen) -> list[Row]:
    names = {store.store: store.name for store in seen.stores}
    by_bundle: dict[str, list[GatewayView]] = defaultdict(list)
    for gateway in seen.gateways:
        by_bundle[gateway.bundle].append(gateway)
    return [
        {
            "id": bundle or "-",
            "bundle": cell(bundle or f"{UNKNOWN} not said yet"),
            "gateways": cell(number(len(group)), len(group)),
            "online": cell(
                number(sum(gateway.online for gateway in group)), sum(gateway.online for gateway in group)
            ),
            "shops": cell(
                ", ".join(names.get(gateway.store, gateway.store) for gateway in group[:8])
                + (" …" if len(group) > 8 else "")
            ),
        }
        for bundle, group in sorted(by_bundle.items())
    ]


def _shop_row(gateway: GatewayView, names: dict[str, str], held: tuple[int, int] | None, now_ms: int) -> Row:
    return {
        "id": gateway.gateway,
        "shop": cell(names.get(gateway.store, gateway.store), sub=gateway.gateway),
        "bundle": cell(gateway.bundle or UNKNOWN),
        "held": cell(
            percent(*held) if held else UNKNOWN,
            held[0] / held[1] if held else -1.0,
            sub=f"of {counted(held[1], 'day')}" if held else "not measured",
        ),
        "heard": cell(ago(gateway.last_heard_ms, now_ms), gateway.last_heard_ms or -1),
    }
