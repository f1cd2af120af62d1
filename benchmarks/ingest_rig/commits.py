"""Batches committed with all that follows from them, beside what the same database does alone, turn by turn."""

import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import sqlalchemy as sa

from benchmarks.ingest_rig.batches import BATCH_ROWS, START_MS, body_of, records
from benchmarks.ingest_rig.databases import InProcess, NewUrl, size_bytes, timed
from benchmarks.ingest_rig.raw import RAW, SHAPES, Floor, following, rows_of
from benchmarks.ingest_rig.rows import Result, row
from central.summing import MAX_BATCHES
from runtime.heap import keep_what_is_loaded
from simulator.fleet import FleetGateway

GOAL_SHARE = 0.5
FLEET_ROWS = 20
QUICK_CURVE = (10, 100, 1000)
CURVE = (*QUICK_CURVE, 10_000)


def commit_rate(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    """One turn: a transaction of the centre, then one of each raw way; so that a busy machine is busy for all of them.

    While batches wait for each other a store's sums are written once in MAX_BATCHES: counted are rounds of so many turns, each of
    which ends with nothing left to write. Beside it a centre where nobody waits, and each batch writes its own sums.
    """
    count, warm_up = (3 if quick else 12) * MAX_BATCHES, MAX_BATCHES
    raw, floor = RAW[kind](new_url()), Floor(new_url())
    centre, alone = InProcess(new_url(), 1), InProcess(new_url(), 1)
    empty = size_bytes(centre.ledger)
    told = [records(n * BATCH_ROWS + 1) for n in range(warm_up + count)]
    bodies, others = ([body_of(one.fleet[0], rows) for rows in told] for one in (centre, alone))
    seconds: dict[str, list[float]] = defaultdict(list)
    worked: dict[str, list[float]] = defaultdict(list)

    def take_turn(name: str, act: Callable[[], object]) -> None:
        began_s = time.process_time()
        seconds[name].append(timed(act))
        worked[name].append(time.process_time() - began_s)

    keep_what_is_loaded()  # as the centre does when it starts
    for turn, (body, other) in enumerate(zip(bodies, others, strict=True)):
        take_turn("centre", partial(centre.take, body, is_pressed=True))
        if (turn + 1) % MAX_BATCHES == 0 and centre.is_behind():
            raise SystemExit("sums are left to write after a round: its time is not that of all its work")
        take_turn("nobody waits", partial(alone.take, other))
        for shape, way in itertools.product(SHAPES, raw.ways):
            rows = rows_of(shape, turn)
            take_turn(f"{shape} {way}", partial(raw.insert, shape, way, rows))
        rows, (sums, levels) = rows_of("same", turn), following(turn)
        take_turn("all sql", partial(floor.insert, rows, sums, levels))
    raw.close()
    floor.close()
    alone.ledger.close()
    size = size_bytes(centre.ledger)
    with centre.ledger.read.connect() as connection:
        kept = sum(
            int(connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar() or 0)
            for table in ("windows", "stock_facts", "proposals", "stock", "rollups", "category_hours")
        )
    centre.ledger.close()
    rates = {name: BATCH_ROWS / _of_one(found[warm_up:]) for name, found in seconds.items()}
    rate, sent = rates.pop("centre"), len(bodies) * BATCH_ROWS
    yield row(f"{kind}: committed with decisions, transactions of 500 rows", round(rate), "rows/s", None, "higher",
              **{name: round(value) for name, value in rates.items()})  # fmt: skip
    rates.pop("nobody waits")
    for shape, said in (
        ("same", "of the same rows"),
        ("all", "of the same rows, their sums and levels"),
        ("narrow", "of narrow rows (store, SKU, time, 6 numbers)"),
    ):
        best = max(value for name, value in rates.items() if name.startswith(shape))
        yield row(
            f"{kind}: share of the best raw rate {said}", round(rate / best, 2), "share", GOAL_SHARE, "higher"
        )
    # On a machine that others use, too, this moves less than the rates. PostgreSQL's own processes are not in it.
    at_work = {name: _of_one(found[warm_up:]) * 1000 for name, found in worked.items()}
    yield row(f"{kind}: processor time of this process for 500 rows", round(at_work.pop("centre"), 2), "ms", None, "lower",
              **{name: round(value, 2) for name, value in at_work.items()})  # fmt: skip
    yield row(f"{kind}: bytes on disk for each row that was sent, sums and indexes included",
              round((size - empty) / sent), "bytes", None, "lower")  # fmt: skip
    yield row(f"{kind}: rows in the ledger for each row that was sent", round(kept / sent, 2), "rows", None, "lower")  # fmt: skip


def _of_one(turns: Sequence[float]) -> float:
    """Of the rounds' means the middle one: a round has all the work that its batches make."""
    rounds = [turns[first : first + MAX_BATCHES] for first in range(0, len(turns), MAX_BATCHES)]
    return statistics.median(statistics.mean(found) for found in rounds)


def cost_curve(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    """Batches of 20 rows from all stores in turn; SQLite shares transactions of 25 batches, PostgreSQL one a store."""
    for stores in QUICK_CURVE if quick else CURVE:
        centre = InProcess(new_url(), stores, skus=20)
        together = 25 if kind == "sqlite" else 1
        batches = max(400 if quick else 2000, together)
        for turn in range(2):  # the first turn loads what memory keeps of each store
            senders = list(itertools.islice(itertools.cycle(centre.fleet), stores if turn == 0 else batches))
            bodies = [one.body(FLEET_ROWS, START_MS + turn, 20) for one in senders if _step(one)]
            began = time.perf_counter()
            for first in range(0, len(bodies), together):
                centre.take(*bodies[first : first + together])
            seconds = time.perf_counter() - began
        centre.ledger.close()
        yield row(f"{kind}: cost of a row, {stores} stores", round(seconds / len(bodies) / FLEET_ROWS * 1e6, 1), "µs", None,
                  "lower")  # fmt: skip


def _step(one: FleetGateway) -> bool:
    """The batch before was taken: the next one follows it. `body` does not move the sender by itself."""
    one.through_seq += FLEET_ROWS if one.epoch == "e1" else 0
    one.epoch = "e1"
    return True
