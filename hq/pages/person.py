"""Who acts: a name for the audit, asked once a browser and kept there."""

from json import dumps

from nicegui import ui

from contract.api.people import Me

_KEY = "shelfloop-who"


def who_input(me: Me | None = None) -> ui.input:
    """A field for the name; who logged in is named already, others fill it from what this browser was told before."""
    if me is not None:
        return (
            ui.input("Your name, for the audit", value=me.name)
            .props("dense outlined readonly")
            .classes("grow")
        )
    field = (
        ui.input("Your name, for the audit")
        .props('dense outlined maxlength="80" autocomplete="name"')
        .classes("grow")
    )

    async def fill() -> None:
        try:
            known = await ui.run_javascript(f"localStorage.getItem({_KEY!r}) || ''", timeout=10)
        except TimeoutError:  # the page was left, or its browser is too busy: the name is typed
            return
        if known and not field.value and not field.is_deleted:
            field.set_value(str(known)[:80])

    ui.timer(0.01, fill, once=True)
    return field


def remember(name: str) -> None:

    ui.run_javascript(f"localStorage.setItem({_KEY!r}, {dumps(name)})")
