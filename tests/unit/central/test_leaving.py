"""What leaves a store by a transfer: its gateway is told, and a transfer that the giver cannot spare any more is given up."""

import json
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import pytest
from central_rows import START_MS
from ledger_kinds import SQLITE
from test_ledger import STORE, Bench, bench
from test_mismatch import GIVER, OTHER, stand

from central import approvals, order_reports
from central.leaving import Leaving
from central.ledger.transfer_rows import leaving_units
from central.mismatch import terms_of
from central.transferring import raise_transfer
from contract.api.common import Decision
from contract.api.restock import ReportedStatus, StatusPost


@pytest.fixture
def centre() -> Iterator[Bench]:
    with bench(SQLITE) as made:
        for store, on_hand in ((STORE, 0), (GIVER, 40), (OTHER, 0)):
            stand(made, store, on_hand)
        _, found = made.centre.mismatch.look()
        mine = next(one for one in found if one.transfer.taker == STORE)
        terms = terms_of(made.settings)
        made.run(
            partial(raise_transfer, transfer=mine.transfer, giver=mine.giver, taker=mine.taker, terms=terms)
        )
        yield made


def look(centre: Bench) -> None:
    """A look of the thread that minds transfers; jobs run as the bench runs them."""

    class Here:
        ledger = centre.ledger
        clock = SimpleNamespace(now_ms=lambda: START_MS)

        def call_store(self, store: str, job):
            transaction = centre.centre.writer.transaction(START_MS)
            try:
                result = centre.centre.store_job(store, job)(transaction)
                transaction.commit()
            finally:
                transaction.close()
                centre.centre.memory.forget()
            return result

    Leaving(Here()).look()  # type: ignore[arg-type]


def approve(centre: Bench) -> int:
    [(trigger, units)] = centre.rows("SELECT trigger_id, quantity_units FROM triggers")
    centre.run(lambda work: approvals.approve(work, str(trigger), Decision(who="Ann", reason="")))
    centre.centre.memory.forget()
    return int(units)


def report(centre: Bench, status: str, **more: object) -> None:
    post = StatusPost(revision=1, status=ReportedStatus(status), at_ms=START_MS, **more)
    centre.run(lambda work: order_reports.report(work, "store-1-r1", post))
    centre.centre.memory.forget()


def told(centre: Bench) -> int:
    [(body,)] = centre.rows(f"SELECT body FROM documents WHERE store_id = '{GIVER}' AND kind = 'supply'")
    [line] = json.loads(str(body))["lines"]
    return int(line.get("leaving_units", 0))


def giver_has(centre: Bench, units: int | None) -> None:
    shown = "NULL" if units is None else str(units)
    centre.change(f"UPDATE stock SET on_hand_units = {shown} WHERE store_id = '{GIVER}'")


def test_the_givers_gateway_is_told_from_the_yes_until_the_goods_have_left(centre: Bench) -> None:
    look(centre)
    assert told(centre) == 0, "a person may still say no"
    units = approve(centre)
    look(centre)
    assert told(centre) == units > 0
    report(centre, "acknowledged")
    look(centre)
    assert told(centre) == units
    report(centre, "shipped", despatch="T-1", quantity_units=units)
    look(centre)
    assert told(centre) == 0, "its stock is less by them now"
    with centre.ledger.read.connect() as connection:
        assert leaving_units(connection, GIVER) == {}


def test_a_second_look_writes_nothing(centre: Bench) -> None:
    approve(centre)
    look(centre)
    [(before,)] = centre.rows(f"SELECT version FROM documents WHERE store_id = '{GIVER}' AND kind = 'supply'")
    look(centre)
    [(after,)] = centre.rows(f"SELECT version FROM documents WHERE store_id = '{GIVER}' AND kind = 'supply'")
    assert before == after


@pytest.mark.parametrize("approved", [False, True])
def test_a_transfer_that_the_giver_needs_itself_is_given_up_with_its_reason(
    centre: Bench, approved: bool
) -> None:
    if approved:
        approve(centre)
    giver_has(centre, 2)
    look(centre)
    assert centre.rows("SELECT state FROM triggers") == [("cancelled",)]
    [(reason,)] = centre.rows("SELECT reason FROM audit WHERE action = 'cancelled'")
    assert str(reason).startswith("store-2 needs them itself now: it can spare 0, not ")
    events = [str(kind) for (kind,) in centre.rows("SELECT type FROM outgoing ORDER BY number")]
    assert events[approved:] == ["shelfloop.restock.cancelled.v1"] * approved, (
        "who heard of it hears of its end"
    )
    look(centre)
    assert told(centre) == 0


@pytest.mark.parametrize("on_hand", [40, None])
def test_one_that_can_be_spared_or_whose_stock_nobody_knows_stays(centre: Bench, on_hand: int | None) -> None:
    giver_has(centre, on_hand)
    look(centre)
    assert centre.rows("SELECT state FROM triggers") == [("proposed",)]


def test_what_people_have_set_aside_is_not_taken_back(centre: Bench) -> None:
    approve(centre)
    report(centre, "acknowledged")
    giver_has(centre, 2)
    look(centre)
    assert centre.rows("SELECT state FROM triggers") == [("acknowledged",)]
