"""Demand history, known sales, alerts, coupons, labels, planogram and proposals."""

from datetime import date
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.coupons import coupon_code
from contract.devices import EslAck, EslResult, EslStatus
from contract.documents import (
    CouponKey,
    Facing,
    HistoryDocument,
    ItemsDocument,
    PlanogramDocument,
    PricesDocument,
    StoreDocument,
)  # fmt: skip
from contract.records import Severity
from edge.core.alerts import Alerts, in_band
from edge.core.coupons import Coupons, CouponVerdict
from edge.core.demand import HISTORY_DAYS, Demand
from edge.core.documents import Documents
from edge.core.esl import ANSWER_WITHIN_MS, MAX_IN_FLIGHT, MAX_TRIES, Labels, content_hash
from edge.core.planogram import Planogram
from edge.core.replenish import PRICE_RATIOS, PlanRow, is_news, price_ratios
from edge.core.sales import KnownSales
from models.features import PRICE_RATIOS as TRAINED_PRICE_RATIOS
from models.features import usual_price

DAY = date(2017, 9, 4)
OPEN = 10 * 3_600_000


def history(demand, document=None, before=DAY, open_ms=OPEN):
    days = {date.fromordinal(before.toordinal() - back): open_ms for back in range(1, HISTORY_DAYS + 1)}
    return demand.histories(["a"], before, document, days)[0]


def test_days_nobody_heard_are_unknown_not_zero():
    assert all(isnan(units) for units in history(Demand()))


def test_a_heard_day_without_the_item_sold_nothing_of_it():
    demand = Demand()
    demand.heard_receipt("2017-09-03")
    demand.sold("b", "2017-09-03", 4)
    assert history(demand)[-1] == 0.0


def test_a_day_with_an_empty_facing_says_nothing_about_demand():
    demand = Demand()
    demand.heard_receipt("2017-09-03")
    demand.was_empty("a", "2017-09-03", OPEN)
    assert isnan(history(demand)[-1])
    demand.sold("a", "2017-09-03", 2)
    assert history(demand)[-1] == 2.0


def test_the_history_document_speaks_for_the_days_before_this_gateway():
    document = HistoryDocument(
        version=1, first_live_day="2017-09-03", rows=[{"sku": "a", "units": [7, None, 9]}]
    )
    demand = Demand()
    demand.heard_receipt("2017-09-03")
    demand.sold("a", "2017-09-03", 5)
    found = history(demand, document)
    assert found[-1] == 5.0
    assert found[-2] == 9.0
    assert isnan(found[-3])
    assert found[-4] == 7.0


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), max_size=60))
def test_a_sale_is_known_by_its_own_identity_in_any_order(sequences):
    sales, seen = KnownSales(), set()
    for sequence in sequences:
        assert sales.add("till-1", "2017-09-04", sequence) == (sequence not in seen)
        seen.add(sequence)
    runs = sales.rows.get("2017-09-04|till-1") or []
    assert {n for low, high in runs for n in range(low, high + 1)} == seen
    assert all(runs[i][1] + 1 < runs[i + 1][0] for i in range(len(runs) - 1))


def test_an_alert_is_raised_once_and_cleared_once():
    alerts = Alerts()

    def tell(active):
        return len(alerts.set("x", "s", active=active, severity=Severity.INFO, text="t", now_ms=1))

    assert [tell(a) for a in (False, True, True, False, False, True)] == [0, 1, 0, 1, 0, 1]


def test_a_band_keeps_an_alert_from_flapping():
    was, seen = False, []
    for value in (10, 5, 7, 9, 5, 11, 9):
        was = in_band(value, 5, 10, was_active=was)
        seen.append(was)
    assert seen == [False, True, True, True, True, False, False]


KEY = bytes(range(32))
KEYS = {
    "ABC": CouponKey(
        campaign="c", prefix="ABC", key_hex=KEY.hex(), valid_from_ms=0, valid_until_ms=100, quota=2
    )
}


def test_a_genuine_code_counts_once_within_quota():
    coupons = Coupons()
    codes = [coupon_code("ABC", serial, KEY) for serial in range(3)]
    assert coupons.redeem(codes[0], KEYS, 50) is CouponVerdict.GENUINE
    assert coupons.redeem(codes[0].lower(), KEYS, 50) is CouponVerdict.USED_BEFORE
    assert coupons.redeem(codes[1], KEYS, 50) is CouponVerdict.GENUINE
    assert coupons.redeem(codes[2], KEYS, 50) is CouponVerdict.OVER_QUOTA
    assert coupons.reverse(codes[0], KEYS) is CouponVerdict.REVERSED
    assert coupons.redeem(codes[0], KEYS, 50) is CouponVerdict.OVER_QUOTA


def test_forged_expired_and_foreign_codes_are_told_apart():
    coupons = Coupons()
    code = coupon_code("ABC", 7, KEY)
    forged = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert coupons.redeem(forged, KEYS, 50) is CouponVerdict.FORGED
    assert coupons.redeem(code, KEYS, 100) is CouponVerdict.EXPIRED
    assert coupons.redeem("ZZZ-00000-00000", KEYS, 50) is CouponVerdict.UNKNOWN_CAMPAIGN
    assert coupons.redeem("", KEYS, 50) is CouponVerdict.UNKNOWN_CAMPAIGN


def labelled(tags=1, cents=100):
    documents = Documents()
    documents.apply(StoreDocument(version=1, store="s", name="S", timezone="UTC", currency="EUR", hours=[]))
    gtins = ["00952000000001"]
    items = [{"sku": f"s{n}", "gtins": ["12345670"], "name": "N", "category": "c"} for n in range(tags)]
    assert gtins
    documents.apply(ItemsDocument.from_json(_json({"version": 1, "items": items})))
    documents.apply(
        PricesDocument(
            version=1, prices=[{"sku": f"s{n}", "price_cents": cents, "from_ms": 0} for n in range(tags)]
        )
    )
    facings = [
        Facing(device="d", cell=f"c{n}", sku=f"s{n}", from_ms=0, capacity_units=9, tag=f"t{n}")
        for n in range(tags)
    ]
    documents.apply(PlanogramDocument(version=1, facings=facings, esl_base="base"))
    labels = Labels(documents)
    labels.plan(10)
    return documents, labels


def _json(value):
    import json

    return json.dumps({**value, "kind": "items"})


def ack(tag, digest, result=EslResult.DISPLAYED):
    return EslAck(
        device="base",
        boot_id="b",
        seq=1,
        t_device_ms=0,
        tag=tag,
        command_id="p",
        content_hash=digest,
        result=result,
    )


def test_equal_content_is_success_and_is_not_sent_again():
    _, labels = labelled()
    commands, _ = labels.step(0)
    assert [command.command.price_cents for command in commands] == [100]
    labels.acknowledged(ack("t0", commands[0].command.content_hash, EslResult.UNCHANGED))
    assert not labels.needs_step()
    labels.plan(20)
    assert labels.step(0) == ([], [])


def test_the_newest_price_wins_over_one_under_way():
    documents, labels = labelled()
    labels.step(0)
    documents.apply(PricesDocument(version=2, prices=[{"sku": "s0", "price_cents": 90, "from_ms": 0}]))
    labels.plan(20)
    commands, _ = labels.step(1)
    assert [command.command.price_cents for command in commands] == [90]


def test_a_silent_tag_is_asked_a_few_times_and_then_given_up_until_the_base_is_back():
    _, labels = labelled()
    sent, failed = 0, []
    for tick in range(MAX_TRIES + 3):
        commands, outcomes = labels.step(tick * ANSWER_WITHIN_MS)
        sent += len(commands)
        failed += outcomes
    assert sent == MAX_TRIES
    assert [(outcome.tag, outcome.failed) for outcome in failed] == [("t0", True)]
    assert not labels.needs_step()
    labels.base_is_back()
    assert len(labels.step(10**6)[0]) == 1


def test_commands_under_way_are_bounded():
    _, labels = labelled(tags=50)
    assert len(labels.step(0)[0]) == MAX_IN_FLIGHT
    assert labels.step(1)[0] == []


def test_a_tag_that_lost_its_content_is_told_again():
    _, labels = labelled()
    labels.acknowledged(ack("t0", content_hash("s0", "N", 100, "EUR")))
    status = EslStatus(device="base", boot_id="b", seq=2, t_device_ms=0, tag="t0", content_hash="")
    labels.status(status)
    assert len(labels.step(0)[0]) == 1


def test_facings_change_at_their_time_not_at_their_arrival():
    plan = Planogram(
        [
            Facing(device="d", cell="c", sku="a", from_ms=0, capacity_units=1),
            Facing(device="d", cell="c", sku=None, from_ms=200, capacity_units=1),
            Facing(device="d", cell="c", sku="b", from_ms=100, capacity_units=1),
        ]
    )
    assert [plan.facing_at("d/c", at).sku for at in (0, 99, 100, 199, 200)] == ["a", "a", "b", "b", None]
    assert plan.facing_at("d/x", 0) is None
    assert [plan.next_change_ms(at) for at in (0, 100, 200)] == [100, 200, None]


def test_an_equal_or_older_document_changes_nothing():
    documents = Documents()
    assert documents.apply(PricesDocument(version=2, prices=[{"sku": "a", "price_cents": 5, "from_ms": 0}]))
    documents.changed()
    assert not documents.apply(PricesDocument(version=2, prices=[]))
    assert not documents.apply(PricesDocument(version=1, prices=[]))
    assert documents.changed() == []
    assert documents.price_cents("a", 1) == 5


def test_a_proposal_is_told_when_it_says_something_new():
    plan = PlanRow(proposed_units=6, proposed_day="d", proposed_doubt="")
    assert not is_news(plan, 6, "d", "")
    assert not is_news(plan, 0, "e", "")
    assert is_news(plan, 12, "d", "")
    assert is_news(plan, 6, "e", "")
    assert is_news(plan, 6, "d", "cell silent")


def test_price_ratios_compare_with_the_past_mean():
    assert price_ratios([100, 100, 50], 2) == (0.5,)
    assert isnan(price_ratios([None, None, 50], 2)[0])


def test_a_price_that_was_mistyped_once_is_not_the_usual_one():
    """The gateway's usual price is that of training, slips of the pen included."""
    past = [199, 199, 1, None, 149, 19_900, 199]
    assert price_ratios([*past, 149], len(past)) == pytest.approx((149 / ((3 * 199 + 149) / 4),))
    known = np.array([[np.nan if price is None else price for price in past]])
    assert price_ratios([*past, 149], len(past))[0] == pytest.approx(149 / usual_price(known)[0])
    assert PRICE_RATIOS == TRAINED_PRICE_RATIOS
