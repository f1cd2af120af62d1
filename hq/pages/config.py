"""One shop's rules and gates: a form that says at each field what is wrong, and what becomes of it at the gateways."""

from typing import Any

from nicegui import ui

from contract.severity import Severity
from hq.config_form import Field, Group, config_from, groups, values_of
from hq.desk import Desk
from hq.errors import HqError
from hq.pages.frame import frame, section
from hq.pages.toast import Toast
from hq.scope import Scope

SEVERITIES = {severity.value: severity.value for severity in Severity}


def register(desk: Desk) -> None:
    @ui.page("/shops/{store}/config")
    async def config_page(store: str) -> None:
        chosen = Scope("store", store)
        with frame(desk, "shops", "Rules and limits", chosen), ui.element("div").classes("live-content"):
            form = _Form(desk, store)
        await form.load()


class _Form:
    def __init__(self, desk: Desk, store: str) -> None:
        self._desk, self._store = desk, store
        self._toast = Toast()
        self._fields: dict[str, Any] = {}
        with ui.element("section").classes("panel"):
            self._said = ui.label("Loading…").classes("panel-note")
            ui.label(
                "Gateways check what they get, try it for a while, and take it back by themselves when it raises too many alerts; "
                "the fleet page and the shop say so."
            ).classes("panel-note")
            with ui.element("div").classes("bulk-acts"):
                self._save = ui.button("Save", on_click=self._put).props("unelevated no-caps color=primary")
                self._problem = ui.label().classes("tone-bad").props('role="alert"')
        self._save.set_enabled(False)
        for group in groups():
            self._group(group)

    def _group(self, group: Group) -> None:
        with section(group.title, group.note), ui.element("div").classes("form"):
            for field in group.fields:
                self._fields[field.path] = _input(field)

    async def load(self) -> None:
        try:
            config = await self._desk.central.config(self._store)
        except HqError as error:
            self._said.set_text(f"{error.why} {error.do}")
            return
        for path, value in values_of(config).items():
            self._fields[path].set_value(value)
        self._said.set_text(
            f"Version {config.version} is in force or on its way."
            if config.version
            else "Nothing was set yet: the defaults hold."
        )
        self._save.set_enabled(True)

    async def _put(self) -> None:
        config, errors = config_from({path: field.value for path, field in self._fields.items()})
        for path, field in self._fields.items():
            if hasattr(field, "error"):
                field.error = errors.get(path)
        self._problem.set_text(_summary(errors))
        if config is None:
            return
        try:
            done = await self._desk.central.put_config(self._store, config)
        except HqError as error:
            self._problem.set_text(f"{error.why} {error.do}")
            return
        self._said.set_text(f"Version {done.version} is in force or on its way.")
        self._toast.show(f"Saved as version {done.version}; the gateways get it with their next call.")


def _summary(errors: dict[str, str]) -> str:
    if not errors:
        return ""
    rest = errors.get("")
    return rest or f"{len(errors)} field{'s' * (len(errors) > 1)} cannot be like that: see below."


def _input(field: Field) -> Any:
    if field.kind == "switch":
        return ui.switch(field.label).classes("form-switch")
    if field.kind == "severity":
        made: Any = ui.select(SEVERITIES, label=field.label, value=str(field.default))
    elif field.kind == "devices":
        made = ui.textarea(field.label).props("autogrow").classes("form-wide")
    else:
        made = ui.number(field.label, step=1 if field.kind == "whole" else None)
    return made.props(f'dense outlined hint="{field.hint}"' if field.hint else "dense outlined")
