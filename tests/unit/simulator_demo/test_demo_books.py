"""Every equation of the accounting, broken one at a time."""

from dataclasses import replace

import pytest

from simulator.report import (
    Books,
    Cells,
    ClosedDay,
    Coupons,
    Deliveries,
    EventWire,
    FrameWire,
    Totals,
    Triggers,
    report_from_books,
    unbalanced,
)

DAY = Totals(receipts=3, lines=9, units=12, cents=4200)
KEY = ("shop-1", "till-1", "2017-09-04")
CELLS = Cells(
    units_taken=40, put_back_units=2, refilled_units=30, picks_counted=39, put_backs_counted=2, refills_counted=30, unresolved=1
)  # fmt: skip
FRAMES = FrameWire(
    "till-2 in shop-1",
    sent=100,
    accepted=90,
    duplicates=6,
    crc_rejected=4,
    bridge_kills=0,
    most_lost_per_kill=88,
)
EVENTS = EventWire(
    "till-1 in shop-1", made=50, accepted=50, duplicates=3, rejected=0, kept=True, killed=False
)
TRIGGERS = Triggers(
    created=3,
    approved=frozenset({"t1", "t2"}),
    dispatched=frozenset({"t1", "t2"}),
    consumed=frozenset({"t1", "t2"}),
    duplicates_in_effect=0,
)
COUPONS = Coupons(
    issued=5,
    in_wallets=5,
    redeemed=2,
    redeemed_at_tills=2,
    reversed=1,
    reversed_at_tills=1,
    duplicates_in_effect=0,
)
GOOD = Books(
    tills=DAY, ledger=DAY, days={KEY: ClosedDay(DAY, DAY, DAY)}, open_days=0, declared_gaps=0, cells=CELLS, frames=(FRAMES,),
    events=(EVENTS,), triggers=TRIGGERS, coupons=COUPONS, deliveries=Deliveries(due=("D-1",), at_dock=("D-1", "D-2"), in_ledger=("D-1", "D-2")),
)  # fmt: skip


def test_books_that_agree_balance() -> None:
    assert unbalanced(GOOD) == []
    assert report_from_books(GOOD)["balanced"] is True


@pytest.mark.parametrize("name", ["receipts", "lines", "units", "cents"])
def test_one_missing_in_the_ledger_is_found(name: str) -> None:
    ledger = replace(DAY, **{name: getattr(DAY, name) - 1})
    (reason,) = unbalanced(replace(GOOD, ledger=ledger))
    assert reason.startswith(f"{name}: ")
    assert "difference -1" in reason


ONE_MORE = replace(DAY, units=DAY.units + 1)
BROKEN = {
    "day 2017-09-04 of till-1": replace(GOOD, days={KEY: ClosedDay(DAY, ONE_MORE, DAY)}),
    "its day_close at the centre None": replace(GOOD, days={KEY: ClosedDay(DAY, None, None)}),
    "no day_close": replace(GOOD, open_days=1),
    "gaps are declared": replace(GOOD, declared_gaps=1),
    "still unacknowledged": replace(GOOD, pending=1),
    "3 planned kills did not happen": replace(GOOD, kills_undone=3),
    "refused /v1/orders": replace(GOOD, refused=("/v1/orders: 422",)),
    "units taken from cells: 40, counted 38": replace(GOOD, cells=replace(CELLS, picks_counted=38)),
    "units put on cells: 32, counted 35": replace(GOOD, cells=replace(CELLS, put_backs_counted=5)),
    "units put on cells: 32, counted 22": replace(GOOD, cells=replace(CELLS, refills_counted=20)),
    "1 of 101 lost; 0 kills": replace(GOOD, frames=(replace(FRAMES, sent=101),)),
    "177 of 277 lost; 2 kills of its bridge explain 176 at most": replace(
        GOOD, frames=(replace(FRAMES, sent=277, bridge_kills=2),)
    ),
    "the gateway put 1 of 51 into quarantine": replace(GOOD, events=(replace(EVENTS, made=51, rejected=1),)),
    "trigger t4 was approved and never dispatched": replace(
        GOOD, triggers=replace(TRIGGERS, approved=frozenset({"t1", "t2", "t4"}))
    ),
    "1 more arrived than the 99": replace(GOOD, frames=(replace(FRAMES, sent=99, bridge_kills=1),)),
    "1 of 51 never arrived": replace(GOOD, events=(replace(EVENTS, made=51, killed=True),)),
    "1 more accepted than the 49": replace(GOOD, events=(replace(EVENTS, made=49),)),
    "2 of 52 never arrived": replace(GOOD, events=(replace(EVENTS, made=52, kept=False),)),
    "trigger t2 was dispatched and never consumed": replace(
        GOOD, triggers=replace(TRIGGERS, consumed=frozenset({"t1"}))
    ),
    "trigger t3 was consumed and never dispatched": replace(
        GOOD, triggers=replace(TRIGGERS, consumed=frozenset({"t1", "t2", "t3"}))
    ),
    "1 triggers took effect twice": replace(GOOD, triggers=replace(TRIGGERS, duplicates_in_effect=1)),
    "coupons issued: 5 at the centre, 4 in wallets": replace(GOOD, coupons=replace(COUPONS, in_wallets=4)),
    "coupons redeemed: 2 at the centre, 3": replace(GOOD, coupons=replace(COUPONS, redeemed_at_tills=3)),
    "coupons reversed: 1 at the centre, 0": replace(GOOD, coupons=replace(COUPONS, reversed_at_tills=0)),
    "in a wallet twice": replace(GOOD, coupons=replace(COUPONS, duplicates_in_effect=1)),
    "despatch D-1 was taken in 2 times": replace(
        GOOD, deliveries=Deliveries(("D-1",), ("D-1", "D-1"), ("D-1",))
    ),
    "despatch D-1: 1 times at the dock, 0 times": replace(GOOD, deliveries=Deliveries((), ("D-1",), ())),
    "despatch D-1: 1 times at the dock, 2 times": replace(
        GOOD, deliveries=Deliveries((), ("D-1",), ("D-1", "D-1"))
    ),
    "despatch D-1: 0 times at the dock, 1 times": replace(GOOD, deliveries=Deliveries((), (), ("D-1",))),
    "despatch D-9 was due": replace(GOOD, deliveries=Deliveries(("D-9",), ())),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_each_broken_equation_is_named_alone(reason: str) -> None:
    found = unbalanced(BROKEN[reason])
    assert len(found) == 1
    assert reason in found[0]
    assert report_from_books(BROKEN[reason])["balanced"] is False


def test_frames_and_weights_lost_to_a_kill_are_counted_and_forgiven() -> None:
    books = replace(
        GOOD,
        frames=(replace(FRAMES, sent=103, bridge_kills=1),),
        events=(EVENTS, EventWire("shelf-1 in shop-1", 20, 18, 0, 0, kept=False, killed=True)),
    )
    report = report_from_books(books)
    assert report["balanced"] is True
    assert report["transmissions"] == {
        "sent": 103, "accepted": 90, "duplicates": 6, "crc_rejected": 4, "lost": 3, "distinct_sent": 50,
        "distinct_accepted": 50, "weights_sent": 20, "weights_accepted": 18,
    }  # fmt: skip


def test_a_quarantined_weight_has_arrived() -> None:
    weights = EventWire(
        "shelf-1 in shop-1", made=51, accepted=50, duplicates=0, rejected=1, kept=False, killed=False
    )
    assert unbalanced(replace(GOOD, events=(weights,))) == []


def test_proposals_that_wait_for_a_person_are_listed_and_no_fault() -> None:
    books = replace(GOOD, triggers=replace(TRIGGERS, waiting=("t3: 12 x Milk for shop-1, worth 90.00",)))
    report = report_from_books(books)
    assert report["balanced"] is True
    assert report["triggers"]["waiting"] == ["t3: 12 x Milk for shop-1, worth 90.00"]


def test_a_unit_taken_and_put_back_unseen_is_forgiven_only_where_readings_were_missed() -> None:
    cells = replace(
        CELLS, units_taken=44, put_back_units=6, picks_counted=40, put_backs_counted=2, unresolved=0
    )
    assert len(unbalanced(replace(GOOD, cells=cells))) == 2
    missed = replace(cells, readings_missed=True)
    assert missed.unseen_pairs == 4
    assert unbalanced(replace(GOOD, cells=missed)) == []
    assert len(unbalanced(replace(GOOD, cells=replace(missed, put_backs_counted=3)))) == 2


def test_a_small_refill_may_be_taken_for_a_put_back() -> None:
    cells = replace(CELLS, put_backs_counted=4, refills_counted=28, unresolved=1)
    assert unbalanced(replace(GOOD, cells=cells)) == []
