"""The tabs of Shops: the same on each of its pages."""

from nicegui import ui

from hq.scope import Scope

PAGES = {"/shops": "Shops", "/regions": "Regions", "/calendar": "Calendar"}


def shops_tabs(scope: Scope, here: str) -> None:
    """here: the path that is open."""
    with ui.element("div").classes("tabs").props('role="navigation" aria-label="Shops"'):
        for path, label in PAGES.items():
            tab = ui.link(label, scope.link(path)).classes("tab" + (" here" if path == here else ""))
            if path == here:
                tab.props('aria-current="page"')
