"""A part of a page that keeps itself up to date: skeleton first, then content; an error never takes the content away."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from nicegui import ui

from hq.errors import CentralAwayError, CentralRefusedError, HqError
from hq.words import span

Data = TypeVar("Data")


class Live(Generic[Data]):
    """load: asks the centre. build: makes the content once from the first answer, and returns what updates it from the next."""

    def __init__(
        self,
        load: Callable[[], Awaitable[Data]],
        build: Callable[[Data], Callable[[Data], None]],
        refresh_s: float,
        *,
        skeleton_rows: int = 6,
        stays: str = "",
    ) -> None:
        self._load, self._build, self._refresh_s = load, build, refresh_s
        self._stays = stays or "What is shown below is the last answer."
        self._update: Callable[[Data], None] | None = None
        self._shown: Data | None = None
        self._failed_since_s: float | None = None
        self._root = ui.element("section").classes("live")
        with self._root:
            self._banner = ui.element("div").classes("banner").props('role="alert"')
            self._banner.set_visibility(False)
            with self._banner:
                ui.icon("cloud_off")
                with ui.element("div"):
                    self._what = ui.label().classes("banner-what")
                    self._do = ui.label().classes("banner-do")
            self._skeleton = (
                ui.element("div").classes("skeleton").props('aria-busy="true" aria-label="Loading"')
            )
            with self._skeleton:
                for _ in range(skeleton_rows):
                    ui.element("div").classes("skeleton-row")
            self._content = ui.element("div").classes("live-content")
        self._timer = ui.timer(refresh_s, self.look)

    async def look(self) -> None:
        """Asks once, and shows what came or what failed."""
        try:
            data = await self._load()
        except HqError as error:
            self._show_error(error)
            return
        if self._root.is_deleted:
            return
        self._failed_since_s = None
        self._banner.set_visibility(False)
        if self._update is None:
            self._skeleton.delete()
            with self._content:
                self._update = self._build(data)
        elif data == self._shown:
            return
        self._shown = data
        with self._content:
            self._update(data)

    def _show_error(self, error: HqError) -> None:
        if self._root.is_deleted:
            return
        now_s = time.monotonic()
        if self._failed_since_s is None:
            self._failed_since_s = now_s
        if isinstance(error, CentralRefusedError) and error.status == 404 and self._update is None:
            self._skeleton.set_visibility(False)  # nothing is coming that a shape could stand for
            self._what.set_text(f"There is no {error.what}.")
            self._do.set_text(error.do)
            self._banner.set_visibility(True)
            return
        lasting = span((now_s - self._failed_since_s) * 1000)
        self._what.set_text(f"No news of {error.what} for {lasting}: {error.why}")
        stays = self._stays if self._update is not None else "Nothing has been loaded yet."
        again = f" HQ asks again every {self._refresh_s:g} s." if isinstance(error, CentralAwayError) else ""
        self._do.set_text(f"{error.do} {stays}{again}")
        self._banner.set_visibility(True)
