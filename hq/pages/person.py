"""Who acts: a name for the audit, asked once a browser and kept there."""

from json import dumps

from nicegui import ui

_KEY = "shelfloop-who"


def who_input() -> ui.input:
    """A field for the name; fills itself from what this browser was told before."""
    field = (
        ui.input("Your name, for the audit")
        .props('dense outlined maxlength="80" autocomplete="name"')
        .classes("grow")
    )

    async def fill() -> None:
        known = await ui.run_javascript(f"localStorage.getItem({_KEY!r}) || ''", timeout=3)
        if known and not field.value and not field.is_deleted:
            field.set_value(str(known)[:80])

    ui.timer(0.01, fill, once=True)
    return field


def remember(name: str) -> None:

    ui.run_javascript(f"localStorage.setItem({_KEY!r}, {dumps(name)})")
