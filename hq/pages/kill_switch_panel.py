"""Kill-switches: no automatic orders for the chain, a shop or a supplier, until somebody says otherwise."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from contract.api.restock import KillSwitch
from contract.api.stores import StoreView
from hq.desk import Desk
from hq.errors import HqError
from hq.pages.frame import section
from hq.pages.person import remember, who_input
from hq.pages.table import Action, Column, DataTable, cell
from hq.pages.toast import Toast

_SCOPES = {"chain": "The whole chain", "store": "One shop", "supplier": "One supplier"}
_COLUMNS = [
    Column("target", "Stopped"),
    Column("who", "By"),
    Column("reason", "Reason", wide=True),
]


class KillSwitchPanel:
    def __init__(self, desk: Desk, toast: Toast, when_changed: Callable[[], Awaitable[None]]) -> None:
        self._desk, self._toast, self._when_changed = desk, toast, when_changed
        self._stores: dict[str, str] = {}
        self._suppliers: list[str] = []
        self._switches: dict[str, KillSwitch] = {}
        with section(
            "Automatic orders",
            "while stopped, every proposal waits for a person; orders already sent go on",
            anchor="switches",
        ):
            with ui.element("div").classes("verdict"):
                self._icon = ui.icon("play_circle")
                self._state = ui.label().classes("verdict-text")
            self._table = DataTable(
                _COLUMNS, empty="", actions=(Action("resume", "Start again", "ours"),), on_act=self._act
            )
            ui.button("Stop automatic orders…", on_click=self._ask).props(
                "outline dense no-caps color=ink"
            ).classes("stop")

    def show(self, switches: list[KillSwitch], stores: list[StoreView], suppliers: list[str]) -> None:
        self._stores = {store.store: store.name for store in stores}
        self._suppliers = suppliers
        on = [switch for switch in switches if switch.on]
        self._switches = {f"{switch.scope}:{switch.target}": switch for switch in on}
        self._icon.set_name("pause_circle" if on else "play_circle")
        self._icon.classes(remove="tone-ok tone-warn", add="tone-warn" if on else "tone-ok")
        whole = any(switch.scope == "chain" for switch in on)
        self._state.set_text(
            "Stopped for the whole chain"
            if whole
            else f"Running, except for {len(on)} below"
            if on
            else "Running"
        )
        self._table.set_rows(
            [
                {
                    "id": key,
                    "target": cell(self._name(switch), icon="pause_circle", tone="warn"),
                    "who": cell(switch.who),
                    "reason": cell(switch.reason),
                    "acts": True,
                }
                for key, switch in self._switches.items()
            ]
        )

    def _name(self, switch: KillSwitch) -> str:
        if switch.scope == "chain":
            return _SCOPES["chain"]
        return f"{'Shop' if switch.scope == 'store' else 'Supplier'} {self._stores.get(switch.target, switch.target)}"

    def _act(self, key: str, _: str) -> None:
        switch = self._switches.get(key)
        if switch is not None:
            self._open(f"Start automatic orders again: {self._name(switch)}?", switch)

    def _ask(self) -> None:
        self._open("Stop automatic orders", None)

    def _open(self, title: str, resumed: KillSwitch | None) -> None:
        with ui.dialog() as dialog, ui.element("div").classes("dialog"):
            ui.label(title).classes("panel-title")
            if resumed is None:
                ui.label(
                    "New proposals then wait for a person. Orders already sent go on. You can start it again here at any time."
                ).classes("consequence")
                scope = (
                    ui.select(_SCOPES, value="chain", label="Where").props("dense outlined").classes("grow")
                )
                shop = (
                    ui.select(self._stores, label="Shop", with_input=True)
                    .props("dense outlined")
                    .classes("grow")
                )
                supplier = (
                    ui.input("Supplier", autocomplete=self._suppliers)
                    .props('dense outlined maxlength="48"')
                    .classes("grow")
                )
                shop.bind_visibility_from(scope, "value", value="store")
                supplier.bind_visibility_from(scope, "value", value="supplier")
            else:
                ui.label(
                    "New proposals without doubt and below the value limit are then ordered without asking. Those that wait now go on waiting."
                ).classes("consequence")
            who = who_input(self._desk.me)
            reason = ui.input("Reason").props('dense outlined maxlength="300"').classes("grow")
            problem = ui.label().classes("tone-bad")

            async def go() -> None:
                name, why = (who.value or "").strip(), (reason.value or "").strip()
                kind = resumed.scope if resumed else scope.value
                typed = (
                    {"chain": "", "store": shop.value, "supplier": supplier.value}[kind]
                    if resumed is None
                    else ""
                )
                which = resumed.target if resumed else (typed or "").strip()
                if not name or not why or (kind != "chain" and not which):
                    problem.set_text("Fill in all fields: the audit keeps who stopped what, and why.")
                    return
                remember(name)
                dialog.close()
                await self._put(
                    KillSwitch(scope=kind, target=which, on=resumed is None, who=name, reason=why)
                )

            with ui.element("div").classes("dialog-acts"):
                ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
                ui.button("Stop" if resumed is None else "Start again", on_click=go).props(
                    "unelevated no-caps color=primary"
                ).classes("go")
        dialog.on("hide", dialog.delete)
        dialog.open()

    async def _put(self, switch: KillSwitch, *, undoing: bool = False) -> None:
        try:
            await self._desk.central.put_kill_switch(switch)
        except HqError as error:
            self._toast.show(f"{error.why} {error.do}", tone="bad")
            return

        async def undo() -> None:
            await self._put(
                switch.model_copy(update={"on": not switch.on, "reason": "taken back"}), undoing=True
            )

        done = f"{'Stopped' if switch.on else 'Started again'}: {self._name(switch)}."
        # Long: what a stop means is often seen only afterwards.
        self._toast.show(done, undo=None if undoing else undo, seconds=60)
        await self._when_changed()
