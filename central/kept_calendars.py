"""The calendar of the chain and of each region, kept for shops that open later: what they would have, had they been there."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.engine import Connection

from central import desired_state
from central.calendars import KIND, calendar_in, put_calendar
from central.context import CHAIN, Work
from central.core.calendars import CalendarRow, merged, without
from central.errors import SenderError
from central.ledger import store_rows
from contract.api.calendars import CalendarEntry
from contract.calendar import Calendar

_OF_REGION = f"{KIND}:"
"""Before the region's name: the kind of its document among those of the chain. The chain's own is of kind KIND."""
_ADOPTED = "centre"
"""Who keeps what the shops had alike, in the audit."""
_ALIKE = 2
"""So many shops with the same calendar, and none with another, have it from their region or chain."""


def keep_calendar(work: Work, region: str | None, calendar: Calendar, who: str) -> None:
    """In place of what was kept for the region, or for the chain and each region. work: of the CHAIN."""
    for kind in _kinds(work, region):
        _keep(work, kind, calendar, who)


def keep_rows(work: Work, region: str | None, rows: Sequence[CalendarRow], who: str) -> None:
    """Into what is kept for the region, or for the chain and each region. work: of the CHAIN. Raises SenderError."""
    for kind in _kinds(work, region) if rows else ():
        known = _kept(work.connection, kind) or _kept(work.connection, KIND)
        try:
            found = merged(known, rows)
        except ValueError as error:
            whose = kind.removeprefix(_OF_REGION) if kind != KIND else "the chain"
            raise SenderError(
                f"what is kept of {whose} for shops that open later would hold too much: {error}; "
                "put the whole calendar with PUT /v1/calendar, without what is long over"
            ) from None
        _keep(work, kind, found.calendar, who)


def drop_kept_entries(work: Work, region: str | None, entries: Sequence[CalendarEntry], who: str) -> None:
    """From what is kept for the region, or for the chain and each region. work: of the CHAIN.

    A region of which nothing is kept yet has the chain's from now on, without them.
    """
    for kind in _kinds(work, region):
        known = _kept(work.connection, kind) or _kept(work.connection, KIND)
        left, removed = (None, 0) if known is None else without(known, entries)
        if left is not None and removed:
            _keep(work, kind, left, who)


def kept_calendar(connection: Connection, region: str | None) -> tuple[str, int, Calendar] | None:
    """(subject of its audit entries, version, calendar) that a store of the region, or of the chain, which opens now would get."""
    for kind in (KIND,) if region is None else (_OF_REGION + region, KIND):
        row = store_rows.document(connection, CHAIN, kind)
        if row is not None:
            return kind, row[0], Calendar.model_validate_json(row[1])
    return None


def give_kept_calendar(work: Work, region: str, who: str) -> None:
    """To a store that has no calendar: what is kept for its region, else for the chain."""
    if KIND in work.store.versions:
        return
    kept = _kept_for(work.connection, region)
    if kept is not None:
        put_calendar(work, kept, who)


def move_calendar(work: Work, before: str, region: str, who: str) -> Calendar | None:
    """To a store that came from the region `before` with what is kept for that one: what is kept for its own, which is returned.

    Where nothing is, its days are ordinary ones. A calendar of its own stays.
    """
    had = _kept_for(work.connection, before)
    if had is None or _own(work) != had:
        return None
    found = _kept_for(work.connection, region) or Calendar(from_day=had.from_day, until_day=had.until_day)
    put_calendar(work, found, who)
    return found


def follow_region(work: Work, given: Calendar | None, region: str, who: str) -> None:
    """Once the store is of its region in the ledger, what was kept for that meanwhile: for a store without a calendar, or still with the one `given`."""
    if given is None:
        give_kept_calendar(work, region, who)
    elif _own(work) == given:
        put_calendar(work, _kept_for(work.connection, region) or given, who)


def adopt_calendars(work: Work) -> None:
    """For a ledger from before calendars were kept: what all shops of the chain have alike, else those of each region, is kept. work: of the CHAIN."""
    if any(kind == KIND or kind.startswith(_OF_REGION) for kind in work.store.versions):
        return
    shops: dict[str, list[Calendar]] = defaultdict(list)
    for region, text in store_rows.documents_by_region(work.connection, KIND):
        known, found = shops[region], calendar_in(text)
        known.append(next((each for each in known if each == found), found))
    everywhere = _alike([each for known in shops.values() for each in known])
    if everywhere is not None:
        _keep(work, KIND, everywhere, _ADOPTED)
        return
    for region, known in shops.items():
        alike = _alike(known) if region else None
        if alike is not None:
            _keep(work, _OF_REGION + region, alike, _ADOPTED)


def _alike(calendars: Sequence[Calendar]) -> Calendar | None:
    same = len(calendars) >= _ALIKE and all(each == calendars[0] for each in calendars)
    return calendars[0] if same else None


def _own(work: Work) -> Calendar | None:
    text = desired_state.document_text(work, KIND)
    return None if text is None else calendar_in(text)


def _kept_for(connection: Connection, region: str) -> Calendar | None:
    return _kept(connection, _OF_REGION + region) or _kept(connection, KIND)


def _kinds(work: Work, region: str | None) -> list[str]:
    """A calendar of the chain is every region's, too: it changes what regions have."""
    if region is not None:
        return [_OF_REGION + region]
    return [KIND, *sorted(kind for kind in work.store.versions if kind.startswith(_OF_REGION))]


def _kept(connection: Connection, kind: str) -> Calendar | None:
    row = store_rows.document(connection, CHAIN, kind)
    return None if row is None else Calendar.model_validate_json(row[1])


def _keep(work: Work, kind: str, calendar: Calendar, who: str) -> None:
    if _kept(work.connection, kind) == calendar:
        return
    body, version = calendar.model_dump_json(), work.store.versions.get(kind, 0) + 1
    store_rows.put_document(work.connection, CHAIN, kind, version, body)
    work.store.versions[kind] = version
    work.vouch_for_document(kind, body)
    digest = {"version": version, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    work.audit(who, "keep-calendar", kind, f"version {version}", about=digest)
