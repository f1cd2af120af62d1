"""Delivery notes: what arrived counts as on-order until the store's gateway has it in its books, and never in both.

A note's lines go down to the gateway (document `deliveries`), which takes each load in once and tells it as a delivery
fact, as if its dock had scanned it; that fact closes the order. So on-hand and on-order change together.
"""

from central import arrivals, desired_state
from central.context import Work
from central.core.audit_chain import digest_of
from central.core.lifecycle import ON_ORDER
from central.core.vouched import NOTE_LINE, OUTSIDE_ORDER
from central.errors import ConflictError, NotFoundError, SenderError
from central.ledger import facts, note_rows, store_rows
from central.ledger import restock_rows as rows
from central.noted import mark_shipped, net_load
from central.store_memory import Trigger
from contract.api.deliveries import MAX_NOTE_AGE_DAYS, DeliveryNote, NoteLine
from contract.documents import DeliveriesDocument, NotedLine

MAX_OPEN_LINES = 5000
"""Of a store. Source: contract.documents.DeliveriesDocument."""
AHEAD_MS, DAY_MS = 300_000, 86_400_000


def take_note(work: Work, note: DeliveryNote, who: str) -> bool:
    """Whether it is new. Raises SenderError for a SKU or an order that is none, ConflictError for other words under its number."""
    store = work.store
    if not store.exists:
        raise NotFoundError(f"store {note.store} is unknown; GET /v1/stores lists those that are known")
    digest = digest_of(note.model_dump(mode="json"))
    known = note_rows.note_digest(work.connection, store.store, note.note)
    if known is not None:
        if known != digest:
            raise ConflictError(
                f"note {note.note} is known with other lines; a correction needs a number of its own"
            )
        return False
    _check(work, note)
    despatch = note.despatch or note.note
    inserted = []
    for line in note.lines:
        arrived = [
            units for _, units in facts.deliveries_of(work.connection, store.store, despatch, line.sku)
        ]
        booked = sum(arrived) if arrived or line.quantity_units == 0 else None
        inserted.append(
            {
                "store_id": store.store, "note": note.note, "sku": line.sku, "despatch": despatch, "at_ms": note.at_ms,
                "quantity_units": line.quantity_units, "expected_units": _expected(line),
                "substitutes": line.substitutes, "state": "open" if booked is None else "arrived",
                "booked_units": booked, "heard_ms": work.now_ms, "digest": digest,
            }
        )  # fmt: skip
        _name_the_load(work, line, despatch)
        if booked is not None:
            arrivals.take_delivery(work, line.sku, despatch, booked)
        if line.substitutes is not None and all(other.sku != line.substitutes for other in note.lines):
            arrivals.take_delivery(work, line.substitutes, despatch, 0)
        _tell_difference(work, note, line, booked)
    note_rows.insert_note(work.connection, inserted)
    for line in note.lines:
        work.will_vouch(NOTE_LINE, note.note, line.sku)
        net_load(work, line.sku, despatch)
    work.audit(
        who, "delivery-note", note.note, f"{len(note.lines)} lines", about=note.model_dump(mode="json")
    )
    refresh_document(work)
    work.supply_changed = True
    return True


def told_by_gateway(work: Work, sku: str, despatch: str, units: int) -> None:
    """The gateway has the load in its books: its note need not go down any more."""
    if "deliveries" not in work.store.versions:
        return
    waiting = note_rows.open_notes(work.connection, work.store.store, despatch, sku)
    if waiting and note_rows.line_arrived(work.connection, work.store.store, despatch, sku, units):
        for note, _, _ in waiting:
            work.will_vouch(NOTE_LINE, note, sku)
        refresh_document(work)


def refresh_document(work: Work) -> None:
    lines = [
        NotedLine(
            note=row["note"], despatch=row["despatch"], sku=row["sku"], quantity_units=row["quantity_units"],
            expected_units=row["expected_units"], at_ms=row["at_ms"], instead_of=row["substitutes"],
        )
        for row in note_rows.open_lines(work.connection, work.store.store)
    ]  # fmt: skip
    if lines or "deliveries" in work.store.versions:
        content = DeliveriesDocument(version=1, lines=lines).model_dump_json(include={"lines"})
        desired_state.put_document(work, "deliveries", content)


def _check(work: Work, note: DeliveryNote) -> None:
    store, now_ms = work.store, work.now_ms
    if not now_ms - MAX_NOTE_AGE_DAYS * DAY_MS <= note.at_ms <= now_ms + AHEAD_MS:
        raise SenderError(
            f"at_ms {note.at_ms} must be when the goods arrived: at most {MAX_NOTE_AGE_DAYS} days ago and not ahead; it is now {now_ms}"
        )
    seen: set[str] = set()
    for place, line in enumerate(note.lines, 1):
        if line.sku in seen:
            raise SenderError(f"line {place}: SKU {line.sku} stands twice; add its units up")
        seen.add(line.sku)
        for sku in (line.sku, line.substitutes):
            if (
                sku is not None
                and sku not in store.items
                and not store_rows.has_item(work.connection, store.store, sku)
            ):
                raise SenderError(
                    f"line {place}: store {store.store} has no SKU {sku!r}; put its items first"
                )
        if line.order is not None and _order(work, line) is None:
            raise SenderError(
                f"line {place}: {line.order!r} is no open trigger or order of SKU {line.sku}; leave `order` out if it has ended"
            )
    if len(note_rows.open_lines(work.connection, store.store)) + len(note.lines) > MAX_OPEN_LINES:
        raise ConflictError(
            f"store {store.store} has {MAX_OPEN_LINES} lines of notes that its gateway has not taken in; is it online?"
        )


def _order(work: Work, line: NoteLine) -> Trigger | str | None:
    """What `line.order` names: a trigger that is on order, or the number of an open outside order."""
    assert line.order is not None
    trigger = work.store.triggers.get(line.order)
    wanted = line.substitutes or line.sku
    if trigger is not None and trigger.sku in (line.sku, wanted) and trigger.state in ON_ORDER:
        return (
            None if trigger.held_until_ms is not None else trigger
        )  # nobody outside has heard of a held one
    return (
        line.order
        if (line.order, wanted) in work.store.orders or (line.order, line.sku) in work.store.orders
        else None
    )


def _name_the_load(work: Work, line: NoteLine, despatch: str) -> None:
    """Gives the order that the line names the load's number, by which the delivery will close it."""
    if line.order is None:
        return
    found = _order(work, line)
    if isinstance(found, Trigger):
        found.despatch = despatch
        mark_shipped(work, found)
    elif found is not None:
        for key in ((found, line.sku), (found, line.substitutes or line.sku)):
            if key in work.store.orders:
                work.store.orders[key].despatch = despatch
                work.will_vouch(OUTSIDE_ORDER, *key)
                rows.fill_outside_order(
                    work.connection,
                    {"store": work.store.store, "order": key[0], "sku": key[1], "despatch": despatch, "arrives_day": None},
                )  # fmt: skip


def _tell_difference(work: Work, note: DeliveryNote, line: NoteLine, booked: int | None) -> None:
    expected = _expected(line)
    if line.quantity_units != expected:
        word = "short" if line.quantity_units < expected else "over"
        units = abs(expected - line.quantity_units)
        work.audit(
            "the supplier",
            f"delivered-{word}",
            f"{note.note} {line.sku}",
            f"{units} units {word} of {expected}",
        )
    if booked is not None and line.quantity_units and booked != line.quantity_units:
        said = (
            f"the note says {line.quantity_units} units, the dock counted {booked}: the dock's count stands"
        )
        work.audit("the centre", "note-differs", f"{note.note} {line.sku}", said)


def _expected(line: NoteLine) -> int:
    return line.quantity_units if line.expected_units is None else line.expected_units
