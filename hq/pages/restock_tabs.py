"""The tabs of Restock: the same on each of its pages, so that each leads to all others."""

from urllib.parse import quote

from nicegui import ui

from hq.scope import Scope

GROUPS = {
    "waiting": ("Waits for you", ("proposed",)),
    "moving": ("On its way", ("approved", "sent", "acknowledged", "ordered", "shipped")),
    "done": ("Arrived", ("received", "closed")),
    "not": ("Not ordered", ("snoozed", "rejected", "cancelled", "expired", "superseded")),
}
"""Orders by what a planner asks of them: the tab, and the states that stand there."""
PAGES = {
    "/restock/suppliers": "Suppliers",
    "/restock/transfers": "Shop to shop",
    "/restock/replay": "Try a rule",
}


def restock_tabs(scope: Scope, here: str) -> None:
    """here: the group or the path that is open."""
    with ui.element("div").classes("tabs").props('role="navigation" aria-label="Restock"'):
        for name, (label, _) in GROUPS.items():
            _tab(
                label,
                f"/restock?show={name}" + (f"&scope={quote(scope.text)}" if scope.kind else ""),
                name == here,
            )
        for path, label in PAGES.items():
            _tab(label, scope.link(path), path == here)


def _tab(label: str, address: str, is_here: bool) -> None:
    tab = ui.link(label, address).classes("tab" + (" here" if is_here else ""))
    if is_here:
        tab.props('aria-current="page"')
