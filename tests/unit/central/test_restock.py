from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.restock import (
    Hold,
    OpenTrigger,
    Policy,
    Raise,
    Wanted,
    Withdraw,
    confidence_of,
    decide_restock,
    net_quantity,
)
from contract.api.restock import TriggerState

NOW = 1_504_526_400_000
DAY_MS = 86_400_000
WANTED = Wanted(
    sku="sku-1", proposed_units=24, target_units=24.0, on_hand_units=3, on_order_units=0, proposed_on_order_units=0,
    pack_units=12, min_order_units=0, max_stock_units=None, expected_stock_out_units=9.0, unit_value_cents=100,
    review_days=1, last_raised_ms=None, watermark_ms=NOW, doubt="",
)  # fmt: skip
POLICY = Policy(auto_approve_below_cents=10_000, stale_after_ms=3_600_000)


def decide(
    wanted: Wanted = WANTED, policy: Policy = POLICY, opened: OpenTrigger | None = None
) -> Hold | Raise | Withdraw:
    return decide_restock(wanted, policy, opened, NOW)


def test_a_cheap_certain_order_needs_no_person() -> None:
    decision = decide()
    assert isinstance(decision, Raise)
    assert (decision.quantity_units, decision.value_cents, decision.approved, decision.doubt) == (
        24,
        2400,
        True,
        "",
    )
    assert decision.why.startswith("2 packs (24 units): without it about 9.0 units would be missed")


@pytest.mark.parametrize(
    ("wanted", "policy", "word"),
    [
        (replace(WANTED, doubt="cell silent"), POLICY, "cell silent"),
        (replace(WANTED, on_hand_units=None), POLICY, "unknown"),
        (replace(WANTED, watermark_ms=NOW - 3_600_001), POLICY, "60 minutes old"),
        (replace(WANTED, unit_value_cents=None), POLICY, "neither cost nor price"),
        (WANTED, replace(POLICY, switches=("kill-switch for chain",)), "kill-switch"),
        (WANTED, replace(POLICY, auto_approve_below_cents=2400), "not below the limit"),
    ],
)
def test_any_doubt_makes_the_order_wait_for_a_person(wanted: Wanted, policy: Policy, word: str) -> None:
    decision = decide(wanted, policy)
    assert isinstance(decision, Raise)
    assert not decision.approved
    assert word in decision.doubt


@pytest.mark.parametrize(
    ("changes", "quantity"),
    [
        ({}, 24),
        ({"on_order_units": 9}, 12),
        ({"on_order_units": 21}, 0),
        ({"on_hand_units": -4}, 24),
        ({"min_order_units": 24, "on_order_units": 9}, 24),
        ({"max_stock_units": 20}, 12),
        ({"max_stock_units": 5}, 0),
        ({"proposed_units": 12}, 12),
        ({"on_hand_units": None, "on_order_units": 12}, 12),
        ({"target_units": 3.0005}, 0),
    ],
)
def test_the_quantity_nets_what_is_on_order_within_packs_minimum_and_room(
    changes: dict[str, int], quantity: int
) -> None:
    assert net_quantity(replace(WANTED, **changes)) == quantity  # type: ignore[arg-type]


@given(
    st.integers(0, 300), st.floats(0, 300), st.integers(-20, 300), st.integers(0, 300), st.integers(1, 24),
    st.integers(0, 60), st.none() | st.integers(1, 400),
)  # fmt: skip
def test_the_quantity_is_whole_never_above_the_proposal_and_never_more_with_more_on_order(
    proposed_packs: int, target: float, on_hand: int, on_order: int, pack: int, minimum: int, room: int | None
) -> None:
    wanted = replace(
        WANTED, proposed_units=proposed_packs * pack, target_units=target, on_hand_units=on_hand,
        on_order_units=on_order, pack_units=pack, min_order_units=minimum, max_stock_units=room,
    )  # fmt: skip
    quantity = net_quantity(wanted)
    assert quantity % pack == 0
    assert 0 <= quantity <= wanted.proposed_units
    assert quantity == 0 or quantity >= minimum
    assert room is None or quantity == 0 or on_hand + on_order + quantity <= room
    assert net_quantity(replace(wanted, on_order_units=on_order + 1)) <= quantity or minimum > 0


def opened(state: TriggerState, quantity: int = 12) -> OpenTrigger:
    return OpenTrigger("store-1-r1", state, quantity)


def test_a_waiting_trigger_is_revised_in_place() -> None:
    decision = decide(replace(WANTED, doubt="x"), opened=opened(TriggerState.PROPOSED))
    assert isinstance(decision, Raise)
    assert (decision.revises, decision.supersedes) == ("store-1-r1", None)


def test_a_waiting_trigger_with_the_same_quantity_stays_as_it_is() -> None:
    assert isinstance(decide(replace(WANTED, doubt="x"), opened=opened(TriggerState.PROPOSED, 24)), Hold)


def test_a_waiting_trigger_whose_doubt_is_gone_is_approved() -> None:
    decision = decide(opened=opened(TriggerState.PROPOSED, 24))
    assert isinstance(decision, Raise)
    assert (decision.approved, decision.revises) == (True, "store-1-r1")


def test_a_sent_trigger_is_superseded_only_by_a_pack_more() -> None:
    assert isinstance(decide(opened=opened(TriggerState.SENT, 24)), Hold)
    decision = decide(opened=opened(TriggerState.SENT, 12))
    assert isinstance(decision, Raise)
    assert decision.supersedes == "store-1-r1"


def test_an_acknowledged_trigger_is_changed_not_superseded() -> None:
    decision = decide(opened=opened(TriggerState.ACKNOWLEDGED))
    assert isinstance(decision, Raise)
    assert (decision.changes, decision.supersedes, decision.quantity_units) == ("store-1-r1", None, 24)
    assert isinstance(decide(opened=opened(TriggerState.ACKNOWLEDGED, 24)), Hold)
    assert isinstance(decide(replace(WANTED, doubt="x"), opened=opened(TriggerState.ACKNOWLEDGED)), Hold)


@pytest.mark.parametrize("state", [TriggerState.ORDERED, TriggerState.SHIPPED])
def test_an_order_that_was_placed_is_left_alone(state: TriggerState) -> None:
    decision = decide(opened=opened(state))
    assert isinstance(decision, Hold)
    assert state.value in decision.why


def test_a_supplier_is_ordered_from_at_its_review_only_unless_the_shelf_is_empty() -> None:
    weekly = replace(WANTED, review_days=7, last_raised_ms=NOW - 3 * DAY_MS)
    assert isinstance(decide(weekly), Hold)
    assert isinstance(decide(replace(weekly, on_hand_units=0)), Raise)
    assert isinstance(decide(replace(weekly, last_raised_ms=NOW - 7 * DAY_MS)), Raise)


CUTOFF_MS = NOW + 7 * 3_600_000
CALENDAR = replace(
    WANTED, send_ms=CUTOFF_MS, regular_days=3, emergency_days=1, expected_before_regular_units=2.0
)
HELD = OpenTrigger("store-1-r1", TriggerState.APPROVED, 12, held_until_ms=CUTOFF_MS - DAY_MS)


def test_an_order_waits_for_the_suppliers_cutoff() -> None:
    decision = decide(replace(CALENDAR, review_days=7, last_raised_ms=NOW - DAY_MS))
    assert isinstance(decision, Raise)
    assert (decision.approved, decision.send_ms, decision.is_emergency) == (True, CUTOFF_MS, False)


def test_what_cannot_wait_for_the_lorry_takes_the_emergency_lane() -> None:
    decision = decide(replace(CALENDAR, expected_before_regular_units=3.5))
    assert isinstance(decision, Raise)
    assert (decision.is_emergency, decision.send_ms) == (True, None)
    assert "would run out before the delivery in 3 days" in decision.why
    slow = decide(replace(CALENDAR, expected_before_regular_units=3.5, emergency_days=3))
    assert isinstance(slow, Raise)
    assert not slow.is_emergency


def test_until_the_cutoff_an_order_is_merged_into_the_one_that_waits() -> None:
    decision = decide(CALENDAR, opened=HELD)
    assert isinstance(decision, Raise)
    assert (decision.revises, decision.supersedes, decision.quantity_units) == ("store-1-r1", None, 24)
    assert decision.send_ms == HELD.held_until_ms
    assert isinstance(decide(CALENDAR, opened=replace(HELD, quantity_units=24)), Hold)


def test_a_held_order_shrinks_and_is_withdrawn_when_it_is_no_longer_needed() -> None:
    smaller = decide(replace(CALENDAR, on_hand_units=13), opened=replace(HELD, quantity_units=24))
    assert isinstance(smaller, Raise)
    assert (smaller.revises, smaller.quantity_units) == ("store-1-r1", 12)
    gone = decide(replace(CALENDAR, on_hand_units=30), opened=HELD)
    assert isinstance(gone, Withdraw)
    assert gone.trigger_id == "store-1-r1"


def test_a_held_order_that_turns_urgent_goes_out_at_once() -> None:
    decision = decide(
        replace(CALENDAR, expected_before_regular_units=9.0), opened=replace(HELD, quantity_units=24)
    )
    assert isinstance(decision, Raise)
    assert (decision.revises, decision.is_emergency, decision.send_ms) == ("store-1-r1", True, None)


def test_no_more_is_ordered_than_the_supplier_has() -> None:
    decision = decide(replace(WANTED, available_units=23))
    assert isinstance(decision, Raise)
    assert decision.quantity_units == 12
    assert "the supplier has no more than 12" in decision.why
    assert isinstance(decide(replace(WANTED, available_units=11)), Hold)
    assert isinstance(decide(replace(WANTED, available_units=23, min_order_units=24)), Hold)


def test_an_order_beyond_the_budget_waits_for_a_person() -> None:
    assert decide(replace(WANTED, budget_left_cents=2400)).approved  # type: ignore[union-attr]
    decision = decide(replace(WANTED, budget_left_cents=2399))
    assert isinstance(decision, Raise)
    assert not decision.approved
    assert "23.99 of today's budget is left" in decision.doubt


def test_an_order_that_is_probably_not_needed_waits_for_a_person() -> None:
    careful = replace(POLICY, auto_approve_from_confidence=0.3)
    decision = decide(replace(WANTED, confidence=0.2), careful)
    assert isinstance(decision, Raise)
    assert not decision.approved
    assert "20% probability" in decision.doubt


def test_confidence_is_read_off_the_quantiles() -> None:
    quantiles, levels = [2.0, 10.0, 20.0], [0.1, 0.5, 0.9]
    assert confidence_of(10, quantiles, levels) == pytest.approx(0.5)
    assert confidence_of(15, quantiles, levels) == pytest.approx(0.3)
    assert confidence_of(0, quantiles, levels) == pytest.approx(0.95)
    assert confidence_of(50, quantiles, levels) == pytest.approx(0.1)
    assert confidence_of(None, quantiles, levels) == 0.0
    assert confidence_of(5, [5.0, 5.0, 9.0], levels) == pytest.approx(0.5)
