"""Sends a file of holidays, promotions and weather to the centre, and says row by row what could not be taken."""

from collections.abc import Callable

from nicegui import events, ui

from contract.api.masters import ImportReport
from hq.desk import Desk
from hq.errors import HqError
from hq.pages.entry_dialog import Look, Shops
from hq.pages.toast import Toast
from hq.words import counted

MAX_FILE_BYTES = 5_000_000
MAX_LINES = 50
"""Of bad rows that are shown; what is beyond is counted."""


class CalendarFile:
    """A button that opens the dialog; `shops` says whose calendar takes the rows."""

    def __init__(
        self, desk: Desk, dialogs: ui.element, toast: Toast, shops: Callable[[], Shops], when_changed: Look
    ) -> None:
        self._desk, self._dialogs, self._toast = desk, dialogs, toast
        self._shops, self._when_changed = shops, when_changed
        ui.button("Send a file…", on_click=self._open).props("outline no-caps color=ink")

    def _open(self) -> None:
        shops = self._shops()
        with self._dialogs, ui.dialog() as dialog, ui.element("div").classes("dialog"):
            ui.label("A file of days and promotions").classes("panel-title")
            ui.label(
                "CSV with the columns kind, from_day, until_day, sku, category, discount_percent, rain_mm, temperature_c, name, as "
                "“Download as CSV” gives it. Rows are added, or replace the row of the same kind, days and goods; rows that "
                "the file does not name stay. A bad row is told, and the others are taken."
            )
            ui.label(shops.consequence()).classes("consequence")
            said = ui.label().props('role="status"')
            told = ui.element("div")

            async def take(event: events.UploadEventArguments) -> None:
                upload.reset()
                try:
                    text = (await event.file.read()).decode("utf-8-sig")
                    central = self._desk.central
                    reports = await central.add_to_calendar(text, shops.scope.store, shops.region)
                except UnicodeDecodeError:
                    said.set_text("The file is not UTF-8: save it as UTF-8 and send it again.")
                    return
                except HqError as error:
                    said.set_text(f"{error.why} {error.do}")
                    return
                said.set_text(file_said(reports))
                told.clear()
                with told, ui.element("ul").classes("lines"):
                    for line in problem_lines(reports):
                        with ui.element("li"):
                            ui.label(line)
                await self._when_changed()

            upload = ui.upload(
                label="Choose a CSV file", on_upload=take, auto_upload=True, max_files=1, max_file_size=MAX_FILE_BYTES,
                on_rejected=lambda: said.set_text(f"The file has more than {MAX_FILE_BYTES:,} bytes: send it in parts."),
            )  # fmt: skip
            upload.props('accept=".csv,text/csv" flat bordered').classes("grow")
            with ui.element("div").classes("dialog-acts"):
                ui.button("Close", on_click=dialog.close).props("flat no-caps color=ink")
        dialog.on("hide", dialog.delete)
        dialog.open()


def file_said(reports: dict[str, ImportReport]) -> str:
    """`Of 12 rows 10 were taken in 3 shops, 2 were not: see below.`"""
    rows = max((report.rows for report in reports.values()), default=0)
    refused = max((report.rejected_total for report in reports.values()), default=0)
    changed = sum(report.added + report.changed for report in reports.values())
    words = f"Of {counted(rows, 'row')} {rows - refused:,} were taken in {counted(len(reports), 'shop')}"
    if refused:
        return f"{words}, {refused:,} were not: see below."
    return f"{words}." if changed else f"{words}; all of it stood there already."


def problem_lines(reports: dict[str, ImportReport]) -> list[str]:
    """`Line 3, kind: what is wrong`, each bad row once: it is as bad in every shop."""
    first = next(iter(reports.values()), None)
    problems = first.rejected if first else []
    lines = [
        f"Line {one.line}{f', {one.column}' if one.column else ''}: {one.what}"
        for one in problems[:MAX_LINES]
    ]
    beyond = (first.rejected_total if first else 0) - len(lines)
    return lines + ([f"and {counted(beyond, 'row')} more"] if beyond else [])
