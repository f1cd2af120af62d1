"""What stands around every page: six places at the left, scope, search and the clock of the newest data on top."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from nicegui import events, ui

from contract.api.stores import StoreView
from hq import palette
from hq.desk import Desk
from hq.errors import HqError
from hq.scope import Scope, scope_choices
from hq.words import instant_with_year, span, zone_from_name, zone_name

PLACES = (
    ("overview", "Overview", "space_dashboard", "/"),
    ("shops", "Shops", "storefront", "/shops"),
    ("restock", "Restock", "local_shipping", "/restock"),
    ("campaigns", "Campaigns", "local_offer", "/campaigns"),
    ("fleet", "Fleet", "router", "/fleet"),
    ("models", "Models", "query_stats", "/models"),
)
SHOPS_SEARCHED = 6
"""A search asks this many shops for SKUs at most: a chain has hundreds."""
STALE_MS = 90 * 60_000
"""Gateways report around events and close windows after a watermark: less is the ordinary pace."""


@contextmanager
def frame(
    desk: Desk, place: str, title: str, scope: Scope, *, wide: bool = False
) -> Iterator[Callable[[str], None]]:
    """The page around what is built inside `with`; gives what changes its title."""
    ui.page_title(f"{title} · Shelfloop")
    ui.colors(primary=palette.OURS)
    with ui.element("div").classes("shell"):
        with ui.element("nav").classes("places").props('aria-label="Places"'):
            with ui.element("a").props('href="/"').classes("brand"):
                ui.html(_MARK, sanitize=False)
                ui.label("Shelfloop")
            for name, label, icon, path in PLACES:
                with (
                    ui.element("a")
                    .props(f'href="{scope.link(path)}"')
                    .classes("place" + (" here" if name == place else "")) as link
                ):
                    if name == place:
                        link.props('aria-current="page"')
                    ui.icon(icon)
                    ui.label(label)
        with ui.element("div").classes("page"):
            _TopBar(desk, scope)
            with ui.element("main").classes("wide" if wide else ""):
                heading = ui.label(title).classes("title").props('role="heading" aria-level="1"')

                def retitle(text: str) -> None:
                    heading.set_text(text)
                    ui.page_title(f"{text} · Shelfloop")

                yield retitle


class _TopBar:
    def __init__(self, desk: Desk, scope: Scope) -> None:
        self._desk, self._scope = desk, scope
        self._stores: list[StoreView] = []
        with ui.element("header").classes("top"):
            self._select = ui.select(
                {scope.text: scope.name or "The whole chain"},
                value=scope.text,
                on_change=self._choose,
                with_input=True,
            )
            # Typing finds one of hundreds of shops.
            self._select.props(
                'dense outlined options-dense aria-label="Scope" behavior="menu" fill-input hide-selected'
            ).classes("scope")
            with ui.element("div").classes("search"):
                self._input = ui.input(placeholder="Search shop or SKU", on_change=self._search)
                self._input.props('dense outlined clearable debounce="300" aria-label="Search shop or SKU"')
                with self._input.add_slot("prepend"):
                    ui.icon("search", size="18px")
                self._found = ui.element("div").classes("found")
                self._found.set_visibility(False)
            with ui.element("div").classes("clock"):
                self._newest = ui.label("–").classes("clock-value")
                self._age = ui.label("newest data").classes("clock-age")
            me = desk.me
            if me is not None:
                with ui.element("form").props('method="post" action="/logout"').classes("me"):
                    ui.label(me.name).classes("me-name")
                    with ui.element("button").props('type="submit"').classes("me-out"):
                        ui.label("Log out")
        self._trouble = ui.label().classes("trouble tone-bad").props('role="alert"')
        self._trouble.set_visibility(False)
        ui.timer(desk.refresh_s, self._look)

    async def _look(self) -> None:
        try:
            page = await self._desk.central.stores()
            health = await self._desk.central.health()
        except HqError:
            self._age.set_text("the centre does not answer")
            self._age.classes(replace="clock-age tone-bad")
            return
        self._trouble.set_text(health.problems[0] if health.problems else "")
        self._trouble.set_visibility(bool(health.problems))
        self._stores = page.rows
        choices = scope_choices(page.rows)
        if self._scope.text not in choices:
            choices[self._scope.text] = f"{self._scope.name} (unknown)"
        if choices != self._select.options:
            self._select.set_options(choices, value=self._scope.text)
        self._show_newest(self._scope.stores(page.rows), health.now_ms)

    def _show_newest(self, stores: list[StoreView], now_ms: int) -> None:
        known = [store for store in stores if store.newest_ms is not None]
        if not known:
            self._newest.set_text("–")
            self._age.set_text("no data yet")
            return
        newest = max(known, key=lambda store: store.newest_ms or 0)
        # A closed shop sells nothing: only when its gateway knows nothing newer either is the data old.
        complete_ms = max(max(store.newest_ms or 0, store.watermark_ms or 0) for store in known)
        late_ms = now_ms - complete_ms
        self._newest.set_text(instant_with_year(newest.newest_ms, zone_from_name(newest.timezone)))
        stale = late_ms > STALE_MS
        self._age.set_text(
            f"newest data, {zone_name(newest.timezone)}"
            + (f" · nothing heard for {span(late_ms)}" if stale else "")
        )
        self._age.classes(replace="clock-age tone-warn" if stale else "clock-age")

    def _choose(self, event: events.ValueChangeEventArguments[Any]) -> None:
        if event.value != self._scope.text:
            chosen = Scope.from_text(event.value or "")
            ui.navigate.to(f"/shops/{quote(chosen.store)}" if chosen.store else chosen.link("/"))

    async def _search(self, event: events.ValueChangeEventArguments[Any]) -> None:
        typed = (event.value or "").strip()
        self._found.clear()
        self._found.set_visibility(len(typed) > 1)
        if len(typed) < 2:
            return
        stores = [store for store in self._stores if typed.lower() in f"{store.name} {store.store}".lower()][
            :8
        ]
        with self._found:
            for store in stores:
                _hit("storefront", store.name, store.region, f"/shops/{quote(store.store)}")
            hits = 0
            asked = self._scope.stores(self._stores)[:SHOPS_SEARCHED]
            for store in asked:
                try:
                    skus = await self._desk.central.skus(store.store, search=typed, limit=5)
                except HqError:
                    continue
                hits += len(skus.rows)
                for sku in skus.rows:
                    _hit(
                        "inventory_2",
                        sku.name,
                        f"{sku.sku} · {store.name}",
                        f"/shops/{quote(store.store)}/skus/{quote(sku.sku)}",
                    )
            if not hits and not stores:
                ui.label(
                    f"Nothing called “{typed}” in {len(asked)} of {len(self._stores)} shops. Choose a shop on the left to search all of it."
                ).classes("found-none")


def _hit(icon: str, name: str, detail: str, href: str) -> None:
    with ui.element("a").props(f'href="{href}"').classes("hit"):
        ui.icon(icon, size="18px")
        ui.label(name)
        ui.label(detail).classes("cell-sub")


def section(title: str, note: str = "", anchor: str = "") -> ui.element:
    """A titled block; use it with `with`."""
    block = ui.element("section").classes("panel")
    if anchor:
        block.props(f'id="{anchor}"')
    with block, ui.element("div").classes("panel-head"):
        ui.label(title).classes("panel-title").props('role="heading" aria-level="2"')
        if note:
            ui.label(note).classes("panel-note")
    return block


def figures(names: list[tuple[str, str]]) -> Callable[[dict[str, tuple[str, str]]], None]:
    """A row of numbers with what they mean below; returns what sets them: name → (value, note)."""
    shown: dict[str, tuple[ui.label, ui.label]] = {}
    with ui.element("div").classes("figures"):
        for name, label in names:
            with ui.element("div").classes("figure"):
                ui.label(label).classes("figure-label")
                shown[name] = (ui.label("–").classes("figure-value"), ui.label().classes("figure-note"))

    def show(values: dict[str, tuple[str, str]]) -> None:
        for name, (value, note) in values.items():
            shown[name][0].set_text(value)
            shown[name][1].set_text(note)

    return show


_MARK = (
    '<svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true" fill="none" stroke="#0072B2" stroke-width="2.4" '
    'stroke-linecap="round"><path d="M3 7h11a5 5 0 0 1 0 10H6"/><path d="M9 13.5 5.5 17 9 20.5"/></svg>'
)
