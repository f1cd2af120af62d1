from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.audiences import HOLDOUT, Member, arm_of, cells_within, is_cell, is_quiet, may_be_reached
from central.core.coupons import (
    ItemState,
    Spent,
    decide_coupons,
    find_offers,
    hot_categories,
    is_safe,
)
from central.core.redemption import CouponMove, CouponState, CouponUse, KnownCoupon, coupon_uses, decide_use
from contract.api.offers import CampaignPut
from contract.devices import LineKind
from contract.records import SoldLine

NOW = 1_504_526_400_000
CELL = "882a930995fffff"
ITEM = ItemState("sku-1", "09520000000019", "Good 1", "drinks", 500, 100, 0, 1, 2.0, 5.0)
NOTHING = Spent(1000, 10_000, 0, {})


def campaign(**more: Any) -> CampaignPut:
    values: dict[str, Any] = {
        "cause": "surplus", "name": "Plenty", "discount_percent": 20, "max_discount_cents": 90, "budget_cents": 10_000,
        "starts_ms": NOW - 1, "ends_ms": NOW + 86_400_000, "holdout_percent": 0, **more,
    }  # fmt: skip
    return CampaignPut(**values)


def member(n: int = 1, **more: Any) -> Member:
    values: dict[str, Any] = {
        "member": f"m-{n}", "marketing_consent": True, "location_consent": True, "h3_cell": CELL,
        "cell_expires_ms": NOW + 1000, "timezone": "America/New_York", "quiet_from_minute": 1320,
        "quiet_until_minute": 420, **more,
    }  # fmt: skip
    return Member(**values)


def issued(
    put: CampaignPut, items: list[ItemState], members: list[Member], spent: Spent = NOTHING
) -> list[tuple[str, str, int]]:
    turn = decide_coupons(put, "salt", items, members, spent, now_ms=NOW)
    return [(issue.member, issue.offer.item.sku, issue.offer.discount_cents) for issue in turn.issues]


def test_a_surplus_is_offered_to_who_is_near_at_no_more_than_the_cap() -> None:
    assert issued(campaign(), [ITEM], [member()]) == [("m-1", "sku-1", 90)]


@pytest.mark.parametrize(
    "item",
    [
        replace(ITEM, on_hand_units=None),
        replace(ITEM, on_hand_units=0),
        replace(ITEM, on_hand_units=20),
        replace(ITEM, daily_units=None),
        replace(ITEM, price_cents=None),
        replace(ITEM, promised_units=96),
    ],
    ids=["unknown", "empty", "no-surplus", "no-forecast", "no-price", "promised-away"],
)
def test_no_coupon_goes_out_for_what_is_not_safely_there(item: ItemState) -> None:
    assert issued(campaign(), [item], [member()]) == []


@pytest.mark.parametrize(
    "someone",
    [
        member(marketing_consent=False),
        member(location_consent=False),
        member(h3_cell=None),
        member(cell_expires_ms=NOW),
        member(quiet_from_minute=0, quiet_until_minute=1440),
        member(timezone="Mars/Olympus"),
    ],
    ids=["marketing", "location", "no-cell", "stale-cell", "quiet", "zone"],
)
def test_who_did_not_agree_or_sleeps_gets_nothing(someone: Member) -> None:
    assert not may_be_reached(someone, NOW)
    assert issued(campaign(), [ITEM], [someone]) == []


def test_quiet_hours_may_pass_midnight_and_may_be_none() -> None:
    night = member(quiet_from_minute=8 * 60, quiet_until_minute=8 * 60 + 1)
    assert is_quiet(night, NOW)
    assert not is_quiet(night, NOW + 60_000)
    assert is_quiet(member(quiet_from_minute=1380, quiet_until_minute=481), NOW)
    assert not is_quiet(member(quiet_from_minute=5, quiet_until_minute=5), NOW)


@given(
    st.integers(0, 30),
    st.integers(1, 10),
    st.integers(1, 10),
    st.integers(0, 900),
    st.integers(0, 20),
    st.integers(0, 50),
)
def test_caps_budget_stock_and_holdout_hold_together(
    people: int, cap_total: int, cap_per_day: int, budget: int, on_hand: int, holdout: int
) -> None:
    put = campaign(
        cap_total=cap_total,
        cap_per_day=cap_per_day,
        budget_cents=budget,
        holdout_percent=holdout,
        surplus_cover_days=1,
    )
    item = replace(ITEM, on_hand_units=on_hand, daily_units=1.0)
    members = [member(n) for n in range(people)]
    rest = replace(NOTHING, coupons_left=cap_total, cents_left=budget)
    turn = decide_coupons(put, "salt", [item], members, rest, now_ms=NOW)
    assert len(turn.issues) <= min(cap_total, cap_per_day, max(on_hand - 2, 0))
    assert sum(issue.offer.discount_cents for issue in turn.issues) <= budget
    got = [issue.member for issue in turn.issues]
    assert len(got) == len(set(got))
    held = {name for name, arm in turn.assigned if arm == HOLDOUT}
    assert not held & set(got)
    assert not turn.assigned or len(turn.assigned) == people


def test_a_member_who_has_enough_or_has_this_one_is_passed_by() -> None:
    assert issued(campaign(), [ITEM], [member()], replace(NOTHING, per_member={"m-1": 2})) == []
    assert issued(campaign(), [ITEM], [member()], replace(NOTHING, members_today=frozenset({"m-1"}))) == []
    assert (
        issued(campaign(), [ITEM], [member()], replace(NOTHING, holders=frozenset({("m-1", "sku-1")}))) == []
    )
    for short in (replace(NOTHING, coupons_left=0), replace(NOTHING, cents_left=89)):
        turn = decide_coupons(campaign(), "salt", [ITEM], [member()], short, now_ms=NOW)
        assert (turn.issues, turn.is_short) == ((), True)
    full = replace(NOTHING, today=50, coupons_left=0)
    assert not decide_coupons(campaign(), "salt", [ITEM], [member()], full, now_ms=NOW).is_short


def test_a_campaign_runs_between_its_ends_and_while_active() -> None:
    for put in (campaign(active=False), campaign(starts_ms=NOW + 1), campaign(starts_ms=0, ends_ms=NOW)):
        assert issued(put, [ITEM], [member()]) == []


def test_a_category_is_hot_above_the_sum_of_its_quantiles() -> None:
    second = replace(ITEM, sku="sku-2", sold_today_units=9)
    assert hot_categories([ITEM, second]) == set()
    hot = replace(second, sold_today_units=10)
    assert hot_categories([ITEM, hot]) == {"drinks"}
    offers = find_offers(campaign(cause="hot-category"), [ITEM, hot, replace(ITEM, sku="x", category="food")])
    assert [offer.item.sku for offer in offers] == ["sku-2", "sku-1"]


def test_the_holdout_is_near_its_share_and_the_same_for_life() -> None:
    arms = [arm_of(f"m-{n}", "salt", 10) for n in range(5000)]
    assert 400 < arms.count(HOLDOUT) < 600
    assert arms == [arm_of(f"m-{n}", "salt", 10) for n in range(5000)]
    assert arms != [arm_of(f"m-{n}", "other", 10) for n in range(5000)]


def test_cells_are_those_of_resolution_8_only() -> None:
    assert len(cells_within(CELL, 2)) == 19
    assert not is_cell("872a93099ffffff")
    assert not is_cell("zz")
    with pytest.raises(ValueError, match="resolution 8"):
        cells_within("872a93099ffffff", 1)


def test_stock_is_safe_only_with_two_days_left_after_all_promises() -> None:
    assert is_safe(replace(ITEM, on_hand_units=5, daily_units=2.0))
    assert not is_safe(replace(ITEM, on_hand_units=5, daily_units=2.0, promised_units=1))


# ---- redemption ----

COUPON = KnownCoupon("store-1-c1", CouponState.ISSUED, "store-1", NOW + 1000)
USE = CouponUse("ABC12345DEFGH", reverses=False, cents=90)
UNDO = CouponUse("ABC12345DEFGH", reverses=True, cents=-90)


def line(kind: LineKind, cents: int, code: str | None = "abc-12345-defgh") -> SoldLine:
    return SoldLine(kind=kind, extended_cents=cents, coupon_code=code)


def test_goods_and_discount_lines_with_one_code_are_one_use() -> None:
    assert coupon_uses(
        [line(LineKind.SALE, 500), line(LineKind.DISCOUNT, -90), line(LineKind.SALE, 1, None)]
    ) == [USE]


def test_a_void_in_the_same_receipt_is_a_use_and_its_reversal() -> None:
    lines = [line(LineKind.DISCOUNT, -90), line(LineKind.VOID, -500), line(LineKind.DISCOUNT, 90)]
    assert coupon_uses(lines) == [USE, UNDO]


@pytest.mark.parametrize(
    ("use", "coupon", "move", "word"),
    [
        (USE, COUPON, CouponMove.REDEEMED, ""),
        (USE, replace(COUPON, state=CouponState.REVERSED), CouponMove.REDEEMED, ""),
        (USE, replace(COUPON, state=CouponState.REDEEMED), CouponMove.REFUSED, "already"),
        (USE, replace(COUPON, store="store-2"), CouponMove.REFUSED, "store-2 only"),
        (USE, replace(COUPON, valid_until_ms=NOW), CouponMove.REFUSED, "expired"),
        (USE, None, CouponMove.REFUSED, "no such"),
        (UNDO, replace(COUPON, state=CouponState.REDEEMED), CouponMove.REVERSED, ""),
        (UNDO, COUPON, CouponMove.REFUSED, "issued"),
    ],
)
def test_what_a_use_of_a_code_comes_to(
    use: CouponUse, coupon: KnownCoupon | None, move: CouponMove, word: str
) -> None:
    decision = decide_use(use, coupon, "store-1", NOW)
    assert decision.move is move
    assert word in decision.reason
