"""Orders' lives at random, on a real ledger: whatever comes in whichever order, the books of what is on order stay right."""

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest
from central_rows import START_MS, delivery
from ledger_kinds import SQLITE
from soak import seeds, tell
from test_assortment import set_up
from test_ledger import STORE, Bench, bench
from test_lifecycle_attacked import ANN, HOUR_MS, MINUTE_MS, Life

from central import approvals, arrivals, assortment, deliveries
from central.context import Work
from central.core.lifecycle import OPEN, WAITING, can_move
from central.errors import CentralError
from central.ledger.audit_check import verify_audit
from contract.api.common import Decision
from contract.api.deliveries import AssortmentPost, DeliveryNote
from contract.api.restock import OutsideOrder, ReportedStatus, TriggerState
from contract.api.suppliers import Snooze

STEPS = 60
SKUS = (1, 2, 3)
OPEN_STATES = {state.value for state in OPEN}


class Lives(Life):
    """Life's steps, each chosen by lot."""

    lots = random.Random(0)
    on_order_then: dict[str, int]

    def run(self, job: Any, *, fail: bool = False) -> Any:
        def then_look(work: Work) -> Any:
            result = job(work)
            self.on_order_then = {f"sku-{n}": work.store.on_order(f"sku-{n}") for n in SKUS}
            return result

        return super().run(then_look, fail=fail)

    def some_trigger(self) -> str:
        found = self.rows("SELECT trigger_id FROM triggers ORDER BY number DESC LIMIT 6")
        return str(self.lots.choice(found)[0]) if found else "store-1-r1"

    def step(self) -> str:
        acts: tuple[Callable[[], object], ...] = (
            self.some_proposal, self.some_proposal, self.some_proposal, self.some_report, self.some_report, self.some_report,
            self.some_arrival, self.some_yes, self.some_sleep, self.some_switch, self.some_change, self.some_note,
            self.some_order, self.some_time, self.some_time,
        )  # fmt: skip
        act = self.lots.choice(acts)
        with contextlib.suppress(CentralError):  # a refusal changes nothing
            act()
        return act.__name__

    def some_proposal(self) -> None:
        units = self.lots.choice((12, 24, 36, 60))
        on_hand = self.lots.choice((None, 0, 3, 10, 40))
        doubt = (
            "stock is unknown" if on_hand is None else self.lots.choice(("", "", "", "the scale is unsteady"))
        )
        self.propose(units, self.lots.choice(SKUS), on_hand_units=on_hand, doubt=doubt)

    def some_report(self) -> None:
        status = self.lots.choice(list(ReportedStatus)).value
        more: dict[str, Any] = {}
        if status == "shipped":
            more = {
                "despatch": f"D-{self.lots.randrange(6)}",
                "quantity_units": self.lots.choice((None, 0, 12, 24)),
            }
        self.report(status, self.lots.choice((1, 1, 2, 3)), self.some_trigger(), **more)

    def some_arrival(self) -> None:
        self.tell(
            delivery(f"D-{self.lots.randrange(6)}", self.lots.choice((0, 12, 24)), self.lots.choice(SKUS))
        )

    def some_yes(self) -> None:
        trigger, more = self.some_trigger(), self.lots.choice((None, 12, 24))
        decision = ANN if more is None else Decision(who="Ann", reason="", quantity_units=more)
        self.run(lambda work: approvals.approve(work, trigger, decision))

    def some_sleep(self) -> None:
        trigger = self.some_trigger()
        if self.lots.random() < 0.5:
            post = Snooze(
                who="Ann", reason="", until_ms=self.now_ms + self.lots.choice((MINUTE_MS, 9 * HOUR_MS))
            )
            self.run(lambda work: approvals.snooze(work, trigger, post))
        else:
            self.run(lambda work: approvals.reject(work, trigger, Decision(who="Ann", reason="no")))

    def some_switch(self) -> None:
        self.switch(on=self.lots.random() < 0.4)

    def some_change(self) -> None:
        change: dict[str, Any] = {
            "sku": f"sku-{self.lots.choice(SKUS)}",
            "from_ms": self.now_ms + self.lots.choice((0, HOUR_MS)),
        }
        change |= self.lots.choice(
            (
                {"change": "pack", "pack_units": self.lots.choice((6, 12, 18))},
                {"change": "delist"},
                {"change": "list"},
            )
        )
        post = AssortmentPost.model_validate({"changes": [change]})
        self.run(lambda work: assortment.take_changes(work, post, "the erp"))

    def some_note(self) -> None:
        number, sku = self.lots.randrange(6), f"sku-{self.lots.choice(SKUS)}"
        line = {"sku": sku, "quantity_units": self.lots.choice((0, 10, 24)), "expected_units": 24}
        if self.lots.random() < 0.3:
            line["order"] = self.some_trigger()
        note = DeliveryNote.model_validate(
            {
                "note": f"N-{number}",
                "store": STORE,
                "at_ms": self.now_ms,
                "despatch": f"D-{number}",
                "lines": [line],
            }
        )
        self.run(lambda work: deliveries.take_note(work, note, "the erp"))

    def some_order(self) -> None:
        order = OutsideOrder(
            order=f"PO-{self.lots.randrange(4)}", store=STORE, sku=f"sku-{self.lots.choice(SKUS)}", quantity_units=12,
            at_ms=self.now_ms, despatch=self.lots.choice((None, "D-1", "D-5")),
        )  # fmt: skip
        self.run(lambda work: arrivals.place_outside_order(work, order))

    def some_time(self) -> None:
        self.at(
            self.now_ms + self.lots.choice((MINUTE_MS, HOUR_MS, 7 * HOUR_MS, 30 * HOUR_MS, 100 * HOUR_MS))
        )


def moves_of(before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]]) -> list[str]:
    """Moves that no table allows: a step may make several, and an order nobody has heard of is made anew."""
    wrong = []
    for trigger, (was, revision) in before.items():
        state, now = after[trigger]
        made_anew = now > revision and (TriggerState(was) in WAITING or was == "approved")
        if state != was and not made_anew and TriggerState(state) not in reachable(TriggerState(was)):
            wrong.append(f"{trigger}: {was} to {state}")
    return wrong


def reachable(state: TriggerState) -> set[TriggerState]:
    found, left = {state}, [state]
    while left:
        one = left.pop()
        more = {to for to in TriggerState if can_move(one, to)} - found
        found |= more
        left.extend(more)
    return found


def states(life: Bench) -> dict[str, tuple[str, int]]:
    return {
        str(trigger): (str(state), int(str(revision)))
        for trigger, state, revision in life.rows("SELECT trigger_id, state, revision FROM triggers")
    }


@pytest.mark.parametrize("seed", seeds(2, 60))
def test_no_order_is_doubled_lost_or_moved_back_whatever_comes(seed: int) -> None:
    with bench(SQLITE) as made:
        set_up(made)
        made.centre.memory.forget()
        made.__class__ = Lives
        assert isinstance(made, Lives)
        made.lots, made.now_ms = random.Random(seed), START_MS
        made.calendar(emergency_lead_days=None)
        for number in range(STEPS):
            before = states(made)
            did = f"step {number}: {made.step()}"
            assert moves_of(before, states(made)) == [], did
            kept = {
                sku: made.run(lambda work, sku=sku: work.store.on_order(sku)) for sku in made.on_order_then
            }
            assert made.on_order_then == kept, f"{did}: memory and rows differ"
            doubled = made.rows(
                "SELECT sku, count(*) FROM triggers WHERE kind <> 'transfer' AND state IN "
                f"({', '.join(repr(state) for state in sorted(OPEN_STATES))}) GROUP BY sku HAVING count(*) > 1"
            )
            assert doubled == [], did
            tell("steps in orders' lives")
        told = {
            str(subject)
            for (subject,) in made.rows("SELECT subject FROM outgoing WHERE type LIKE '%trigger.v1'")
        }
        heard = {
            str(subject)
            for (subject,) in made.rows("SELECT subject FROM outgoing WHERE type NOT LIKE '%trigger.v1'")
        }
        assert heard <= told, "a change or a cancellation of an order that nobody was told of"
        sent = made.rows(
            "SELECT trigger_id FROM triggers WHERE state IN ('sent', 'acknowledged', 'ordered', 'shipped')"
        )
        assert {str(trigger) for (trigger,) in sent} <= told
        assert made.rows("SELECT count(*) FROM outgoing WHERE position IS NULL") == [(0,)]
        with made.ledger.read.connect() as connection:
            assert [broken for broken in verify_audit(connection).breaks if broken.number] == []
