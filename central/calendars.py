"""The calendar document of a store: set whole, or by the good rows of a file."""

import hashlib
from collections.abc import Sequence

from central import desired_state
from central.context import Work
from central.core.calendars import CalendarRow, merged, without
from central.core.masters import Read
from central.errors import NotFoundError, SenderError
from contract.api.calendars import CalendarEntry
from contract.api.masters import MAX_PROBLEMS, ImportReport
from contract.calendar import Calendar
from contract.documents import CalendarDocument, DocumentKind

KIND = DocumentKind.CALENDAR.value


def calendar_in(text: str) -> Calendar:
    """What the document's text says, without its kind and version."""
    fields = CalendarDocument.from_json(text).model_dump(exclude={"kind", "version"})
    return Calendar.model_validate(fields)


def says(text: str, version: int, calendar: Calendar) -> bool:
    """Whether the document's text is this calendar."""
    return text == desired_state.text_of(KIND, calendar.model_dump_json(), version)


def put_calendar(work: Work, calendar: Calendar, who: str) -> int:
    """The document's version. Raises NotFoundError for a store that is none."""
    _require_store(work)
    content = calendar.model_dump_json()
    before = work.store.versions.get(KIND)
    version = desired_state.put_document(work, KIND, content)
    if version != before:
        digest = {"version": version, "sha256": hashlib.sha256(content.encode()).hexdigest()}
        work.audit(who, "put-calendar", work.store.store, f"version {version}", about=digest)
    return version


def import_calendar(work: Work, read: Read[CalendarRow], who: str) -> ImportReport:
    """Adds and changes rows of the store's calendar; those that the file does not name stay. Raises NotFoundError, SenderError."""
    _require_store(work)
    text = desired_state.document_text(work, KIND)
    version, added, changed = work.store.versions.get(KIND), 0, 0
    if read.good:
        known = None if text is None else calendar_in(text)
        try:
            found = merged(known, [row.value for row in read.good])
        except ValueError as error:
            raise SenderError(f"the calendar would hold too much: {error}") from None
        added, changed = found.added, found.changed
        version = put_calendar(work, found.calendar, who)
    return ImportReport(
        rows=read.rows, added=added, changed=changed, unchanged=len(read.good) - added - changed,
        rejected_total=read.rows - len(read.good), rejected=list(read.problems)[:MAX_PROBLEMS], version=version,
    )  # fmt: skip


def remove_entries(work: Work, entries: Sequence[CalendarEntry], who: str) -> tuple[int, int | None]:
    """How many rows the store's calendar lost, and its document's version; (0, None) where it has no calendar. Raises NotFoundError."""
    _require_store(work)
    text = desired_state.document_text(work, KIND)
    if text is None:
        return 0, None
    left, removed = without(calendar_in(text), entries)
    return removed, put_calendar(work, left, who) if removed else work.store.versions.get(KIND)


def _require_store(work: Work) -> None:
    store = work.store
    if not store.exists:
        raise NotFoundError(f"store {store.store} is unknown; put it with PUT /v1/stores/{store.store} first")
