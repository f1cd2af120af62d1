"""Orders: those that wait for a person, those on their way, those that are over; and the switches that stop them all."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from contract.api.common import AuditView
from contract.api.restock import KillSwitch, TriggerView
from contract.api.stores import StoreView
from hq.audit_words import done
from hq.desk import Desk
from hq.errors import CentralRefusedError
from hq.pages.decide_dialog import DecideDialog
from hq.pages.evidence import show_evidence
from hq.pages.frame import frame, section
from hq.pages.kill_switch_panel import KillSwitchPanel
from hq.pages.live import Live
from hq.pages.restock_tabs import GROUPS, restock_tabs
from hq.pages.table import Action, Column, DataTable, Row, cell
from hq.pages.toast import Toast
from hq.scope import Scope
from hq.words import ago, counted, instant, money, number, trigger_state, zone_from_name, zone_name

ROWS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """more, more_audit: there are more orders in the group, or entries, than are shown. suppliers: their names."""

    orders: list[TriggerView]
    more: bool
    stores: list[StoreView]
    switches: list[KillSwitch]
    audit: list[AuditView]
    more_audit: bool
    suppliers: dict[str, str]
    now_ms: int


def register(desk: Desk) -> None:
    @ui.page("/restock")
    def restock_page(scope: str = "", show: str = "waiting", find: str = "") -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "restock", "Restock", chosen):
            _Restock(desk, chosen, show if show in GROUPS else "waiting", find)


class _Restock:
    def __init__(self, desk: Desk, scope: Scope, group: str, find: str) -> None:
        self._desk, self._scope, self._group, self._find = desk, scope, group, find
        self._chosen: list[str] = []
        self._seen: Seen | None = None
        self._toast = Toast()
        restock_tabs(scope, group)
        self._live = Live(self._load, self._build, desk.refresh_s, skeleton_rows=8)

    async def _load(self) -> Seen:
        central, states = self._desk.central, GROUPS[self._group][1]
        stores, switches, audit, names, health, orders = await asyncio.gather(
            central.stores(),
            central.kill_switches(),
            central.audit(self._scope.store),
            self._supplier_names(),
            central.health(),
            central.triggers(self._scope.store, states, limit=ROWS_SHOWN),
        )
        mine = {store.store for store in self._scope.stores(stores.rows)}
        shown = [order for order in orders.rows if order.store in mine]
        return Seen(
            shown, orders.next is not None, stores.rows, switches.rows, audit.rows, audit.next is not None,
            names, health.now_ms,
        )  # fmt: skip

    async def _supplier_names(self) -> dict[str, str]:
        """By the supplier's id; none for a shop's team, which may not read the list of suppliers: its orders show the ids."""
        try:
            suppliers = await self._desk.central.suppliers()
        except CentralRefusedError as error:
            if error.status != 403:
                raise
            return {}
        return {one.supplier: one.name for one in suppliers.rows}

    def _build(self, _: Seen) -> Callable[[Seen], None]:
        acting = self._group == "waiting"
        with section(GROUPS[self._group][0], _NOTES[self._group]):
            ui.link("Download as CSV", f"/export/orders.csv?store={quote(self._scope.store)}").classes("csv")
            self._bulk = ui.element("div").classes("bulk")
            self._bulk.set_visibility(False)
            with self._bulk:
                self._bulk_text = ui.label()
                ui.button("Approve", on_click=lambda: self._decide("approve", self._chosen)).props(
                    "dense unelevated no-caps color=primary"
                )
                ui.button("Reject", on_click=lambda: self._decide("reject", self._chosen)).props(
                    "dense outline no-caps color=ink"
                )
            actions = (
                Action("approve", "Approve", "ours"),
                Action("reject", "Reject"),
                Action("evidence", "Why?"),
            )
            self._table = DataTable(
                [
                    column
                    for column in _COLUMNS
                    if column.name not in (("state", "changed") if acting else ("risk",))
                ],
                empty=_EMPTY[self._group],
                filtered="Filter by SKU, shop, supplier or reason",
                page_rows=25,
                actions=actions if acting else actions[2:],
                selection=acting,
                on_act=self._act,
                on_select=self._select,
                sort=("risk", True) if acting else ("changed", True),
            )
            if self._find:
                self._table.type_filter(self._find)
            more = ui.label(f"The {ROWS_SHOWN} newest are shown; the CSV has all.").classes("panel-note")
        self._panel = KillSwitchPanel(self._desk, self._toast, self._live.look)
        with section("Audit", "who did what, newest first; each time with its zone"):
            audit = DataTable(
                _AUDIT, empty="Nobody has decided anything yet.", page_rows=10, sort=("at", True)
            )
            more_audit = ui.label(
                "The newest are shown; GET /v1/audit has all, and a shop chosen above its own."
            ).classes("panel-note")

        def update(now: Seen) -> None:
            self._seen = now
            self._show_orders()
            more.set_visibility(now.more)
            more_audit.set_visibility(now.more_audit)
            self._panel.show(now.switches, now.stores, sorted({order.supplier for order in now.orders}))
            names = {store.store: store.name for store in now.stores}
            audit.set_rows([_audit_row(place, line, names, now) for place, line in enumerate(now.audit)])

        return update

    def _show_orders(self) -> None:
        if self._seen is not None:
            seen = self._seen
            stores = {store.store: store for store in seen.stores}
            held = {order.trigger for order in seen.orders if self._desk.decisions.holds(order.trigger)}
            self._table.set_rows(
                [
                    order_row(
                        order,
                        stores.get(order.store),
                        seen.now_ms,
                        supplier=seen.suppliers.get(order.supplier, ""),
                        pending=order.trigger in held,
                    )
                    for order in seen.orders
                ]
            )

    def _select(self, triggers: list[str]) -> None:
        self._chosen = triggers
        self._bulk.set_visibility(bool(triggers))
        orders = self._orders(triggers)
        self._bulk_text.set_text(
            f"{counted(len(orders), 'order')} chosen, {counted(sum(order.quantity_units for order in orders), 'unit')}"
        )

    def _orders(self, triggers: list[str]) -> list[TriggerView]:
        wanted = set(triggers)
        return [order for order in self._seen.orders if order.trigger in wanted] if self._seen else []

    async def _act(self, trigger: str, act: str) -> None:
        if act == "evidence":
            await show_evidence(self._desk, trigger)
        else:
            self._decide(act, [trigger])

    def _decide(self, act: str, triggers: list[str]) -> None:
        orders = self._orders(triggers)
        if orders and self._seen is not None:
            stores = {store.store: store for store in self._seen.stores}
            DecideDialog(self._desk, self._toast, act, orders, stores, self._decided).open()

    async def _decided(self) -> None:
        self._table.clear_selection()
        self._show_orders()
        await self._live.look()


_NOTES = {
    "waiting": "most likely to run out first",
    "moving": "with the replenishment system or on the road",
    "done": "delivered to the shop",
    "not": "rejected, expired, cancelled or replaced",
}
_EMPTY = {
    "waiting": "Nothing waits for you. Orders wait here when their value is high or something about them is doubtful.",
    "moving": "No order is on its way.",
    "done": "No order has arrived yet.",
    "not": "No order was turned down.",
}
_COLUMNS = [
    Column("item", "SKU"),
    Column("why", "Why", wide=True, sortable=False),
    Column("quantity", "Order", numeric=True),
    Column("value", "Value", numeric=True),
    Column("stock", "On hand then", numeric=True),
    Column("risk", "Expected short", numeric=True),
    Column("state", "State"),
    Column("changed", "Since", numeric=True),
]
_AUDIT = [
    Column("at", "When"),
    Column("who", "Who"),
    Column("action", "Did"),
    Column("subject", "What"),
    Column("store", "Shop"),
    Column("reason", "Reason", wide=True, sortable=False),
]


def order_row(
    order: TriggerView, store: StoreView | None, now_ms: int, *, supplier: str = "", pending: bool
) -> Row:
    """supplier: its name; its id stands there without one."""
    word = trigger_state(order.state)
    packs = order.quantity_units / order.pack_units if order.pack_units else 0
    currency = store.currency if store else ""
    kind = "" if order.kind == "restock" else f" · {order.kind}"
    is_held = order.state.value == "approved" and order.due_ms is not None
    return {
        "id": order.trigger,
        "item": cell(
            order.name,
            href=f"/shops/{quote(order.store)}/skus/{quote(order.sku)}",
            sub=f"{order.sku} · {order.store_name} · {supplier or order.supplier}{kind}",
        ),
        "why": cell(order.why, sub=order.doubt),
        "quantity": cell(
            counted(order.quantity_units, "unit"),
            order.quantity_units,
            sub=f"{packs:g} × {order.pack_units}" if order.pack_units > 1 else "",
        ),
        "value": cell(money(order.value_cents, currency), order.value_cents),
        "stock": cell(
            number(order.on_hand_units),
            -1 if order.on_hand_units is None else order.on_hand_units,
            sub=f"{number(order.on_order_units)} on order",
        ),
        "risk": cell(number(order.expected_stock_out_units, 1), order.expected_stock_out_units),
        "state": cell(
            "held" if is_held else word.word,
            icon="hourglass_top" if is_held else "bolt" if order.kind == "emergency" else word.icon,
            tone=word.tone,
            sub=order.despatch or order.erp_document or _due(order, store),
        ),
        "changed": cell(ago(order.changed_ms, now_ms), order.changed_ms),
        **({"pending": "going out…"} if pending else {"acts": True}),
    }


def _due(order: TriggerView, store: StoreView | None) -> str:
    """When an order that waits for its supplier's cut-off goes out, or one that sleeps wakes; "" for others."""
    if order.due_ms is None:
        return ""
    when = instant(order.due_ms, zone_from_name(store.timezone if store else "UTC"))
    return f"sleeps until {when}" if order.state.value == "snoozed" else f"goes out {when}, at the cut-off"


def _audit_row(place: int, line: AuditView, names: dict[str, str], seen: Seen) -> Row:
    zone = next((store.timezone for store in seen.stores if store.store == line.store), "UTC")
    return {
        "id": f"{line.at_ms}/{place}",
        "at": cell(instant(line.at_ms, zone_from_name(zone)), line.at_ms, sub=zone_name(zone)),
        "who": cell(line.who),
        "action": cell(done(line.action)),
        "subject": cell(line.subject),
        "store": cell(names.get(line.store or "", line.store or "the chain")),
        "reason": cell(line.reason),
    }
