"""The calendar: what is known beforehand of the days of the chain, a region or a shop, as months and as a list, to add, change and remove."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import quote

from nicegui import ui

from contract.api.stores import StoreView
from contract.calendar import Calendar
from hq.charts.months import months_html
from hq.day_entries import (
    KINDS,
    Entry,
    days_text,
    entries_of,
    goods_text,
    off_text,
    when_text,
)
from hq.desk import Desk
from hq.errors import CentralRefusedError
from hq.pages.calendar_file import CalendarFile
from hq.pages.entry_dialog import Shops, open_entry_dialog, open_removal_dialog
from hq.pages.frame import frame, section
from hq.pages.live import Live
from hq.pages.shops_tabs import shops_tabs
from hq.pages.table import Action, Column, DataTable, Row, cell
from hq.pages.toast import Toast
from hq.scope import Scope
from hq.words import counted, instant_with_year, local, zone_from_name, zone_name

ICONS = {
    "holiday": "celebration",
    "school_holiday": "school",
    "event": "stadium",
    "payday": "payments",
    "promotion": "sell",
}
COLUMNS = [
    Column("days", "Days"),
    Column("kind", "What"),
    Column("name", "Name"),
    Column("goods", "Goods", wide=True, sortable=False),
    Column("off", "Off the price"),
]
NAMED_SHOPS = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """calendar: None where none is set. stores: of the scope. others: those whose calendar is another than the scope's."""

    calendar: Calendar | None
    version: int | None
    set_by: str
    set_ms: int | None
    stores: list[StoreView]
    others: list[str]
    today: str


def register(desk: Desk) -> None:
    @ui.page("/calendar")
    def calendar_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "shops", "Calendar", chosen):
            shops_tabs(chosen, "/calendar")
            _CalendarPage(desk, chosen)


class _CalendarPage:
    def __init__(self, desk: Desk, scope: Scope) -> None:
        self._desk, self._scope = desk, scope
        self._entries: dict[str, Entry] = {}
        self._shops = Shops((), scope)
        self._dialogs, self._toast = ui.element("div"), Toast()
        self._live = Live(self._load, self._build, max(desk.refresh_s, 2.0), skeleton_rows=8)

    async def _load(self) -> Seen:
        central, scope = self._desk.central, self._scope
        stores, health = await asyncio.gather(central.stores(), central.health())
        mine = scope.stores(stores.rows)
        zone = zone_from_name(mine[0].timezone if mine else "UTC")
        today = local(health.now_ms, zone).date().isoformat()
        if not scope.store:
            kept = await central.kept_calendar(scope.name)
            others = [one.store for one in kept.stores if one.differs]
            return Seen(kept.calendar, kept.version, kept.set_by, kept.set_ms, mine, others, today)
        try:
            view = await central.calendar(scope.store)
        except CentralRefusedError as error:
            if error.status != 404 or not mine:
                raise
            return Seen(None, None, "", None, mine, [], today)
        return Seen(view.calendar, view.version, view.set_by, view.set_ms, mine, [], today)

    def _build(self, _: Seen) -> Callable[[Seen], None]:
        with section("Months"):
            said = ui.label().classes("panel-note")
            others = ui.element("div").classes("links")
            months = ui.html("", sanitize=False)
        with section(
            "Days and promotions", "forecasts know them beforehand and learn from those that are over"
        ):
            ui.link("Download as CSV", f"/export/calendar.csv?scope={quote(self._scope.text)}").classes("csv")
            with ui.element("div").classes("bulk-acts"):
                ui.button("Add…", on_click=lambda: self._open("")).props("outline no-caps color=ink")
                CalendarFile(self._desk, self._dialogs, self._toast, lambda: self._shops, self._live_look)
            table = DataTable(
                COLUMNS,
                empty="Nothing is known of any day here: forecasts go by weekday and price alone. “Add” tells of a holiday or a "
                "promotion; a file tells of many, and of the weather.",
                filtered="Filter by name, kind or goods",
                page_rows=50,
                actions=(Action("change", "Change…"), Action("remove", "Remove…")),
                on_act=self._open,
            )
        parts = _Parts(said, others, months, table)

        def update(seen: Seen) -> None:
            found = [] if seen.calendar is None else entries_of(seen.calendar)
            self._entries = {entry.id: entry for entry in found}
            self._shops = Shops(tuple(store.store for store in seen.stores), self._scope)
            parts.show(seen, found)

        return update

    async def _live_look(self) -> None:
        await self._live.look()

    def _open(self, entry: str, act: str = "") -> None:
        """Opens the dialog that changes or removes the entry of that id; "" adds one."""
        one = self._entries.get(entry)
        with self._dialogs:
            if act == "remove" and one is not None:
                open_removal_dialog(self._desk, self._toast, self._shops, one, self._live_look)
            else:
                open_entry_dialog(self._desk, self._toast, self._shops, one, self._live_look)


@dataclass(frozen=True, slots=True)
class _Parts:
    said: ui.label
    others: ui.element
    months: ui.html
    table: DataTable

    def show(self, seen: Seen, found: list[Entry]) -> None:
        self.said.set_text(said_of(seen))
        self.others.clear()
        with self.others:
            _other_shops(seen)
        self.months.set_content(months_html(seen.calendar, date.fromisoformat(seen.today)))
        over_last = sorted(found, key=lambda entry: entry.until_day < seen.today)
        self.table.set_rows([entry_row(entry, seen.today) for entry in over_last])


def said_of(seen: Seen) -> str:
    """Who set it, when, and what it covers."""
    if seen.calendar is None:
        return "No calendar was set here yet."
    zone = seen.stores[0].timezone if seen.stores else "UTC"
    by = f" by {seen.set_by}" if seen.set_by else ""
    at = f", {instant_with_year(seen.set_ms, zone_from_name(zone))} {zone_name(zone)}" if seen.set_ms else ""
    weather = (
        f"; the weather of {counted(len(seen.calendar.weather), 'day')}" if seen.calendar.weather else ""
    )
    return (
        f"Version {seen.version} was set{by}{at}. It says all there is from {_full(seen.calendar.from_day)} to "
        f"{_full(seen.calendar.until_day)}{weather}."
    )


def _full(day: str) -> str:
    parsed = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return f"{parsed.day} {parsed:%b %Y}"


def _other_shops(seen: Seen) -> None:
    if not seen.others:
        return
    names = {store.store: store.name for store in seen.stores}
    another = "have a calendar of their own" if len(seen.others) > 1 else "has a calendar of its own"
    ui.label(f"{counted(len(seen.others), 'shop')} {another}:").classes("panel-note")
    for store in seen.others[:NAMED_SHOPS]:
        ui.link(names.get(store, store), Scope("store", store).link("/calendar"))
    if len(seen.others) > NAMED_SHOPS:
        ui.label(f"and {len(seen.others) - NAMED_SHOPS:,} more").classes("panel-note")


def entry_row(entry: Entry, today: str) -> Row:
    when = when_text(entry, today)
    return {
        "id": entry.id,
        "days": cell(days_text(entry), entry.from_day, sub=when),
        "kind": cell(KINDS[entry.kind], icon=ICONS[entry.kind], tone="quiet" if when == "over" else "ours"),
        "name": cell(entry.name or "–"),
        "goods": cell(goods_text(entry), sub=counted(len(entry.goods), "good") if entry.goods else ""),
        "off": cell(off_text(entry), min((off or 0 for _, _, off in entry.goods), default=0)),
        "acts": True,
    }
