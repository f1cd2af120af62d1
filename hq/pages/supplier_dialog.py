"""Changes a supplier's calendar: order days, cut-off, lorries, holidays, emergency lane. The audit keeps who did, and what."""

from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import available_timezones

from nicegui import ui

from contract.api.suppliers import SupplierView
from hq.calendar_form import NEW, WEEKDAYS, Typed, calendar_of, consequence, typed_from
from hq.desk import Desk
from hq.errors import HqError
from hq.pages.toast import Toast


def open_supplier_dialog(
    desk: Desk,
    toast: Toast,
    supplier: SupplierView | None,
    held_orders: int,
    when_changed: Callable[[], Awaitable[None]],
) -> None:
    """supplier: None makes a new one."""
    begin = NEW if supplier is None else typed_from(supplier)
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.label("A supplier's calendar" if supplier is None else supplier.name).classes("panel-title")
        fields = _fields(begin, is_new=supplier is None)
        told = ui.label().classes("consequence")
        problem = ui.label().classes("tone-bad").props('role="alert"')

        def read() -> Typed:
            return _typed(fields)

        def tell() -> None:
            made = calendar_of(read())
            told.set_visibility(not isinstance(made, dict))
            told.set_text("" if isinstance(made, dict) else consequence(supplier, made, held_orders))

        for field in fields.values():
            field.on_value_change(tell)
        tell()

        async def go() -> None:
            typed = read()
            made = calendar_of(typed)
            wrong = made if isinstance(made, dict) else {}
            for name, field in fields.items():
                field.props["error"] = name in wrong
                field.props["error-message"] = wrong.get(name, "")
                field.update()
            if isinstance(made, dict):
                problem.set_text("")
                return
            try:
                meanwhile = await _changed_meanwhile(desk, typed.supplier, supplier)
                if meanwhile:
                    problem.set_text(meanwhile)
                    return
                await desk.central.put_supplier(typed.supplier, made)
            except HqError as error:
                problem.set_text(f"{error.why} {error.do}")
                return
            dialog.close()
            toast.show(f"{made.name}: the calendar is saved; shops follow with their next call.")
            await when_changed()

        with ui.element("div").classes("dialog-acts"):
            ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
            ui.button("Save", on_click=go).props("unelevated no-caps color=primary").classes("go")
    dialog.on("hide", dialog.delete)
    dialog.open()


async def _changed_meanwhile(desk: Desk, name: str, supplier: SupplierView | None) -> str:
    """Why what was typed may not be saved over what is there now; empty when it may."""
    now = next((one for one in (await desk.central.suppliers()).rows if one.supplier == name), None)
    if now is None or (supplier is not None and now.changed_ms == supplier.changed_ms):
        return ""
    if supplier is None:
        return f"{name} has a calendar already ({now.name}): go back and change that one."
    return "Somebody changed this calendar while it was open here: go back and open it anew."


def _fields(begin: Typed, *, is_new: bool) -> dict[str, Any]:
    grow = "dense outlined hide-bottom-space"
    fields: dict[str, Any] = {
        "supplier": ui.input("Supplier, as orders name it", value=begin.supplier),
        "name": ui.input("Name", value=begin.name),
        "timezone": ui.select(_zones(begin.timezone), value=begin.timezone or None, label="Time zone", with_input=True),
        "order_weekdays": ui.select(WEEKDAYS, value=list(begin.order_weekdays), label="Takes orders on", multiple=True),
        "cutoff": ui.input("Cut-off", value=begin.cutoff),
        "freeze_min": ui.number("Frozen before it, minutes", value=begin.freeze_min, min=0, max=1440, step=5),
        "lead_time_days": ui.number("Days from the cut-off to the shop", value=begin.lead_time_days, min=0, max=21, step=1),
        "delivery_weekdays": ui.select(
            WEEKDAYS, value=list(begin.delivery_weekdays), label="Lorries come on", multiple=True
        ),
        "closed_days": ui.textarea("Holidays, one a line", value=begin.closed_days, placeholder="2026-12-25"),
        "emergency_lead_days": ui.number(
            "Emergency lane, days; empty for none", value=begin.emergency_lead_days, min=0, max=21, step=1
        ),
    }  # fmt: skip
    for field in fields.values():
        field.props(grow).classes("grow")
    fields["supplier"].set_enabled(is_new)
    fields["cutoff"].props("type=time")
    fields["closed_days"].props("rows=3 autogrow")
    return fields


def _typed(fields: dict[str, Any]) -> Typed:
    def text(name: str) -> str:
        return str(fields[name].value or "").strip()

    return Typed(
        text("supplier"), text("name"), text("timezone"), tuple(fields["order_weekdays"].value or ()), text("cutoff"),
        fields["freeze_min"].value, fields["lead_time_days"].value, tuple(fields["delivery_weekdays"].value or ()),
        text("closed_days"), fields["emergency_lead_days"].value,
    )  # fmt: skip


def _zones(chosen: str) -> list[str]:
    return sorted(
        {name for name in available_timezones() if "/" in name} | {"UTC"} | ({chosen} if chosen else set())
    )
