"""The first page: what needs you, how are we doing, why."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from nicegui import events, ui

from contract.api.restock import TriggerView
from contract.api.stores import Accounting, AlertView, GatewayView, Overview, StoreView
from hq.charts.sales_chart import HEIGHT_PX, sales_chart
from hq.desk import Desk
from hq.needs import Need, needs_from
from hq.pages.accounting_box import AccountingBox
from hq.pages.chart import chart
from hq.pages.frame import figures, frame, section
from hq.pages.live import Live
from hq.pages.shop_table import COLUMNS, shop_rows
from hq.pages.table import DataTable
from hq.scope import Scope
from hq.words import UNKNOWN, counted, day, money, number, span

DAY_MS = 86_400_000
PERIODS = {7: "7 days", 28: "28 days", 91: "13 weeks"}
NEEDS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the chain."""

    overview: Overview
    waiting: list[TriggerView]
    alerts: list[AlertView]
    accounting: Accounting
    gateways: list[GatewayView]


def register(desk: Desk) -> None:
    @ui.page("/")
    def overview_page(scope: str = "", days: int = 28) -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "overview", "Overview", chosen):
            _Overview(desk, chosen, days if days in PERIODS else 28)


class _Overview:
    def __init__(self, desk: Desk, scope: Scope, days: int) -> None:
        self._desk, self._scope, self._days = desk, scope, days
        self._live = Live(self._load, self._build, desk.refresh_s, skeleton_rows=9)

    async def _load(self) -> Seen:
        central = self._desk.central
        now_ms = (await central.health()).now_ms
        until_ms = (now_ms // 3_600_000 + 1) * 3_600_000
        overview, waiting, alerts, accounting, gateways = await asyncio.gather(
            central.overview(until_ms - self._days * DAY_MS, until_ms),
            central.triggers(self._scope.store, ("proposed",)),
            central.alerts(store=self._scope.store),
            central.accounting(store=self._scope.store),
            central.gateways(),
        )
        return Seen(overview, waiting.rows, alerts.rows, accounting, gateways.rows)

    def _build(self, seen: Seen) -> "_Show":
        return _Show(self, seen)

    async def change_period(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self._days = event.value
        await self._live.look()

    @property
    def scope(self) -> Scope:
        return self._scope

    @property
    def days(self) -> int:
        return self._days


class _Show:
    """The content, and what brings it up to date."""

    def __init__(self, page: _Overview, seen: Seen) -> None:
        self._page = page
        with ui.element("div").classes("split"):
            with section("Needs you") as needs_block:
                needs_block.classes("needs-block")
                self._needs = ui.element("div").classes("needs")
            with ui.element("div").classes("split-main"):
                with section("Today", "of each shop's business day"):
                    self._figures = figures(
                        [
                            ("sold", "Sold"),
                            ("units", "Units"),
                            ("receipts", "Receipts"),
                            ("out", "Out of stock"),
                            ("orders", "Open orders"),
                            ("fleet", "Gateways online"),
                        ]
                    )
                with section("Sales by day"):
                    ui.toggle(PERIODS, value=page.days, on_change=page.change_period).props(
                        "dense unelevated no-caps size=sm toggle-color=line toggle-text-color=ink text-color=quiet color=ground"
                    ).classes("period")
                    self._chart = chart(self._sales(seen), HEIGHT_PX)
        with section("Shops", "those with most to do first; open one to see its SKUs"):
            self._shops = DataTable(
                COLUMNS,
                empty="No shop yet. Shops appear when their gateway or the store list is set up.",
                filtered="Filter shops",
                page_rows=25,
            )
        self._accounting = AccountingBox(page.scope.store)
        self._shown_needs: list[Need] | None = None

    def __call__(self, seen: Seen) -> None:
        stores = self._page.scope.stores(seen.overview.stores)
        self._show_needs(
            needs_from(seen.overview, seen.waiting, seen.alerts, seen.accounting, seen.gateways, stores)
        )
        self._figures(_figures(seen.overview, stores, seen.gateways))
        self._chart(self._sales(seen))
        self._shops.set_rows(shop_rows(seen.overview, stores))
        self._accounting.show(seen.accounting, stores)

    def _sales(self, seen: Seen) -> dict[str, object]:
        stores = {store.store: store for store in self._page.scope.stores(seen.overview.stores)}
        days = [point for point in seen.overview.days if point.store in stores]
        today = max((store.today or "" for store in stores.values()), default="")
        return sales_chart(days, {name: store.currency for name, store in stores.items()}, today)

    def _show_needs(self, needs: list[Need]) -> None:
        if needs == self._shown_needs:
            return
        self._shown_needs = needs
        self._needs.clear()
        with self._needs:
            if not needs:
                with ui.element("div").classes("need tone-ok"):
                    ui.icon("check_circle")
                    ui.label("Nothing needs you now.").classes("need-title")
            for need in needs[:NEEDS_SHOWN]:
                with ui.element("a").props(f'href="{need.href}"').classes(f"need tone-{need.tone}"):
                    ui.icon(need.icon)
                    with ui.element("div"):
                        ui.label(need.title).classes("need-title")
                        ui.label(need.detail).classes("need-detail")
            if len(needs) > NEEDS_SHOWN:
                ui.label(f"and {len(needs) - NEEDS_SHOWN} more, on the pages of their places").classes(
                    "panel-note"
                )


def _figures(
    overview: Overview, stores: list[StoreView], gateways: list[GatewayView]
) -> dict[str, tuple[str, str]]:
    by_currency: dict[str, int] = defaultdict(int)
    for store in stores:
        by_currency[store.currency] += store.cents
    sold = " + ".join(money(cents, currency) for currency, cents in sorted(by_currency.items())) or UNKNOWN
    names = {store.store for store in stores}
    mine = [gateway for gateway in gateways if gateway.store in names]
    skus, out = sum(store.skus for store in stores), sum(store.skus_out_of_stock for store in stores)
    waiting = sum(store.waiting_triggers for store in stores)
    days = sorted({store.today for store in stores if store.today})
    return {
        "sold": (sold, " / ".join(day(text) for text in days[-2:]) or "no data yet"),
        "units": (number(sum(store.units for store in stores)), "from receipts"),
        "receipts": (number(sum(store.receipts for store in stores)), counted(len(stores), "shop")),
        "out": (number(out), f"of {counted(skus, 'SKU')} now"),
        "orders": (
            number(sum(store.open_triggers for store in stores)),
            f"{number(waiting)} wait for a person",
        ),
        "fleet": (
            f"{sum(gateway.online for gateway in mine)} of {len(mine)}",
            f"slowest shop {span(overview.lag_ms)} behind" if overview.lag_ms is not None else "lag unknown",
        ),
    }
