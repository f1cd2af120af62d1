from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.restock import Hold, OpenTrigger, Policy, Raise, Wanted, decide_restock, net_quantity
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
) -> Hold | Raise:
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


@pytest.mark.parametrize("state", [TriggerState.ACKNOWLEDGED, TriggerState.ORDERED, TriggerState.SHIPPED])
def test_an_acknowledged_trigger_is_left_alone(state: TriggerState) -> None:
    decision = decide(opened=opened(state))
    assert isinstance(decision, Hold)
    assert state.value in decision.why


def test_a_supplier_is_ordered_from_at_its_review_only_unless_the_shelf_is_empty() -> None:
    weekly = replace(WANTED, review_days=7, last_raised_ms=NOW - 3 * DAY_MS)
    assert isinstance(decide(weekly), Hold)
    assert isinstance(decide(replace(weekly, on_hand_units=0)), Raise)
    assert isinstance(decide(replace(weekly, last_raised_ms=NOW - 7 * DAY_MS)), Raise)
