"""Approve or reject: the consequence before the click, a way back after it."""

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from contract.api.common import Decision
from contract.api.restock import TriggerView
from contract.api.stores import StoreView
from hq.desk import Desk
from hq.errors import HqError
from hq.pages.person import remember, who_input
from hq.pages.toast import Toast
from hq.words import counted, money

SHOWN = 6


class DecideDialog:
    """act: approve or reject. when_changed: called when the decision starts, is taken back or is over."""

    def __init__(
        self,
        desk: Desk,
        toast: Toast,
        act: str,
        orders: list[TriggerView],
        stores: dict[str, StoreView],
        when_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._desk, self._toast, self._act, self._orders = desk, toast, act, orders
        self._when_changed = when_changed
        self._quantity: ui.number | None = None
        with ui.dialog() as self._dialog, ui.element("div").classes("dialog"):
            verb = "Approve" if act == "approve" else "Reject"
            ui.label(f"{verb} {counted(len(orders), 'order')}?").classes("panel-title")
            with ui.element("ul").classes("lines"):
                for order in orders[:SHOWN]:
                    with ui.element("li"):
                        ui.label(
                            f"{counted(order.quantity_units, 'unit')} of {order.name}, {order.store_name}"
                        )
                        if order.doubt:
                            ui.label(order.doubt).classes("cell-sub tone-warn")
                if len(orders) > SHOWN:
                    with ui.element("li"):
                        ui.label(f"and {len(orders) - SHOWN} more")
            ui.label(consequence(act, orders, stores)).classes("consequence")
            if act == "approve" and len(orders) == 1:
                pack = orders[0].pack_units
                self._quantity = (
                    ui.number(
                        f"Quantity, units (packs of {pack})",
                        value=orders[0].quantity_units,
                        min=pack,
                        max=100_000,
                        step=pack,
                        precision=0,
                    )
                    .props("dense outlined")
                    .classes("grow")
                )
            self._who = who_input(desk.me)
            must = act == "reject"
            self._reason = (
                ui.input("Reason" if must else "Reason (optional)")
                .props('dense outlined maxlength="300"')
                .classes("grow")
            )
            self._problem = ui.label().classes("tone-bad")
            with ui.element("div").classes("dialog-acts"):
                ui.button("Back", on_click=self._dialog.close).props("flat no-caps color=ink")
                ui.button(verb, on_click=self._go).props("unelevated no-caps color=primary").classes("go")
        self._dialog.on("hide", self._dialog.delete)

    def open(self) -> None:
        self._dialog.open()

    async def _go(self) -> None:
        who, reason = (self._who.value or "").strip(), (self._reason.value or "").strip()
        problem = self._problem_with(who, reason)
        if problem:
            self._problem.set_text(problem)
            return
        remember(who)
        quantity = int(self._quantity.value) if self._quantity is not None else None
        changed = quantity if quantity is not None and quantity != self._orders[0].quantity_units else None
        decision = Decision(who=who, reason=reason, quantity_units=changed)
        send = self._desk.central.approve if self._act == "approve" else self._desk.central.reject
        acts = {order.trigger: partial(send, order.trigger, decision) for order in self._orders}
        done, word = f"{counted(len(acts), 'order')}", "approved" if self._act == "approve" else "rejected"
        self._dialog.close()
        try:
            pending = self._desk.decisions.start(
                f"{word} {done}", acts, lambda accepted, refused: self._over(word, accepted, refused)
            )
        except HqError as error:
            self._toast.show(f"{error.why} {error.do}", tone="bad")
            return

        async def undo() -> None:
            taken = pending.take_back()
            self._toast.show(
                "Taken back: nothing was sent." if taken else "Too late: it has gone out.",
                tone="" if taken else "bad",
            )
            await self._when_changed()

        self._toast.show(f"{done} {word}; on its way in a moment.", undo=undo, seconds=60)
        await self._when_changed()

    def _problem_with(self, who: str, reason: str) -> str:
        if not who:
            return "Give your name: the audit keeps who decided."
        if self._act == "reject" and not reason:
            return "Give a reason: a rejected order cannot be brought back."
        if self._quantity is not None:
            order, wanted = self._orders[0], self._quantity.value
            if wanted is None or wanted <= 0 or int(wanted) % max(order.pack_units, 1):
                return f"The quantity must be a multiple of the pack, {order.pack_units} units."
        return ""

    def _over(self, word: str, accepted: int, refused: list[HqError]) -> None:
        if refused:
            first = refused[0]
            self._toast.show(
                f"{counted(accepted, 'order')} {word}; {len(refused)} not: {first.why} {first.do}", tone="bad"
            )
        else:
            self._toast.show(f"{counted(accepted, 'order')} {word}. The audit has a line for each.", tone="")


def consequence(act: str, orders: list[TriggerView], stores: dict[str, StoreView]) -> str:
    """What happens after the click, in one or two sentences."""
    values: dict[str, int] = {}
    for order in orders:
        currency = stores[order.store].currency if order.store in stores else ""
        values[currency] = values.get(currency, 0) + order.value_cents
    worth = " + ".join(money(cents, currency) for currency, cents in sorted(values.items()))
    units = counted(sum(order.quantity_units for order in orders), "unit")
    suppliers = ", ".join(sorted({order.supplier for order in orders}))
    if act == "approve":
        return (
            f"{units}, worth {worth}, go to {suppliers}. The replenishment system gets "
            f"{'it' if len(orders) == 1 else 'them'} within seconds; once it has acknowledged, only it can change an order."
        )
    return f"{units}, worth {worth}, will not be ordered. The gateway proposes again when its forecast still asks for it."
