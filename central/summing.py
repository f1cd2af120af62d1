"""When sums by time are written: with the batch, or, while others wait for the ledger, once for several batches of a store.

A batch's facts, position, levels and decisions are always one transaction, and so are the sums of its sales. Sums of windows and
stock facts may wait in memory: the position says from which seq on they are missing, so that whoever loads the store makes them
again from the facts. They are written with a later batch, by the sweep once nobody waits, or before anybody reads them.
"""

import contextlib
from collections.abc import Collection
from concurrent.futures import wait
from typing import TYPE_CHECKING

from central.context import Work
from central.core.rollups import QUARTER_MS, RollupSums, category_hours
from central.errors import BusyError
from central.ledger import facts, unsummed
from central.ledger.facts import STATEMENTS
from central.store_memory import Unsummed
from central.timeseries import projection

if TYPE_CHECKING:
    from central.centre import Centre
    from central.ledger.writer import Transaction

MAX_BATCHES = 32
"""Of one store that share the writing of their sums."""
MAX_HELD = 2_000
"""Sums by the quarter hour that wait, of one store."""
BEHIND_MS = 60_000
"""A store that goes on talking writes its sums after so long; one that fell silent before is found by the sweep after as long again."""
READ_AT_ONCE, READ_WAIT_S, SWEPT_AT_ONCE = 64, 2.0, 128
"""Stores that a reader waits for, and how long at most; stores that one sweep brings up to date."""


def put_sums(work: Work, gateway: str, epoch: str, first_seq: int, sums: RollupSums) -> int | None:
    """Writes the sums of a batch, or the sales of them and keeps the rest. Returns the position's `unsummed_from`."""
    store = work.store
    if not _may_wait(work):
        _write_with(work, sums, (gateway, epoch))
        return None
    known = store.positions.get((gateway, epoch))
    waiting_from = known.unsummed_from if known is not None else None
    if sums.held:
        if store.unsummed is None:
            store.unsummed = Unsummed(RollupSums(store.zone, store.items), work.now_ms)
        store.unsummed.sums.take_shelf(sums.give_shelf())
        store.unsummed.batches += 1
        waiting_from = first_seq if waiting_from is None else waiting_from
    _write(work, sums)
    return waiting_from


def sum_up(work: Work) -> None:
    """Writes what waits of the store."""
    if work.store.unsummed is not None:
        _write_with(work, RollupSums(work.store.zone, work.store.items), None)


def _may_wait(work: Work) -> bool:
    if not work.transaction.is_pressed or not work.memory.has_room:
        return False
    kept = work.store.unsummed
    return kept is None or (
        kept.batches + 1 < MAX_BATCHES
        and kept.sums.held < MAX_HELD
        and work.now_ms - kept.since_ms < BEHIND_MS
    )


def _write_with(work: Work, sums: RollupSums, speaking: tuple[str, str] | None) -> None:
    """`sums` and all that waits. speaking: whose position is written by the caller."""
    store = work.store
    kept, store.unsummed = store.unsummed, None
    if kept is None:
        _write(work, sums)
        return
    kept.sums.take_shelf(sums.give_shelf())
    kept.sums.take_sales(sums.give_sales())
    _write(work, kept.sums)
    behind = {
        key: position
        for key, position in store.positions.items()
        if position.unsummed_from is not None and key != speaking
    }
    rows = [
        (store.store, *key, position.through_seq, position.ordinal, work.now_ms, work.now_ms, None)
        for key, position in behind.items()
    ]
    work.transaction.later(STATEMENTS["positions"], rows)
    for position in behind.values():
        position.unsummed_from = None


def _write(work: Work, sums: RollupSums) -> None:
    store, rows = work.store, sums.rows()
    if not rows:
        return
    work.transaction.later(STATEMENTS["rollups"], facts.rollup_rows(store.store, rows))
    hours = category_hours(rows, store.category_of)
    work.transaction.later(STATEMENTS["category_hours"], facts.category_rows(store.store, hours))
    if work.settings.influx_url:
        quarters = {at_ms for step_ms, _, at_ms in rows if step_ms == QUARTER_MS}
        projection.mark_changed(work.connection, store.store, quarters)


# ---- for those who read ----


def bring_up_to_date(centre: "Centre", stores: Collection[str] | None = None) -> None:
    """Before sums are read: writes those that wait, of `stores` (None: all).

    Of more than READ_AT_ONCE it leaves them to the sweep: a chain's page under load may lack what the last two minutes' batches add.
    """
    with centre.ledger.read.connect() as connection:
        behind = unsummed.stores_behind(connection, stores)
    if not behind or len(behind) > READ_AT_ONCE:
        return
    # A ledger that is too busy to write them gives the answer that it has.
    with contextlib.suppress(BusyError):
        waiting = [centre.writer.submit(centre.store_job(store, _nothing)) for store, _ in behind]
        wait(waiting, READ_WAIT_S)


def sweep(centre: "Centre", transaction: "Transaction") -> None:
    """Lets sums be written that wait; while others wait for the ledger only those of stores that have fallen silent.

    Of stores that this process does not have in memory only those that nobody has written for long: another one may have them.
    """
    now_ms, is_pressed = transaction.now_ms, centre.writer.is_pressed
    due = [
        store
        for store, heard_ms in unsummed.stores_behind(transaction.connection)
        if now_ms - heard_ms >= (BEHIND_MS if centre.memory.knows(store) else 3 * BEHIND_MS)
        or (not is_pressed and (centre.memory.knows(store) or not transaction.is_shared))
    ]
    try:
        for store in due[:SWEPT_AT_ONCE]:
            centre.writer.submit(centre.store_job(store, _nothing))
    except BusyError:
        return  # the next sweep finds them again


def _nothing(_: Work) -> None:
    """Whatever job a store has, the sums that wait are written before it."""
