"""One SKU in one shop: the chart, its numbers, its orders and what they were decided from."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nicegui import events, ui

from contract.api.proposals import OrderingReason, ProposalView
from contract.api.restock import TriggerView
from contract.api.stores import SkuSeries, SkuView, StoreView
from contract.calendar import Calendar
from hq.charts.sku_chart import HEIGHT_PX, sku_chart
from hq.charts.sku_sold import coverage
from hq.day_entries import told_days
from hq.desk import Desk
from hq.errors import CentralRefusedError
from hq.pages.chart import chart
from hq.pages.evidence import show_evidence
from hq.pages.frame import figures, frame, section
from hq.pages.live import Live
from hq.pages.table import Action, Column, DataTable, Row, cell
from hq.scope import Scope
from hq.words import (
    UNKNOWN,
    counted,
    instant,
    money,
    number,
    percent,
    span,
    trigger_state,
    zone_from_name,
    zone_name,
)

DAY_MS = 86_400_000
LOOKS = {"13w": "13 weeks by day", "4w": "4 weeks by day", "1w": "1 week by hour", "2d": "2 days by 15 min"}
_SPANS = {"13w": (91, "1d"), "4w": (28, "1d"), "1w": (7, "1h"), "2d": (2, "15m")}


CALENDAR_FRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    store: StoreView
    sku: SkuView
    series: SkuSeries
    orders: list[TriggerView]
    proposals: list[ProposalView]
    reasons: list[OrderingReason]
    told: dict[str, str]


def register(desk: Desk) -> None:
    @ui.page("/shops/{store}/skus/{sku}")
    def sku_page(store: str, sku: str, look: str = "4w") -> None:
        with frame(desk, "shops", sku, Scope("store", store)) as retitle:
            _Sku(desk, retitle, store, sku, look if look in LOOKS else "4w")


class _Sku:
    def __init__(self, desk: Desk, retitle: Callable[[str], None], store: str, sku: str, look: str) -> None:
        self._desk, self._retitle = desk, retitle
        self._store, self._sku, self._look = store, sku, look
        self._known: tuple[float, Calendar | None] | None = None
        self._live = Live(self._load, self._build, desk.refresh_s, skeleton_rows=10)

    async def _load(self) -> Seen:
        central = self._desk.central
        days, step = _SPANS[self._look]
        until_ms = ((await central.health()).now_ms // 900_000 + 1) * 900_000
        store, sku, series, orders, proposals, reasons = await asyncio.gather(
            central.store(self._store),
            central.sku(self._store, self._sku),
            central.series(self._store, self._sku, until_ms - days * DAY_MS, until_ms, step),
            central.triggers(self._store, sku=self._sku, limit=50),
            central.proposals(self._store, self._sku),
            self._reasons(),
        )
        told = told_days(await self._calendar(), sku, series)
        return Seen(store, sku, series, orders.rows, proposals.rows, reasons, told)

    async def _calendar(self) -> Calendar | None:
        """The shop's, asked for once in a while: it is large, and changes seldom. None where it has none."""
        now_s = time.monotonic()
        if self._known is None or now_s - self._known[0] > CALENDAR_FRESH_S:
            try:
                found: Calendar | None = (await self._desk.central.calendar(self._store)).calendar
            except CentralRefusedError:
                found = None
            self._known = (now_s, found)
        return self._known[1]

    async def _reasons(self) -> list[OrderingReason]:
        """None from a centre of before, which does not say."""
        try:
            return (await self._desk.central.ordering(self._store, self._sku)).reasons
        except CentralRefusedError:
            return []

    def _build(self, seen: Seen) -> Callable[[Seen], None]:
        self._retitle(seen.sku.name)
        with ui.element("div").classes("crumbs"):
            ui.link(seen.store.name, f"/shops/{quote(self._store)}")
            ui.label(
                f"SKU {seen.sku.sku} · {seen.sku.category} · times are {zone_name(seen.store.timezone)}"
            ).classes("panel-note")
        with section("Now"):
            show_figures = figures(
                [
                    ("hand", "On hand"),
                    ("order", "On order"),
                    ("today", "Sold today"),
                    ("week", "Sold 7 days"),
                    ("next", "Forecast 7 days"),
                    ("price", "Price"),
                    ("shrink", "Shrink"),
                    ("hit", "Forecast held"),
                ]
            )
        with section("Over time", "drag to move, Ctrl and wheel to zoom"):
            ui.toggle(LOOKS, value=self._look, on_change=self._change).props(
                "dense unelevated no-caps size=sm toggle-color=line toggle-text-color=ink text-color=quiet color=ground"
            ).classes("period")
            show_chart = chart(sku_chart(seen.series, seen.told), HEIGHT_PX)
        with section("Orders", "newest first"):
            orders = DataTable(
                _ORDERS,
                empty="No order for this SKU yet. The gateway proposes one when the forecast says that stock will not last.",
                actions=(Action("evidence", "Why?"),),
                on_act=self._act,
                page_rows=10,
                sort=("created", True),
            )
        with section("Ordering", "what holds an order back, or what it waits for"):
            reasons = ui.column().classes("gap-1")
        with section("Proposals of the gateway", "what the centre made of each, newest first"):
            proposals = DataTable(
                _PROPOSALS,
                empty="The gateway proposed nothing in four weeks: stock and orders covered what was expected.",
                page_rows=10,
                sort=("at", True),
            )

        def update(now: Seen) -> None:
            show_figures(_figures(now))
            show_chart(sku_chart(now.series, now.told))
            orders.set_rows([_order_row(order, now.store) for order in now.orders])
            proposals.set_rows([proposal_row(each, now.store) for each in now.proposals])
            reasons.clear()
            with reasons:
                for line in ordering_lines(now.reasons):
                    ui.label(line).classes("panel-note")

        return update

    async def _change(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self._look = event.value
        await self._live.look()

    async def _act(self, trigger: str, _: str) -> None:
        await show_evidence(self._desk, trigger)


_ORDERS = [
    Column("created", "When"),
    Column("quantity", "Quantity", numeric=True),
    Column("state", "State"),
    Column("why", "Why", wide=True, sortable=False),
    Column("supplier", "Supplier"),
    Column("received", "Received", numeric=True),
]

_PROPOSALS = [
    Column("at", "When"),
    Column("proposed", "Proposed", numeric=True),
    Column("outcome", "What came of it", wide=True, sortable=False),
    Column("reasons", "The gateway's reasons", wide=True, sortable=False),
]


def ordering_lines(reasons: list[OrderingReason]) -> list[str]:
    """Each as a sentence."""
    lines = [f"{one.text[:1].upper()}{one.text[1:]}." for one in reasons]
    return lines or ["The centre does not say."]


def _figures(seen: Seen) -> dict[str, tuple[str, str]]:
    sku, currency = seen.sku, seen.store.currency
    held = coverage(seen.series)
    shelf = "shelf unknown" if sku.on_shelf_units is None else f"{number(sku.on_shelf_units)} on the shelf"
    return {
        "hand": (number(sku.on_hand_units), ", ".join(filter(None, (shelf, _empty_words(sku))))),
        "order": (number(sku.on_order_units), "units on their way"),
        "today": (number(sku.sold_today_units), "units"),
        "week": (number(sku.sold_7_days_units), "units"),
        "next": (number(sku.forecast_7_days_units, 1), "units, mean"),
        "price": (money(sku.price_cents, currency), ""),
        "shrink": (number(sku.shrink_units), "units, book minus shelf"),
        "hit": (
            percent(*held) if held else UNKNOWN,
            f"of {counted(held[1], 'day')} in the 80 % band" if held else "no past day with a forecast here",
        ),
    }


def _empty_words(sku: SkuView) -> str:
    """Of the opening time of today: a shelf that is empty at night lost no sale yet."""
    if sku.stock_out_today_ms:
        return f"empty {span(sku.stock_out_today_ms)} today"
    return "" if sku.on_shelf_units == 0 else "not empty today"


def _order_row(order: TriggerView, store: StoreView) -> Row:
    word = trigger_state(order.state)
    return {
        "id": order.trigger,
        "created": cell(instant(order.created_ms, zone_from_name(store.timezone)), order.created_ms),
        "quantity": cell(
            counted(order.quantity_units, "unit"),
            order.quantity_units,
            sub=money(order.value_cents, store.currency),
        ),
        "state": cell(word.word, icon=word.icon, tone=word.tone, sub=order.despatch or ""),
        "why": cell(order.why, sub=order.doubt),
        "supplier": cell(order.supplier),
        "received": cell(
            number(order.received_units), -1 if order.received_units is None else order.received_units
        ),
        "acts": True,
    }


def proposal_row(each: ProposalView, store: StoreView) -> Row:
    left = "stock unknown" if each.on_hand_units is None else f"{number(each.on_hand_units)} left"
    return {
        "id": f"{each.gateway}/{each.at_ms}/{each.quantity_units}",
        "at": cell(instant(each.at_ms, zone_from_name(store.timezone)), each.at_ms),
        "proposed": cell(
            counted(each.quantity_units, "unit"),
            each.quantity_units,
            sub=f"{left}, {number(each.on_order_units)} on order",
        ),
        "outcome": cell(each.outcome, sub=each.doubt),
        "reasons": cell("; ".join(each.reasons) or UNKNOWN),
    }
