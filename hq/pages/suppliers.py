"""Suppliers: when each takes orders, when its next lorry comes, and how many orders are held until then."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from nicegui import ui

from contract.api.restock import TriggerView
from contract.api.suppliers import SupplierView
from hq.desk import Desk
from hq.pages.frame import frame, section
from hq.pages.live import Live
from hq.pages.restock_tabs import restock_tabs
from hq.pages.supplier_dialog import open_supplier_dialog
from hq.pages.table import Action, Column, DataTable, Row, cell
from hq.pages.toast import Toast
from hq.scope import Scope
from hq.words import UNKNOWN, counted, day, instant, number, span, zone_from_name, zone_name

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
COLUMNS = [
    Column("name", "Supplier"),
    Column("orders", "Takes orders"),
    Column("cutoff", "Next cut-off", numeric=True),
    Column("delivery", "Lorry comes", numeric=True),
    Column("held", "Held until then", numeric=True),
    Column("emergency", "Emergency lane"),
    Column("stocked", "Says what it has", numeric=True),
]


@dataclass(frozen=True, slots=True)
class Seen:
    """held: approved orders that wait for a cut-off."""

    suppliers: list[SupplierView]
    held: list[TriggerView]
    now_ms: int


def register(desk: Desk) -> None:
    @ui.page("/restock/suppliers")
    def suppliers_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)
        live: list[Live[Seen]] = []

        async def load() -> Seen:
            central = desk.central
            suppliers, held, stores, health = await asyncio.gather(
                central.suppliers(),
                central.triggers(chosen.store, ("approved",)),
                central.stores(),
                central.health(),
            )
            names = {store.store for store in chosen.stores(stores.rows)}
            mine = [order for order in held.rows if order.store in names and order.due_ms is not None]
            return Seen(suppliers.rows, mine, health.now_ms)

        def build(_: Seen) -> Callable[[Seen], None]:
            seen_last: list[Seen] = []

            def change(supplier: str, _act: str = "") -> None:
                """Opens the calendar of `supplier`; "" makes a new one."""
                now = seen_last[-1]
                one = next((each for each in now.suppliers if each.supplier == supplier), None)
                waiting = sum(order.supplier == supplier for order in now.held)
                with dialogs:
                    open_supplier_dialog(desk, toast, one, waiting, live[-1].look)

            with section(
                "Calendars", "orders are held and merged until the cut-off; an emergency goes out at once"
            ):
                with ui.element("div").classes("bulk-acts"):
                    ui.button("New supplier…", on_click=lambda: change("")).props("outline no-caps color=ink")
                table = DataTable(
                    COLUMNS,
                    empty="No supplier has a calendar: orders go out as soon as they are approved. "
                    "“New supplier” gives one, or a file with shelfloop central import suppliers.",
                    filtered="Filter suppliers",
                    page_rows=50,
                    actions=(Action("change", "Change…"),),
                    on_act=change,
                )

            def update(seen: Seen) -> None:
                seen_last[:] = [seen]
                table.set_rows(supplier_rows(seen.suppliers, seen.held, seen.now_ms))

            return update

        with frame(desk, "restock", "Suppliers", chosen):
            restock_tabs(chosen, "/restock/suppliers")
            dialogs, toast = ui.element("div"), Toast()
            live.append(Live(load, build, desk.refresh_s, skeleton_rows=6))


def supplier_rows(suppliers: list[SupplierView], held: list[TriggerView], now_ms: int) -> list[Row]:
    orders = Counter(order.supplier for order in held)
    units: Counter[str] = Counter()
    for order in held:
        units[order.supplier] += order.quantity_units
    return [_row(one, orders[one.supplier], units[one.supplier], now_ms) for one in suppliers]


def _row(one: SupplierView, orders: int, units: int, now_ms: int) -> Row:
    zone = zone_from_name(one.timezone)
    cutoff = one.next_cutoff_ms
    emergency = one.emergency_lead_days
    return {
        "id": one.supplier,
        "name": cell(one.name, sub=one.supplier),
        "orders": cell(
            f"{_days(one.order_weekdays)} until {one.cutoff_minute // 60:02d}:{one.cutoff_minute % 60:02d}",
            sub=zone_name(one.timezone) + (f", frozen {one.freeze_min} min before" if one.freeze_min else ""),
        ),
        "cutoff": cell(
            UNKNOWN if cutoff is None else f"in {span(cutoff - now_ms)}",
            cutoff or 2**53,
            sub=instant(cutoff, zone),
        ),
        "delivery": cell(
            day(one.next_delivery_day), one.next_delivery_day or "", sub=_days(one.delivery_weekdays)
        ),
        "held": cell(
            number(orders),
            orders,
            href="/restock?show=moving" if orders else "",
            sub=counted(units, "unit") if orders else "",
        ),
        "emergency": cell(
            "none"
            if emergency is None
            else "same day"
            if emergency == 0
            else f"in {counted(emergency, 'day')}",
            99 if emergency is None else emergency,
            icon="" if emergency is None else "bolt",
            tone="" if emergency is None else "ours",
        ),
        "stocked": cell(counted(one.stocked_skus, "SKU") if one.stocked_skus else UNKNOWN, one.stocked_skus),
        "acts": True,
    }


def _days(weekdays: list[int]) -> str:
    """`daily`, `Mon–Fri`, or the days by name."""
    found = sorted(set(weekdays))
    if len(found) == 7:
        return "daily"
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"{WEEKDAYS[found[0]]}–{WEEKDAYS[found[-1]]}"
    return ", ".join(WEEKDAYS[weekday] for weekday in found)
