"""A line at the bottom that says what was done, with a way back while there is one."""

from collections.abc import Awaitable, Callable

from nicegui import ui

Undo = Callable[[], Awaitable[None] | None]


class Toast:
    def __init__(self) -> None:
        self._root = ui.element("div").classes("toast").props('role="status" aria-live="polite"')
        self._root.set_visibility(False)
        self._turn = 0

    def show(self, text: str, *, tone: str = "", undo: Undo | None = None, seconds: float = 6.0) -> None:
        """Replaces what is shown. undo: what the button does, None for no button."""
        if self._root.is_deleted:
            return
        self._turn += 1
        turn = self._turn
        self._root.clear()
        with self._root:
            ui.label(text).classes(f"tone-{tone}" if tone else "")
            if undo is not None:
                ui.button("Undo", on_click=undo).props("flat dense no-caps color=white")
            if tone != "bad":
                ui.timer(seconds, lambda: self._hide(turn), once=True)
            else:
                ui.button("Close", on_click=lambda: self._hide(turn)).props("flat dense no-caps color=white")
        self._root.set_visibility(True)

    def _hide(self, turn: int) -> None:
        if turn == self._turn and not self._root.is_deleted:
            self._root.set_visibility(False)
