"""One shop: today's figures, sales by day, and its SKUs page by page from the centre."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import events, ui

from contract.api.common import Page
from contract.api.stores import DayPoint, Overview, SkuView, StoreView
from contract.api.transfers import TransferView
from hq.charts.sales_chart import HEIGHT_PX, sales_chart
from hq.desk import Desk
from hq.pages.chart import chart
from hq.pages.frame import figures, frame, section
from hq.pages.live import Live
from hq.pages.table import Column, DataTable, Row, cell
from hq.scope import Scope
from hq.words import (
    UNKNOWN,
    clock_time,
    counted,
    day,
    instant_day,
    money,
    number,
    span,
    trigger_state,
    zone_from_name,
    zone_name,
)

DAYS_MS = 28 * 86_400_000
PAGE_ROWS = 50
SORTS = (
    "name",
    "on_hand_units",
    "sold_today_units",
    "sold_7_days_units",
    "stock_out_today_ms",
    "shrink_units",
)
"""Columns by which the centre orders SKUs; a leading hyphen descends."""
BUSIEST_FIRST = "-sold_7_days_units"

COLUMNS = [
    Column(name, label, numeric=name != "name", sortable=name in SORTS)
    for name, label in (
        ("name", "SKU"),
        ("on_hand_units", "On hand"),
        ("on_order_units", "On order"),
        ("sold_today_units", "Sold today"),
        ("sold_7_days_units", "Sold 7 days"),
        ("forecast_7_days_units", "Forecast 7 days"),
        ("cover", "Cover"),
        ("stock_out_today_ms", "Out today"),
        ("shrink_units", "Shrink"),
        ("price", "Price"),
    )
]

_TRANSFERS = [
    Column("what", "What"),
    Column("units", "Units", numeric=True),
    Column("other", "Other shop"),
    Column("state", "State"),
    Column("why", "Why", wide=True, sortable=False),
]


@dataclass(frozen=True, slots=True)
class Seen:
    store: StoreView
    days: list[DayPoint]
    skus: Page[SkuView]
    transfers: list[TransferView]


def register(desk: Desk) -> None:
    @ui.page("/shops/{store}")
    def shop_page(store: str, sort: str = BUSIEST_FIRST, search: str = "") -> None:
        scope = Scope("store", store)
        with frame(desk, "shops", store, scope) as retitle:
            _Shop(desk, retitle, store, sort if sort.lstrip("-") in SORTS else BUSIEST_FIRST, search)


class _Shop:
    def __init__(
        self, desk: Desk, retitle: Callable[[str], None], store: str, sort: str, search: str
    ) -> None:
        self._desk, self._retitle = desk, retitle
        self._store, self._sort, self._search = store, sort, search
        self._cursors = [""]
        self._live = Live(self._load, self._build, desk.refresh_s, skeleton_rows=9)

    async def _load(self) -> Seen:
        central = self._desk.central
        until_ms = ((await central.health()).now_ms // 3_600_000 + 1) * 3_600_000
        store, overview, skus, transfers = await asyncio.gather(
            central.store(self._store),
            central.overview(until_ms - DAYS_MS, until_ms),
            central.skus(self._store, self._search, self._sort, self._cursors[-1], PAGE_ROWS),
            central.transfers(self._store),
        )
        return Seen(store, _days_of(overview, self._store), skus, transfers.rows)

    def _build(self, seen: Seen) -> Callable[[Seen], None]:
        store = seen.store
        self._retitle(store.name)
        with ui.element("div").classes("split even"):
            with section(store.region or "Today", f"times are {zone_name(store.timezone)}"):
                show_figures = figures(
                    [
                        ("sold", "Sold today"),
                        ("units", "Units today"),
                        ("receipts", "Receipts today"),
                        ("out", "Out of stock"),
                        ("orders", "Open orders"),
                        ("newest", "Newest data"),
                    ]
                )
                _links(quote(self._store))
            with section("Sales by day", "last 28 days"):
                show_chart = chart(self._chart(seen), HEIGHT_PX)
        carried = section("From shop to shop", "what leaves is reserved: no other shop is offered it")
        with carried:
            transfers = DataTable(_TRANSFERS, empty="", page_rows=10)
        with section("SKUs"):
            with ui.element("div").classes("list-head"):
                ui.input(
                    placeholder="Filter by name, number or category",
                    value=self._search,
                    on_change=self._filter,
                ).props('dense outlined clearable debounce="250"').classes("filter")
                csv = ui.link("Download as CSV").classes("csv")
            table = DataTable(
                COLUMNS,
                empty="No SKU here. SKUs appear when the shop's item list is set (“PUT /v1/stores/…/items”), or loosen the filter.",
                on_sort=self._resort,
                sort=(self._sort.lstrip("-"), self._sort.startswith("-")),
            )
            with ui.element("div").classes("pager"):
                back = ui.button("Previous", on_click=self._back).props("flat dense no-caps color=link")
                where = ui.label().classes("panel-note")
                forth = ui.button("Next", on_click=self._forth).props("flat dense no-caps color=link")

        def update(now: Seen) -> None:
            self._next = now.skus.next
            show_figures(_figures(now.store))
            carried.set_visibility(bool(now.transfers))
            transfers.set_rows([transfer_row(one) for one in now.transfers])
            show_chart(self._chart(now))
            table.set_rows([_row(sku, now.store.currency) for sku in now.skus.rows])
            first = (len(self._cursors) - 1) * PAGE_ROWS + 1
            total = "" if now.skus.total is None else f" of {number(now.skus.total)}"
            where.set_text(
                f"{number(first)} to {number(first + len(now.skus.rows) - 1)}{total}" if now.skus.rows else ""
            )
            back.set_enabled(len(self._cursors) > 1)
            forth.set_enabled(now.skus.next is not None)
            address = urlencode({"store": self._store, "search": self._search})
            csv.props(f'href="/export/skus.csv?{address}"')

        return update

    @staticmethod
    def _chart(seen: Seen) -> dict[str, object]:
        return sales_chart(seen.days, {seen.store.store: seen.store.currency}, seen.store.today)

    async def _filter(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self._search, self._cursors = (event.value or "").strip(), [""]
        await self._live.look()

    async def _resort(self, column: str, descending: bool) -> None:
        self._sort, self._cursors = f"{'-' if descending else ''}{column or 'name'}", [""]
        await self._live.look()

    async def _forth(self) -> None:
        if self._next is not None:
            self._cursors.append(self._next)
            await self._live.look()

    async def _back(self) -> None:
        if len(self._cursors) > 1:
            self._cursors.pop()
            await self._live.look()

    _next: str | None = None


def _links(store: str) -> None:
    with ui.element("div").classes("links"):
        ui.link("Orders of this shop", f"/restock?scope=store:{store}")
        ui.link("Its gateway", f"/fleet?scope=store:{store}")
        ui.link("Calendar", f"/calendar?scope=store:{store}")
        ui.link("Rules and limits", f"/shops/{store}/config")


def _days_of(overview: Overview, store: str) -> list[DayPoint]:
    return [point for point in overview.days if point.store == store]


def _figures(store: StoreView) -> dict[str, tuple[str, str]]:
    zone = zone_from_name(store.timezone)
    return {
        "sold": (money(store.cents, store.currency), day(store.today) if store.today else "no data yet"),
        "units": (number(store.units), "from receipts"),
        "receipts": (number(store.receipts), ""),
        "out": (number(store.skus_out_of_stock), f"of {counted(store.skus, 'SKU')} now"),
        "orders": (number(store.open_triggers), f"{number(store.waiting_triggers)} wait for a person"),
        "newest": (
            clock_time(store.newest_ms, zone),
            f"{instant_day(store.newest_ms, zone)}, {zone_name(store.timezone)}",
        ),
    }


def _row(sku: SkuView, currency: str) -> Row:
    out = sku.on_hand_units is not None and sku.on_hand_units <= 0
    return {
        "id": sku.sku,
        "name": cell(
            sku.name,
            href=f"/shops/{quote(sku.store)}/skus/{quote(sku.sku)}",
            sub=f"{sku.sku} · {sku.category}",
        ),
        "on_hand_units": cell(
            number(sku.on_hand_units),
            icon="error" if out else "",
            tone="bad" if out else "",
            sub="" if sku.on_shelf_units is None else f"{number(sku.on_shelf_units)} on the shelf",
        ),
        "on_order_units": cell(
            number(sku.on_order_units),
            href=f"/restock?scope=store:{quote(sku.store)}&find={quote(sku.name)}"
            if sku.open_trigger
            else "",
            sub="open order" if sku.open_trigger else "",
        ),
        "sold_today_units": cell(number(sku.sold_today_units)),
        "sold_7_days_units": cell(number(sku.sold_7_days_units)),
        "forecast_7_days_units": cell(number(sku.forecast_7_days_units, 1)),
        "cover": cell(_cover(sku)),
        "stock_out_today_ms": cell(
            span(sku.stock_out_today_ms) if sku.stock_out_today_ms else "0",
            tone="bad" if sku.stock_out_today_ms else "",
        ),
        "shrink_units": cell(number(sku.shrink_units), tone="warn" if sku.shrink_units else ""),
        "price": cell(money(sku.price_cents, currency)),
    }


def _cover(sku: SkuView) -> str:
    """Days that the stock lasts at the forecast's pace."""
    if sku.on_hand_units is None or not sku.forecast_7_days_units:
        return UNKNOWN
    days = max(0, sku.on_hand_units) / (sku.forecast_7_days_units / 7)
    return "> 90 days" if days > 90 else f"{days:.1f} days"


def transfer_row(one: TransferView) -> Row:
    word = trigger_state(one.state)
    leaves = one.direction == "leaves"
    return {
        "id": one.trigger,
        "what": cell(one.name, href=f"/shops/{quote(one.store)}/skus/{quote(one.sku)}", sub=one.sku),
        "units": cell(number(one.quantity_units), one.quantity_units, sub="leave" if leaves else "come"),
        "other": cell(
            f"to {one.other_name}" if leaves else f"from {one.other_name}",
            href=f"/shops/{quote(one.other_store)}",
        ),
        "state": cell(word.word, icon=word.icon, tone=word.tone, sub=one.despatch or ""),
        "why": cell(one.why),
    }
