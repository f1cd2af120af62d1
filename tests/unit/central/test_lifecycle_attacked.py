"""The life of orders as a stranger would have it: late, twice, out of order, at the wrong moment. On a real ledger."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest
from central_rows import START_MS, delivery, proposal
from ledger_kinds import SQLITE
from test_assortment import set_up
from test_ledger import STORE, Bench, bench

from central import approvals, arrivals, assortment, deadlines, order_reports, transferring
from central.core.evidence import decide_again
from central.core.transfers import Outlook, Terms, Transfer
from central.errors import ConflictError
from central.ledger import restock_rows, supplier_rows
from central.ledger.audit_check import verify_audit
from contract.api.common import Decision
from contract.api.deliveries import AssortmentPost
from contract.api.restock import OutsideOrder, ReportedStatus, StatusPost
from contract.api.suppliers import SupplierPut

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
# START_MS is Monday 2017-09-04, 12:00 UTC, 8:00 in New York; the depot takes orders until 10:00 there.
CUTOFF_MS = START_MS + 2 * HOUR_MS
ANN = Decision(who="Ann", reason="")


class Life(Bench):
    """A bench whose clock the test moves."""

    now_ms = START_MS
    seq = 0

    def run(self, job: Any, *, fail: bool = False) -> Any:
        transaction = self.centre.writer.transaction(self.now_ms)
        try:
            result = self.centre.store_job(STORE, job)(transaction)
            transaction.commit()
        finally:
            transaction.close()
            self.centre.memory.forget()  # what is in memory must be what the rows say
        # The relay, after the commit.
        relay = self.centre.writer.transaction(self.now_ms)
        self.centre._relay(relay)
        relay.commit()
        relay.close()
        self.centre.memory.forget()
        return result

    def at(self, now_ms: int) -> "Life":
        """The round of that minute."""
        self.now_ms = now_ms
        self.run(deadlines.expire)
        self.run(assortment.apply_due)
        return self

    def propose(self, units: int = 24, number: int = 1, **more: Any) -> str:
        self.seq += 1
        rows = {"target_units": float(units), "watermark_ms": self.now_ms, "at_ms": self.now_ms, **more}
        self.send([proposal(number, units, **rows).model_copy(update={"seq": self.seq})])
        return str(self.rows(f"SELECT outcome FROM proposals WHERE seq = {self.seq}")[0][0])

    def tell(self, *rows: Any) -> None:
        told = []
        for row in rows:
            self.seq += 1
            told.append(row.model_copy(update={"seq": self.seq}))
        self.send(told)

    def report(self, status: str, revision: int = 1, trigger: str = "store-1-r1", **more: Any) -> None:
        post = StatusPost(revision=revision, status=ReportedStatus(status), at_ms=self.now_ms, **more)
        self.run(lambda work: order_reports.report(work, trigger, post))

    def calendar(self, **more: Any) -> None:
        put = SupplierPut.model_validate(
            {
                "name": "Depot", "timezone": "America/New_York", "order_weekdays": list(range(7)), "cutoff_minute": 600,
                "lead_time_days": 1, **more,
            }
        )  # fmt: skip
        self.run(lambda work: supplier_rows.put_supplier(work.connection, "depot", put, self.now_ms))

    def switch(self, *, on: bool) -> None:
        row = {
            "scope": "store",
            "target": STORE,
            "on": int(on),
            "who": "Ann",
            "reason": "",
            "now": self.now_ms,
        }
        self.run(lambda work: restock_rows.put_switch(work.connection, row))

    @property
    def trigger(self) -> tuple[object, ...]:
        """(state, revision, units) of the first."""
        return self.rows("SELECT state, revision, quantity_units FROM triggers WHERE number = 1")[0]

    @property
    def state(self) -> object:
        return self.trigger[0]

    def on_order(self) -> int:
        return int(self.run(lambda work: work.store.on_order("sku-1")))

    def events(self) -> list[str]:
        return [str(kind).split(".")[2] for (kind,) in self.rows("SELECT type FROM outgoing ORDER BY number")]


@pytest.fixture
def life() -> Iterator[Life]:
    with bench(SQLITE) as made:
        set_up(made)
        made.centre.memory.forget()
        made.__class__ = Life
        assert isinstance(made, Life)
        yield made
        with made.ledger.read.connect() as connection:
            # The documents that the test put itself are nobody's; every trigger and status must be vouched for.
            assert [broken for broken in verify_audit(connection).breaks if broken.number] == []


SHIPPED = {"despatch": "D-1", "quantity_units": 24}


@pytest.mark.parametrize("order", list(permutations(("acknowledged", "ordered", "shipped"))))
def test_statuses_in_any_order_and_twice_lead_to_the_same_end(life: Life, order: tuple[str, ...]) -> None:
    life.propose()
    for status in (*order, *order):
        life.report(status, **(SHIPPED if status == "shipped" else {}))
        assert life.on_order() == 24
    assert life.state == "shipped"
    life.tell(delivery("D-1", 24))
    for status in order:
        life.report(status, **(SHIPPED if status == "shipped" else {}))
    assert (life.state, life.on_order()) == ("closed", 0)


def test_goods_that_arrive_before_anybody_says_shipped_close_the_order_once(life: Life) -> None:
    life.propose()
    life.tell(delivery("D-1", 20))
    life.report("shipped", **SHIPPED)
    assert (life.state, life.on_order()) == ("closed", 0)
    assert life.rows("SELECT received_units FROM triggers") == [(20,)]


def test_a_change_that_was_refused_is_not_taken_by_an_older_acknowledgement_of_it(life: Life) -> None:
    life.propose()
    life.report("acknowledged")
    assert life.propose(48).startswith("changed")
    life.report("rejected", 2)
    assert life.on_order() == 24
    life.report("acknowledged", 2)  # it was sent before the rejection, and came after it
    assert (life.trigger[2], life.on_order()) == (24, 24)
    assert life.rows("SELECT agreed_revision, agreed_units FROM triggers") == [(1, 24)]
    life.report("ordered", 1)
    assert (life.state, life.on_order()) == ("ordered", 24)


def test_an_order_that_waits_for_its_cut_off_was_never_sent_and_takes_no_status(life: Life) -> None:
    life.calendar()
    assert life.propose().startswith("held for the cut-off")
    with pytest.raises(ConflictError, match="was not sent yet"):
        life.report("acknowledged")
    assert life.at(CUTOFF_MS - 1).events() == []
    assert life.at(CUTOFF_MS).events() == ["trigger"]
    life.report("acknowledged")
    assert life.state == "acknowledged"


@pytest.mark.parametrize(
    ("day", "offset_h"),
    [("2017-11-03", 14), ("2017-11-04", 14), ("2017-11-05", 15), ("2018-03-10", 15), ("2018-03-11", 14)],
)
def test_a_cut_off_keeps_its_local_hour_over_a_change_of_the_clocks(
    life: Life, day: str, offset_h: int
) -> None:
    """10:00 in New York is 14:00 UTC in summer and 15:00 in winter; the clocks change on 2017-11-05 and 2018-03-11."""
    life.calendar()
    midnight_ms = _utc_midnight_ms(day)
    life.now_ms = midnight_ms + 12 * HOUR_MS
    assert life.propose().startswith("held for the cut-off")
    due_ms = midnight_ms + offset_h * HOUR_MS
    assert life.rows("SELECT due_ms FROM triggers") == [(due_ms,)]
    assert life.at(due_ms - 1).events() == []
    assert life.at(due_ms).events() == ["trigger"]


def test_a_cut_off_in_the_hour_that_does_not_exist_is_one_cut_off(life: Life) -> None:
    life.calendar(cutoff_minute=150)  # 2:30, which 2018-03-11 has not, and 2017-11-05 has at 1:30 twice
    for day in ("2018-03-11", "2017-11-05"):
        life.now_ms = _utc_midnight_ms(day) + 6 * HOUR_MS - 30 * MINUTE_MS
        calendar = life.run(lambda work: work.memory.calendar_of(work.connection, "depot"))
        first = calendar.next_cutoff_ms(life.now_ms)
        following = calendar.next_cutoff_ms(first)
        assert life.now_ms < first < following
        assert 23 * HOUR_MS <= following - first <= 25 * HOUR_MS


@pytest.mark.parametrize(
    ("pack", "kept"), [(6, (24, 2)), (18, (18, 2)), (20, (20, 2)), (25, None)], ids=["6", "18", "20", "25"]
)
@pytest.mark.parametrize("waits", ["for the cut-off", "for a person"])
def test_a_new_pack_reaches_orders_that_nobody_outside_has_heard_of(
    life: Life, waits: str, pack: int, kept: tuple[int, int] | None
) -> None:
    life.calendar()
    life.propose(doubt="" if waits == "for the cut-off" else "the scale is unsteady")
    before = life.state
    change = {"sku": "sku-1", "from_ms": START_MS + HOUR_MS, "change": "pack", "pack_units": pack}
    post = AssortmentPost.model_validate({"changes": [change]})
    life.run(lambda work: assortment.take_changes(work, post, "the erp"))
    assert life.trigger == (before, 1, 24)
    life.at(START_MS + HOUR_MS)
    if kept is None:
        assert (life.state, life.events()) == ("cancelled", [])
        return
    assert life.trigger == (before, kept[1], kept[0])
    assert life.rows("SELECT pack_units FROM triggers") == [(pack,)]
    if waits == "for a person":
        life.run(lambda work: approvals.approve(work, "store-1-r1", ANN))
    life.at(CUTOFF_MS)
    assert life.events() == ["trigger"]
    assert life.on_order() == kept[0]


def test_a_new_pack_leaves_orders_alone_that_are_on_their_way(life: Life) -> None:
    life.propose()
    life.report("acknowledged")
    post = AssortmentPost.model_validate(
        {"changes": [{"sku": "sku-1", "from_ms": START_MS, "change": "pack", "pack_units": 18}]}
    )
    life.run(lambda work: assortment.take_changes(work, post, "the erp"))
    assert life.trigger == ("acknowledged", 1, 24)
    assert life.rows("SELECT pack_units FROM triggers") == [(12,)]


def delist(life: Life, from_ms: int) -> None:
    post = AssortmentPost.model_validate(
        {"changes": [{"sku": "sku-1", "from_ms": from_ms, "change": "delist"}]}
    )
    life.run(lambda work: assortment.take_changes(work, post, "the erp"))


def test_a_delisting_leaves_goods_in_transit_on_order_and_takes_them_in(life: Life) -> None:
    life.propose()
    life.report("acknowledged")
    life.report("shipped", **SHIPPED)
    delist(life, START_MS)
    assert (life.state, life.on_order()) == ("shipped", 24)
    assert life.propose(48) == "held: the SKU is delisted from 2017-09-04T12:00:00.000Z on"
    life.tell(delivery("D-1", 24))
    assert (life.state, life.on_order()) == ("closed", 0)


def test_what_is_delisted_in_the_minute_of_its_cut_off_is_not_ordered(life: Life) -> None:
    life.calendar()
    life.propose()
    delist(life, CUTOFF_MS)
    life.now_ms = CUTOFF_MS
    life.run(deadlines.expire)  # before the round that applies the delisting
    assert (life.state, life.events()) == ("cancelled", [])


def test_a_switch_thrown_while_an_order_waits_for_its_cut_off_holds_it_back(life: Life) -> None:
    life.calendar()
    life.propose()
    life.now_ms += MINUTE_MS
    life.switch(on=True)
    assert (life.at(CUTOFF_MS).state, life.events()) == ("approved", [])
    life.switch(on=False)
    assert (life.at(CUTOFF_MS + MINUTE_MS).state, life.events()) == ("sent", ["trigger"])


def test_an_order_that_a_person_approved_in_spite_of_a_switch_goes_out_at_its_cut_off(life: Life) -> None:
    life.calendar()
    life.switch(on=True)
    life.now_ms += MINUTE_MS
    assert life.propose().startswith("waiting")
    life.run(lambda work: approvals.approve(work, "store-1-r1", ANN))
    assert (life.state, life.events()) == ("approved", [])
    assert (life.at(CUTOFF_MS).state, life.events()) == ("sent", ["trigger"])


def test_an_order_that_a_switch_held_for_too_long_expires_unheard_of(life: Life) -> None:
    life.calendar()
    life.propose()
    life.switch(on=True)
    expiry_ms = CUTOFF_MS + life.settings.trigger_expiry_h * HOUR_MS
    assert life.at(expiry_ms - 1).state == "approved"
    assert (life.at(expiry_ms).state, life.events(), life.on_order()) == ("expired", [], 0)


@pytest.mark.parametrize("first", ["the acknowledgement", "the expiry"])
def test_an_expiry_and_an_acknowledgement_of_one_moment_agree_on_one_end(life: Life, first: str) -> None:
    life.propose()
    expiry_ms = START_MS + life.settings.trigger_expiry_h * HOUR_MS
    life.now_ms = expiry_ms
    if first == "the acknowledgement":
        life.report("acknowledged")
        life.at(expiry_ms)
        assert (life.state, life.events(), life.on_order()) == ("acknowledged", ["trigger"], 24)
        return
    life.at(expiry_ms)
    life.report("acknowledged")
    assert (life.state, life.events(), life.on_order()) == ("expired", ["trigger", "cancelled"], 0)
    life.report("shipped", **SHIPPED)  # they placed it all the same: it is on its way, and counts
    assert (life.state, life.on_order()) == ("expired", 24)
    life.tell(delivery("D-1", 24))
    assert life.on_order() == 0


@pytest.mark.parametrize(("arrives_day", "days"), [(None, 2 + 21), ("2017-10-20", 46 + 21)])
def test_goods_are_waited_for_until_after_the_day_they_were_announced_for(
    life: Life, arrives_day: str | None, days: int
) -> None:
    life.propose()
    life.report("acknowledged", arrives_day=arrives_day)
    outside = OutsideOrder(
        order="PO-9", store=STORE, sku="sku-1", quantity_units=12, at_ms=START_MS, arrives_day=arrives_day
    )
    life.run(lambda work: arrivals.place_outside_order(work, outside))
    assert life.at(START_MS + (days - 1) * DAY_MS).on_order() == 36
    assert life.at(START_MS + (days + 1) * DAY_MS).on_order() == 0


def test_what_waited_is_withdrawn_when_newer_data_say_that_it_is_not_needed(life: Life) -> None:
    assert life.propose(on_hand_units=None, doubt="stock is unknown").startswith("waiting")
    assert life.propose(24, on_hand_units=30).startswith("withdrawn")
    assert (life.state, life.events()) == ("cancelled", [])


def budget(life: Life, cents: int) -> None:
    life.run(lambda work: supplier_rows.put_budget(work.connection, STORE, cents))


def left(life: Life) -> int | None:
    """Of the budget of the day of `life.now_ms`, by its store's midnight."""
    midnight_ms = life.now_ms - (life.now_ms - 4 * HOUR_MS) % DAY_MS
    found = life.run(lambda work: supplier_rows.budget_left_cents(work.connection, STORE, midnight_ms, ""))
    return None if found is None else int(found)


def test_a_budget_begins_anew_at_the_stores_midnight_also_where_a_month_ends(life: Life) -> None:
    midnight_ms = _utc_midnight_ms("2017-10-01") + 4 * HOUR_MS  # New York's
    life.now_ms = midnight_ms - 1
    budget(life, 5_000)
    assert life.propose().startswith("approved")  # 24 x 150
    assert left(life) == 1_400
    assert life.propose(number=2).startswith("waiting")  # it would not be covered today
    life.now_ms = midnight_ms
    assert left(life) == 5_000
    assert life.propose(number=2).startswith("approved")
    # Raised yesterday, decided today: it is today's budget that paid.
    assert left(life) == 1_400
    assert life.propose(number=3).startswith("waiting")


def test_an_order_of_yesterday_that_grows_takes_the_growth_of_todays_budget(life: Life) -> None:
    budget(life, 10_000)
    life.propose()
    life.report("acknowledged")
    life.now_ms = START_MS + DAY_MS
    assert life.propose(48, on_hand_units=0).startswith("changed")
    assert left(life) == 10_000 - 24 * 150


def carry(life: Life, units: int, taken: str = "store-1-r1") -> None:
    """Asks whether so many of sku-1 come from store-2, which expects to sell 6 a day until its own delivery in 2 days."""
    giver = Outlook("store-2", 60, [6.0] * 7, [8.0] * 7, (), 2, None, 100, 150)
    taker = replace(giver, store=STORE, on_hand_units=0)
    transfer = Transfer("sku-1", "store-2", STORE, units, 5.0, 10.0, 1.0, 500, None)
    life.run(lambda work: transferring.raise_transfer(work, transfer, giver, taker, Terms()))
    assert life.rows("SELECT trigger_id FROM triggers WHERE state = 'proposed'") == [(taken,)]


def stock_of_giver(life: Life, units: int | None) -> None:
    life.change("DELETE FROM stock WHERE store_id = 'store-2'")
    on_hand = "NULL" if units is None else units
    life.change(
        "INSERT INTO stock (store_id, sku, at_ms, on_hand_units, on_shelf_units, shrink_units) "
        f"VALUES ('store-2', 'sku-1', {START_MS}, {on_hand}, 0, 0)"
    )


@pytest.mark.parametrize(
    ("on_hand", "says"),
    [(60, None), (40, "can spare 18, not 24"), (0, "can spare 0, not 24"), (None, "not known")],
)
def test_a_giver_that_sold_out_before_the_yes_is_not_taken_from(
    life: Life, on_hand: int | None, says: str | None
) -> None:
    carry(life, 24)
    stock_of_giver(life, on_hand)
    if says is None:
        life.run(lambda work: approvals.approve(work, "store-1-r1", ANN))
        assert (life.state, life.events()) == ("sent", ["trigger"])
        return
    with pytest.raises(ConflictError, match=says):
        life.run(lambda work: approvals.approve(work, "store-1-r1", ANN))
    assert (life.state, life.events()) == ("proposed", [])
    if on_hand == 40:
        fewer = Decision(who="Ann", reason="", quantity_units=18)
        life.run(lambda work: approvals.approve(work, "store-1-r1", fewer))
        assert life.trigger == ("sent", 2, 18)


def test_two_transfers_never_take_the_same_units_of_a_giver(life: Life) -> None:
    carry(life, 24)
    stock_of_giver(life, 60)
    life.run(lambda work: approvals.approve(work, "store-1-r1", ANN))
    life.report("shipped", **SHIPPED)
    life.change("UPDATE triggers SET kind = 'restock' WHERE number = 1")  # so that another may be asked about
    carry(life, 24, "store-1-r2")
    life.change("UPDATE triggers SET kind = 'transfer' WHERE number = 1")
    life.centre.memory.forget()
    with pytest.raises(ConflictError, match="can spare 14, not 24"):
        life.run(lambda work: approvals.approve(work, "store-1-r2", ANN))


def test_evidence_agrees_with_what_was_decided_between_two_packs_and_days(life: Life) -> None:
    life.calendar()
    life.propose()
    life.now_ms += DAY_MS
    life.propose(48)
    for quantity, inputs in life.rows("SELECT quantity_units, inputs FROM triggers"):
        assert decide_again(json.loads(str(inputs))).quantity_units == quantity


def _utc_midnight_ms(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)
