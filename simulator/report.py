"""The books of a demo: every figure from two sides, and what does not agree."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

DayKey = tuple[str, str, str]
"""(store, register, business date)."""


@dataclass(frozen=True, slots=True)
class Totals:
    receipts: int = 0
    lines: int = 0
    units: int = 0
    cents: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.receipts + other.receipts,
            self.lines + other.lines,
            self.units + other.units,
            self.cents + other.cents,
        )


COUNTED = ("receipts", "lines", "units", "cents")


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """What the till says of its day: to us, and as it arrived at the centre; and what the centre's ledger holds."""

    told: Totals | None
    arrived: Totals | None
    ledger: Totals | None


@dataclass(frozen=True, slots=True)
class Cells:
    """units_taken: by hands. picks_counted: by gateways. unresolved: units' worth of weight that they declared unexplained.

    readings_missed: the clock ran at a scale, or a killed broker took readings with it: a unit taken and put back may then
    both fall between two readings that count.
    """

    units_taken: int
    put_back_units: int
    refilled_units: int
    picks_counted: int
    put_backs_counted: int
    refills_counted: int
    unresolved: int
    readings_missed: bool = False

    @property
    def unseen_pairs(self) -> int:
        """Units taken and put back that no gateway saw either way; 0 unless as many are missing on both sides."""
        missing = self.units_taken - self.picks_counted
        return (
            missing if self.readings_missed and missing == self.put_on_units - self.put_on_counted > 0 else 0
        )

    @property
    def put_on_units(self) -> int:
        return self.put_back_units + self.refilled_units

    @property
    def put_on_counted(self) -> int:
        return self.put_backs_counted + self.refills_counted


@dataclass(frozen=True, slots=True)
class FrameWire:
    """One serial device's frames, counted by its own end (sent) and by the bridge (the rest).

    most_lost_per_kill: DATA frames that the link's limits let the device send before it gives a silent bridge up.
    """

    name: str
    sent: int
    accepted: int
    duplicates: int
    crc_rejected: int
    bridge_kills: int
    most_lost_per_kill: int

    @property
    def lost(self) -> int:
        """Sent into a line that nobody read: what a killed bridge had not taken yet."""
        return self.sent - self.accepted - self.duplicates - self.crc_rejected

    @property
    def most_lost(self) -> int:
        return self.bridge_kills * self.most_lost_per_kill


@dataclass(frozen=True, slots=True)
class EventWire:
    """One device's events. made: distinct ones. accepted: distinct ones at the gateway. kept: until `stored`, so none may miss.

    rejected: put into quarantine with a reason. killed: something between device and gateway was killed in the run.
    """

    name: str
    made: int
    accepted: int
    duplicates: int
    rejected: int
    kept: bool
    killed: bool

    @property
    def missing(self) -> int:
        return self.made - self.accepted - self.rejected


@dataclass(frozen=True, slots=True)
class Triggers:
    """approved, dispatched, consumed: ids, by their state at the centre, by its feed, by the consumer.

    approved: approved or further when all was quiet, so each must be in the feed; held ones, which wait for their supplier's
    cut-off, are counted apart. waiting: for a person, with their reason.
    """

    created: int
    approved: frozenset[str]
    dispatched: frozenset[str]
    consumed: frozenset[str]
    duplicates_in_effect: int
    waiting: tuple[str, ...] = ()
    held: int = 0


@dataclass(frozen=True, slots=True)
class Coupons:
    """By campaign funnel at the centre, by the wallets outside, and by the tills' own count."""

    issued: int
    in_wallets: int
    redeemed: int
    redeemed_at_tills: int
    reversed: int
    reversed_at_tills: int
    duplicates_in_effect: int


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Despatch numbers. due: lorries that must have reached a shop by the end. at_dock, in_ledger: one entry an arrival.

    A lorry of the demo carries one line, so the centre's ledger holds one delivery for it.
    """

    due: tuple[str, ...] = ()
    at_dock: tuple[str, ...] = ()
    in_ledger: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Books:
    tills: Totals
    ledger: Totals
    days: Mapping[DayKey, ClosedDay]
    open_days: int
    declared_gaps: int
    cells: Cells
    frames: tuple[FrameWire, ...]
    events: tuple[EventWire, ...]
    triggers: Triggers
    coupons: Coupons
    deliveries: Deliveries
    pending: int = 0
    """Messages that devices still hold unacknowledged at the end."""
    refused: tuple[str, ...] = field(default=())
    """What the centre refused of systems outside."""
    kills_undone: int = 0
    """Planned kills that the run ended without."""


def unbalanced(books: Books) -> list[str]:
    """Each equation of the accounting that does not hold, in words and figures. Empty: the books balance."""
    return list(
        chain(
            _sales(books),
            _days(books),
            _losses(books),
            _cells(books.cells),
            _wires(books),
            _triggers(books.triggers),
            _coupons(books.coupons),
            _deliveries(books.deliveries),
        )
    )


def _sales(books: Books) -> Iterator[str]:
    for name in COUNTED:
        tills, ledger = getattr(books.tills, name), getattr(books.ledger, name)
        if tills != ledger:
            yield f"{name}: tills {tills}, ledger {ledger}, difference {ledger - tills}"


def _days(books: Books) -> Iterator[str]:
    for (store, register, day), closed in sorted(books.days.items()):
        if not closed.told == closed.arrived == closed.ledger:
            yield (
                f"day {day} of {register} in {store}: till {closed.told}, its day_close at the centre {closed.arrived},"
                f" ledger {closed.ledger}"
            )
    if books.open_days:
        yield f"{books.open_days} days have sales at the centre and no day_close"


def _losses(books: Books) -> Iterator[str]:
    if books.declared_gaps:
        yield f"{books.declared_gaps} gaps are declared: in a demo nothing may be given up"
    if books.pending:
        yield f"{books.pending} messages are still unacknowledged at the devices"
    for refusal in books.refused:
        yield f"the centre refused {refusal}"
    if books.kills_undone:
        yield f"{books.kills_undone} planned kills did not happen: fewer --kills or more --days"


def _cells(cells: Cells) -> Iterator[str]:
    pairs = cells.unseen_pairs
    # A small refill soon after a pick looks like a put-back: which of the two it was is a guess, their sum is not.
    for what, truth, counted in (
        ("taken from", cells.units_taken - pairs, cells.picks_counted),
        ("put on", cells.put_on_units - pairs, cells.put_on_counted),
    ):
        if abs(truth - counted) > cells.unresolved:
            yield f"units {what} cells: {truth}, counted {counted}; only {cells.unresolved} are declared unresolved"


def _wires(books: Books) -> Iterator[str]:
    for wire in books.frames:
        if wire.lost < 0:
            yield f"frames of {wire.name}: {-wire.lost} more arrived than the {wire.sent} that were sent"
        if wire.lost > wire.most_lost:
            yield (
                f"frames of {wire.name}: {wire.lost} of {wire.sent} lost; {wire.bridge_kills} kills of its bridge"
                f" explain {wire.most_lost} at most"
            )
    for events in books.events:
        if events.missing < 0:
            yield f"events of {events.name}: {-events.missing} more accepted than the {events.made} that were made"
        if events.missing > 0 and (events.kept or not events.killed):
            yield f"events of {events.name}: {events.missing} of {events.made} never arrived"
        if events.kept and events.rejected:
            yield f"events of {events.name}: the gateway put {events.rejected} of {events.made} into quarantine"


def _triggers(triggers: Triggers) -> Iterator[str]:
    for trigger in sorted(triggers.approved - triggers.dispatched):
        yield f"trigger {trigger} was approved and never dispatched"
    for trigger in sorted(triggers.dispatched - triggers.consumed):
        yield f"trigger {trigger} was dispatched and never consumed"
    for trigger in sorted(triggers.consumed - triggers.dispatched):
        yield f"trigger {trigger} was consumed and never dispatched"
    if triggers.duplicates_in_effect:
        yield f"{triggers.duplicates_in_effect} triggers took effect twice"


def _coupons(coupons: Coupons) -> Iterator[str]:
    for what, ours, theirs, whose in (
        ("issued", coupons.issued, coupons.in_wallets, "in wallets"),
        ("redeemed", coupons.redeemed, coupons.redeemed_at_tills, "at the tills"),
        ("reversed", coupons.reversed, coupons.reversed_at_tills, "at the tills"),
    ):
        if ours != theirs:
            yield f"coupons {what}: {ours} at the centre, {theirs} {whose}"
    if coupons.duplicates_in_effect:
        yield f"{coupons.duplicates_in_effect} coupons are in a wallet twice"


def _deliveries(deliveries: Deliveries) -> Iterator[str]:
    twice = sorted({name for name in deliveries.at_dock if deliveries.at_dock.count(name) > 1})
    for name in twice:
        yield f"despatch {name} was taken in {deliveries.at_dock.count(name)} times"
    for name in sorted(set(deliveries.due) - set(deliveries.at_dock)):
        yield f"despatch {name} was due and never reached its shop"
    at_dock, in_ledger = Counter(deliveries.at_dock), Counter(deliveries.in_ledger)
    for name in sorted(at_dock.keys() | in_ledger.keys()):
        if at_dock[name] != in_ledger[name] and name not in twice:
            yield f"despatch {name}: {at_dock[name]} times at the dock, {in_ledger[name]} times in the ledger"


def report_from_books(books: Books) -> dict[str, object]:
    """The report's accounting, ready for JSON."""
    reasons = unbalanced(books)
    both = {
        name: {"tills": getattr(books.tills, name), "ledger": getattr(books.ledger, name)} for name in COUNTED
    }
    cells, coupons, triggers = books.cells, books.coupons, books.triggers
    return {
        "balanced": not reasons,
        "unbalanced": reasons,
        "declared_gaps": books.declared_gaps,
        **both,
        "cells": {
            "units_taken": cells.units_taken,
            "picks_counted": cells.picks_counted,
            "put_back_units": cells.put_back_units,
            "put_backs_counted": cells.put_backs_counted,
            "refilled_units": cells.refilled_units,
            "refills_counted": cells.refills_counted,
            "unresolved": cells.unresolved,
            "unseen_pairs": cells.unseen_pairs,
        },
        "triggers": {
            "created": triggers.created,
            "approved": len(triggers.approved),
            "held": triggers.held,
            "dispatched": len(triggers.dispatched),
            "consumed": len(triggers.consumed),
            "duplicates_in_effect": triggers.duplicates_in_effect,
            "waiting": list(triggers.waiting),
        },
        "coupons": {"issued": coupons.issued, "redeemed": coupons.redeemed, "reversed": coupons.reversed},
        "transmissions": {
            "sent": sum(wire.sent for wire in books.frames),
            "accepted": sum(wire.accepted for wire in books.frames),
            "duplicates": sum(wire.duplicates for wire in books.frames),
            "crc_rejected": sum(wire.crc_rejected for wire in books.frames),
            "lost": sum(wire.lost for wire in books.frames),
            "distinct_sent": sum(wire.made for wire in books.events if wire.kept),
            "distinct_accepted": sum(wire.accepted for wire in books.events if wire.kept),
            "weights_sent": sum(wire.made for wire in books.events if not wire.kept),
            "weights_accepted": sum(wire.accepted for wire in books.events if not wire.kept),
        },
        "day_closes": len(books.days),
        "deliveries": {
            "due": len(books.deliveries.due),
            "taken_in": len(books.deliveries.at_dock),
            "in_ledger": len(books.deliveries.in_ledger),
        },
    }
