"""Adds, changes and removes one entry of a calendar. The centre keeps who did in the audit."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from contract.api.masters import ImportReport
from hq.day_entries import KINDS, Entry, file_of, goods_text, removal_after_change, removal_of, told
from hq.desk import Desk
from hq.entry_form import TypedDay, consequence, entry_from, typed_day
from hq.errors import HqError
from hq.pages.toast import Toast
from hq.scope import Scope
from hq.words import counted

Look = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Shops:
    """Whose calendar is on the page. stores: which shops of the chain those are."""

    stores: tuple[str, ...]
    scope: Scope

    @property
    def region(self) -> str:
        return self.scope.name if self.scope.kind == "region" else ""

    def consequence(self) -> str:
        return consequence(len(self.stores), whole=not self.scope.store)


def open_entry_dialog(
    desk: Desk, toast: Toast, shops: Shops, entry: Entry | None, when_changed: Look
) -> None:
    """entry: what is changed; None adds one."""
    begin = TypedDay() if entry is None else typed_day(entry)
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.label("A day or a promotion" if entry is None else told(entry)).classes("panel-title")
        if begin is None:
            ui.label(
                f"Its {counted(len(entry.goods) if entry else 0, 'good')} have more than one discount, or are too many for fields. "
                "Download the calendar as CSV, change the rows, and send the file."
            )
            with ui.element("div").classes("dialog-acts"):
                ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
        else:
            _EntryForm(desk, toast, shops, entry, begin, dialog, when_changed)
    dialog.on("hide", dialog.delete)
    dialog.open()


class _EntryForm:
    def __init__(
        self, desk: Desk, toast: Toast, shops: Shops, entry: Entry | None, begin: TypedDay, dialog: ui.dialog,
        when_changed: Look,
    ) -> None:  # fmt: skip
        self._desk, self._toast, self._shops, self._entry = desk, toast, shops, entry
        self._dialog, self._when_changed = dialog, when_changed
        self._fields = _fields(begin)
        self._of_goods = [self._fields[name] for name in ("skus", "categories", "discount")]
        self._fields["kind"].on_value_change(self._show_goods)
        self._show_goods()
        ui.label(shops.consequence()).classes("consequence")
        self._problem = ui.label().classes("tone-bad").props('role="alert"')
        with ui.element("div").classes("dialog-acts"):
            ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
            ui.button("Save", on_click=self._save).props("unelevated no-caps color=primary").classes("go")

    def _show_goods(self) -> None:
        for field in self._of_goods:
            field.set_visibility(self._fields["kind"].value == "promotion")

    async def _save(self) -> None:
        made = entry_from(_typed(self._fields))
        wrong = made if isinstance(made, dict) else {}
        for name, field in self._fields.items():
            field.props["error"] = name in wrong
            field.props["error-message"] = wrong.get(name, "")
            field.update()
        if isinstance(made, dict):
            self._problem.set_text("")
            return
        if made == self._entry:
            self._problem.set_text("Nothing is changed.")
            return
        try:
            problem = await self._put(made)
        except HqError as error:
            problem = f"{error.why} {error.do}"
        if problem:
            self._problem.set_text(problem)
            return
        self._dialog.close()
        self._toast.show(f"{told(made)}: saved; shops follow with their next call.")
        await self._when_changed()

    async def _put(self, made: Entry) -> str:
        """What went wrong. Adds before it removes: in between nothing is forgotten."""
        central, shops = self._desk.central, self._shops
        reports = await central.add_to_calendar(file_of([made]), shops.scope.store, shops.region)
        refused = refused_text(reports)
        if refused or self._entry is None:
            return refused
        rest = removal_after_change(self._entry, made)
        if rest is not None:
            await central.remove_from_calendar(rest, shops.scope.store, shops.region)
        return ""


def open_removal_dialog(desk: Desk, toast: Toast, shops: Shops, entry: Entry, when_changed: Look) -> None:
    """Says what removing does, and does it; the toast takes it back."""
    central, store, region = desk.central, shops.scope.store, shops.region
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.label("Remove from the calendar?").classes("panel-title")
        ui.label(f"{told(entry)}{f': {goods_text(entry)}' if entry.goods else ''}.")
        ui.label(f"{shops.consequence()} What is taken out counts as an ordinary day.").classes("consequence")
        problem = ui.label().classes("tone-bad").props('role="alert"')

        async def undo() -> None:
            try:
                await central.add_to_calendar(file_of([entry]), store, region)
            except HqError as error:
                toast.show(f"{error.why} {error.do}", tone="bad")
                return
            toast.show("Taken back: it stands in the calendar again.")
            await when_changed()

        async def go() -> None:
            try:
                removed = await central.remove_from_calendar(removal_of(entry), store, region)
            except HqError as error:
                problem.set_text(f"{error.why} {error.do}")
                return
            dialog.close()
            # Putting it back would give it to shops that never had it.
            alike = len({count > 0 for count in removed.values()}) == 1
            of = sum(count > 0 for count in removed.values())
            toast.show(
                f"{told(entry)}: taken out of {counted(of, 'calendar')}.",
                undo=undo if alike else None,
                seconds=60.0,
            )
            await when_changed()

        with ui.element("div").classes("dialog-acts"):
            ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
            ui.button("Remove", on_click=go).props("unelevated no-caps color=primary").classes("go")
    dialog.on("hide", dialog.delete)
    dialog.open()


def refused_text(reports: dict[str, ImportReport]) -> str:
    """What the centre refused of the rows; every shop says the same of a row that cannot be."""
    problems = {
        f"{one.column}: {one.what}" if one.column else one.what
        for report in reports.values()
        for one in report.rejected
    }
    return "; ".join(sorted(problems))


def _fields(begin: TypedDay) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kind": ui.select(KINDS, value=begin.kind, label="What"),
        "from_day": ui.input("First day", value=begin.from_day).props("type=date stack-label"),
        "until_day": ui.input("Last day; empty for one day", value=begin.until_day).props("type=date stack-label"),
        "name": ui.input("Name", value=begin.name).props('maxlength="80"'),
        "skus": ui.textarea("SKUs, one a line", value=begin.skus).props("rows=3 autogrow"),
        "categories": ui.textarea("Categories, one a line", value=begin.categories).props("rows=2 autogrow"),
        "discount": ui.number("Off the price, %; empty for none", value=begin.discount, min=0, max=95, step=1),
    }  # fmt: skip
    for field in fields.values():
        field.props("dense outlined hide-bottom-space").classes("grow")
    return fields


def _typed(fields: dict[str, Any]) -> TypedDay:
    def text(name: str) -> str:
        return str(fields[name].value or "").strip()

    return TypedDay(
        text("kind"), text("from_day"), text("until_day"), text("name"), text("skus"), text("categories"),
        fields["discount"].value,
    )  # fmt: skip
