"""What an order was decided from, and the same decision computed again now."""

from collections.abc import Sequence

from nicegui import ui

from hq.desk import Desk
from hq.errors import HqError
from hq.evidence_words import as_stored, decided_from
from hq.words import UNKNOWN, counted


async def show_evidence(desk: Desk, trigger: str) -> None:
    """Opens a dialog; it goes when it is closed."""
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.label("Why this order").classes("panel-title")
        ui.label(trigger).classes("panel-note")
        body = ui.element("div").classes("dialog-body")
        with body:
            for _ in range(4):
                ui.element("div").classes("skeleton-row")
        ui.button("Close", on_click=dialog.close).props("flat no-caps color=link").classes("dialog-close")
    dialog.on("hide", dialog.delete)
    dialog.open()
    try:
        evidence = await desk.central.evidence(trigger)
    except HqError as error:
        body.clear()
        with body:
            ui.label(f"{error.why} {error.do}").classes("tone-bad")
        return
    body.clear()
    with body:
        with ui.element("div").classes("verdict"):
            ui.icon("check_circle" if evidence.agrees else "error").classes(
                f"tone-{'ok' if evidence.agrees else 'warn'}"
            )
            again = evidence.recomputed_quantity_units
            ui.label(
                f"Computed again now: {UNKNOWN if again is None else counted(again, 'unit')}; "
                f"ordered {counted(evidence.quantity_units, 'unit')}."
            )
        if evidence.note:
            ui.label(evidence.note).classes("panel-note")
        stored = [("rule", evidence.rule), ("bundle", evidence.bundle), *evidence.inputs.items()]
        told = decided_from(evidence.inputs)
        _facts(told)
        if told:
            with ui.expansion("All that is stored with it").classes("more").props("dense"):
                _facts([(name.replace("_", " "), as_stored(value)) for name, value in stored])
        else:
            _facts([(name.replace("_", " "), as_stored(value)) for name, value in stored])


def _facts(rows: Sequence[tuple[str, str]]) -> None:
    with ui.element("dl").classes("facts"):
        for name, text in rows:
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(text)
