"""Sums that wait while the ledger is pressed: in the end they are those of batches that each wrote their own, whatever happens between."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from central_rows import START_MS, delivery, level, receipt, sale, window
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_kinds import POSTGRESQL, SQLITE, on_both
from local_postgresql import why_absent
from test_ledger import GATEWAY, STORE, Bench, StandingClock, bench
from test_sums_are_right import HOURS, MORE, SOME, SUMS, put_items, streams

from central import summing
from central.centre import Centre
from central.ingestion import take_batch
from central.ledger.unsummed import stores_behind, sum_up
from central.ledger.writer import PRESSED_JOBS, LedgerWriter, Transaction
from central.memory import LedgerMemory
from central.setup import rebuild_rollups
from contract.batch import BatchRows, batch_from_records
from contract.records import Record

WAIT_S = 60.0
SHELF = "SELECT at_ms, sku, picked_units, on_hand_units FROM rollups WHERE step_ms = 900000 ORDER BY 1, 2"
HOW = st.lists(
    st.sampled_from(("at once", "waits", "fails", "forgotten", "new process")), min_size=1, max_size=12
)


def send(
    centre: Bench, rows: list[Record], *, epoch: str = "e1", pressed: bool = True, fail: bool = False
) -> None:
    """As the batches' door does it. fail: nothing of it is committed, and the writer drops what it remembers."""
    batch = batch_from_records(
        gateway=GATEWAY, store=STORE, epoch=epoch, sent_at_ms=START_MS, have={}, rows=rows
    )
    transaction = centre.centre.writer.transaction(START_MS)
    transaction.is_pressed = pressed
    job = centre.centre.store_job(
        STORE, lambda work: take_batch(work, batch, BatchRows(tuple(rows), ())), sums_may_wait=True
    )
    try:
        answer = job(transaction)
        assert answer.acked_through >= rows[-1].seq
        assert not answer.rejected
        if not fail:
            transaction.commit()
    finally:
        transaction.close()
    if fail:
        centre.centre.memory.forget()


def windows(first: int, count: int = 3) -> list[Record]:
    return [
        window(1, seq=seq, at_ms=START_MS + seq * 60_000, picked_units=1, on_hand_units=100 - seq)
        for seq in range(first, first + count)
    ]


def behind(centre: Bench) -> list[str]:
    with centre.ledger.read.connect() as connection:
        return [store for store, _ in stores_behind(connection)]


@contextmanager
def at_work(centre: Centre) -> Iterator[None]:
    """The centre's writer in its own thread."""
    thread = threading.Thread(target=centre.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        centre.stop.set()
        thread.join(WAIT_S)


def check(kind: str, rows: list[Record], cuts: list[int], hows: list[str], late: bool) -> None:
    with bench(kind) as centre:
        centre.run(put_items)
        places = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
        batches = [rows[a:b] for a, b in itertools.pairwise(places) if a < b]
        sent = {"epoch-0": 0, "epoch-1": 0}
        for number, (batch, how) in enumerate(zip(batches, itertools.cycle(hows), strict=False)):
            epoch = f"epoch-{number % 2}" if late else "epoch-0"
            moved = [row.model_copy(update={"seq": sent[epoch] + n}) for n, row in enumerate(batch, 1)]
            sent[epoch] += len(batch)
            if how == "fails":
                send(centre, moved, epoch=epoch, fail=True)
            elif how == "forgotten":
                centre.centre.memory.forget()
            elif how == "new process":
                centre.centre = Centre(centre.ledger, centre.settings, StandingClock())
            send(centre, moved, epoch=epoch, pressed=how != "at once")
        centre.run(lambda _: None)
        assert behind(centre) == []
        grown = centre.rows(SUMS), centre.rows(HOURS)
        list(rebuild_rollups(centre.settings))
        assert (centre.rows(SUMS), centre.rows(HOURS)) == grown


@given(streams(), st.lists(st.integers(1, 12), max_size=8), HOW, st.booleans())
@settings(SOME, max_examples=8)
def test_sums_that_waited_equal_sums_made_anew(
    rows: list[Record], cuts: list[int], hows: list[str], late: bool
) -> None:
    check(SQLITE, rows, cuts, hows, late)


@pytest.mark.soak
@pytest.mark.skipif(bool(why_absent()), reason=why_absent())
@given(streams(), st.lists(st.integers(1, 12), max_size=8), HOW, st.booleans())
@MORE
def test_on_postgresql_too_sums_that_waited_equal_sums_made_anew(
    rows: list[Record], cuts: list[int], hows: list[str], late: bool
) -> None:
    check(POSTGRESQL, rows, cuts, hows, late)


@on_both
def test_what_waits_is_in_the_ledger_as_facts_and_its_sums_come_once(kind: str) -> None:
    with bench(kind) as centre:
        centre.run(put_items)
        send(centre, windows(1))
        send(centre, [*windows(4), delivery("D-1", 12, seq=7), level(1, 40, seq=8, at_ms=START_MS + 600_000)])
        # Facts, levels and the position are there; sums are not, and the position says from where on.
        assert centre.rows("SELECT sum(picked_units) FROM windows") == [(6,)]
        assert centre.rows("SELECT through_seq, unsummed_from FROM positions") == [(8, 1)]
        assert centre.rows("SELECT on_hand_units FROM stock WHERE sku = 'sku-1'") == [(40,)]
        assert centre.rows(SHELF) == []
        # A process that dies takes no sum with it: the next one reads them off the facts.
        centre.centre = Centre(centre.ledger, centre.settings, StandingClock())
        send(centre, windows(9), pressed=False)
        assert centre.rows(
            "SELECT sum(picked_units), max(level_ms) FROM rollups WHERE sku = 'sku-1' AND step_ms = 86400000"
        ) == [(9, START_MS + 12 * 60_000)]
        assert centre.rows("SELECT through_seq, unsummed_from FROM positions") == [(11, None)]
        before = centre.rows(SUMS)
        centre.centre.memory.forget()
        centre.run(lambda _: None)
        assert centre.rows(SUMS) == before


def test_sales_never_wait() -> None:
    with bench(SQLITE) as centre:
        centre.run(put_items)
        send(centre, [*windows(1), receipt(1, [sale(1, 2)], seq=4)])
        assert behind(centre) == [STORE]
        assert centre.rows("SELECT DISTINCT sold_units, picked_units FROM rollups WHERE sku = 'sku-1'") == [
            (2, 0)
        ]
        centre.run(lambda _: None)
        assert centre.rows(
            "SELECT sold_units, picked_units FROM rollups WHERE sku = 'sku-1' AND step_ms = 86400000"
        ) == [(2, 3)]


def test_no_more_than_so_many_batches_share_the_writing_of_their_sums() -> None:
    with bench(SQLITE) as centre:
        centre.run(put_items)
        for number in range(2 * summing.MAX_BATCHES):
            send(centre, windows(1 + 3 * number))
            is_last = (number + 1) % summing.MAX_BATCHES == 0
            assert behind(centre) == ([] if is_last else [STORE])


def test_a_chain_of_which_too_much_waits_writes_at_once() -> None:
    with bench(SQLITE) as centre:
        centre.run(put_items)
        centre.centre.memory.has_room = False
        send(centre, windows(1))
        assert behind(centre) == []


def test_a_store_that_spoke_a_minute_ago_writes_what_waits() -> None:
    with bench(SQLITE) as centre:
        centre.run(put_items)
        send(centre, windows(1))
        centre.centre.memory.known_store(STORE).unsummed.since_ms -= summing.BEHIND_MS
        send(centre, windows(4))
        assert behind(centre) == []


def test_an_items_list_that_changes_finds_nothing_waiting() -> None:
    """Which SKUs have sums by the hour is as it was when the windows came."""
    with bench(SQLITE) as centre:
        send(centre, windows(1))  # of a SKU that is not managed yet: sums by the day alone
        centre.run(put_items)
        assert centre.rows("SELECT DISTINCT step_ms FROM rollups") == [(86_400_000,)]


@on_both
def test_who_stops_the_centre_and_rebuilds_or_sums_up_misses_nothing(kind: str) -> None:
    with bench(kind) as centre:
        centre.run(put_items)
        send(centre, windows(1))
        list(rebuild_rollups(centre.settings))
        assert behind(centre) == []
        once = centre.rows(SUMS)
        centre.centre.memory.forget()
        send(centre, windows(4))
        with centre.ledger.write.begin() as connection:
            assert sum_up(connection, STORE, centre.centre.memory.known_store(STORE).zone)
        assert behind(centre) == []
        assert centre.rows(
            "SELECT sum(picked_units) FROM rollups WHERE sku = 'sku-1' AND step_ms = 900000"
        ) == [(6,)]
        assert centre.rows(SUMS) != once


@on_both
def test_who_reads_sums_finds_those_that_waited(kind: str) -> None:
    with bench(kind) as centre:
        centre.run(put_items)
        send(centre, windows(1))
        with at_work(centre.centre):
            summing.bring_up_to_date(centre.centre, [STORE])
            assert behind(centre) == []
        assert centre.rows(
            "SELECT sum(picked_units) FROM rollups WHERE sku = 'sku-1' AND step_ms = 900000"
        ) == [(3,)]


def test_sums_that_nobody_reads_are_written_by_the_sweep() -> None:
    with bench(SQLITE) as centre:
        centre.run(put_items)
        send(centre, windows(1))
        # After a start the centre has no store in memory, and finds what its predecessor left.
        centre.centre = Centre(centre.ledger, centre.settings, StandingClock())
        with at_work(centre.centre):
            deadline = time.monotonic() + WAIT_S
            while behind(centre) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert behind(centre) == []


def test_a_job_knows_when_others_wait() -> None:
    with bench(SQLITE) as made:
        writer = LedgerWriter(made.ledger, LedgerMemory(), StandingClock(), poll_s=0.01)
        stop = threading.Event()
        writer.tick = lambda _: None
        thread = threading.Thread(target=writer.run, args=(stop,), daemon=True)

        def look(transaction: Transaction) -> bool:
            return transaction.is_pressed

        waiting = [writer.submit(look) for _ in range(2 * PRESSED_JOBS)]
        thread.start()
        try:
            assert all(one.result(WAIT_S) for one in waiting)
            # Each is settled before the writer counts it as done: alone it is once it is.
            deadline = time.monotonic() + WAIT_S
            while writer.queued and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not writer.call(look)
        finally:
            stop.set()
            thread.join(WAIT_S)
