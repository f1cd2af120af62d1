"""An order in words and as a picture, from its evidence alone."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from contract.api.restock import Evidence, TriggerView
from contract.api.stores import SkuView
from models.policy.told_days import ToldDay
from models.policy.why import Explained, OtherRuleError, as_picture, as_words, decision_of

WANTED = {
    "target_units": 31.0,
    "on_hand_units": 5,
    "on_order_units": 6,
    "pack_units": 12,
    "min_order_units": 24,
    "max_stock_units": 36,
}
INPUTS = {
    "wanted": WANTED, "window_days": 2, "service_level": 0.95, "now_ms": 1_504_846_800_000,
    "quantile_levels": [0.1, 0.5, 0.95], "cumulative_quantiles": [6.0, 14.0, 31.0],
    "gateway_reasons": ["cut to the room there is"],
}  # fmt: skip
ASKED = {
    "question": {"lead_mean_units": [2.0, 3.0, 0.0, 1.0], "cover_mean_units": 8.5},
    "expected_unmet_units": 0.25, "expected_waste_units": 0.0,
}  # fmt: skip


def explained(inputs, kind="restock", why="2 packs (24 units)"):
    sku = SkuView(
        store="store-1", sku="sku-1", name="Peaches & <Cream>", category="fruit", price_cents=199, on_hand_units=None,
        on_shelf_units=None, on_order_units=30, sold_today_units=1, sold_7_days_units=9, forecast_7_days_units=46.8,
        stock_out_today_ms=0, shrink_units=0, open_trigger="store-1-r1", newest_ms=1,
    )  # fmt: skip
    trigger = TriggerView(
        trigger="store-1-r1", revision=1, store="store-1", store_name="Store 1", sku="sku-1", gtin="09520010237209",
        name="Peaches", kind=kind, supplier="depot", state="approved", quantity_units=24, pack_units=12, shipped_units=None,
        received_units=None, value_cents=100, on_hand_units=5, on_order_units=6, expected_stock_out_units=2.0, why=why,
        doubt="", created_ms=1_504_846_800_000, changed_ms=1_504_846_800_000, expires_ms=None, bundle="b", erp_document=None,
        despatch=None,
    )  # fmt: skip
    evidence = inputs and Evidence(
        trigger="store-1-r1", inputs=inputs, watermark_ms=1, rule="net-of-orders/2", bundle="b", quantity_units=24,
        recomputed_quantity_units=24, agrees=True, note="",
    )  # fmt: skip
    return Explained(sku, trigger, evidence)


def said(found):
    return {line[:16].strip(): line[16:] for line in as_words(found)[1:]}


def test_what_was_there_then_is_told_apart_from_what_is_there_now():
    facts = said(explained(INPUTS))
    assert facts["now"] == "an unknown number on hand, 30 on order"
    assert facts["then"] == "5 units on hand, 6 on order"
    assert facts["decided"].startswith("2017-09-08 05:00 UTC")
    assert facts["need"] == "31 - 5 on hand - 6 on order = 20 units"


def test_bounds_and_reasons_are_named():
    facts = said(explained(INPUTS))
    assert facts["bounds"] == "packs of 12, at least 24 units, room for 36 units, 25 of it free"
    assert facts["because"] == "cut to the room there is"
    free = {**INPUTS, "wanted": {**WANTED, "max_stock_units": None, "min_order_units": 0}}
    assert said(explained(free))["bounds"] == "packs of 12, no limit of room"


def test_an_order_graph_s_expectations_are_told_where_there_are_any():
    assert "expected" not in said(explained(INPUTS))
    found = explained(INPUTS | ASKED)
    assert said(found)["expected"] == "0.25 units unserved and 0.00 wasted, the order included"
    assert said(found)["asked"].startswith("6.0 units on average until the order arrives, 8.5 from then")


def test_a_transfer_has_its_own_words():
    found = explained({"transfer": {}, "giver": {}, "now_ms": 1}, kind="transfer", why="6 units from store-2")
    assert "6 units from store-2" in said(found)["decided"]
    assert "transfer" in said(found)["order"]
    ET.fromstring(as_picture(found))


def test_without_an_open_order_the_last_one_is_told():
    facts = said(explained(None))
    assert "none is open" in facts["order"]
    assert facts["the last"].startswith("24 units, approved 2017-09-08 05:00 UTC")


@pytest.mark.parametrize("inputs", [INPUTS, INPUTS | ASKED, None])
def test_the_picture_is_whole_whatever_the_name(inputs):
    texts = [
        node.text or ""
        for node in ET.fromstring(as_picture(explained(inputs))).iter()
        if node.tag.endswith("text")
    ]
    assert any("Peaches & <Cream>" in text for text in texts)
    if inputs:
        assert {"target 31", "room 36", "on hand 5", "order 24", "because cut to the room there is"} <= set(
            texts
        )


def test_the_calendar_s_coming_days_are_told_where_the_shop_has_one():
    assert "days ahead" not in said(explained(INPUTS))
    known = replace(
        explained(INPUTS),
        known_days=(ToldDay("2026-12-14", ("promotion 20 % off",)), ToldDay("2026-12-25", ("holiday",))),
    )
    assert said(known)["days ahead"] == "2026-12-14: promotion 20 % off; 2026-12-25: holiday"
    assert "ordinary days" in said(replace(known, known_days=()))["days ahead"]


def test_unknown_stock_is_not_said_to_cover_anything():
    assert "nobody knows what is there" in said(explained(None))["order"]
    known = explained(None)
    there = Explained(known.sku.model_copy(update={"on_hand_units": 40}), None, None)
    assert "cover the target" in said(there)["order"]
    assert "the last" not in said(there)


def test_evidence_of_another_rule_is_refused_by_name():
    other = {**INPUTS, "wanted": {}}
    with pytest.raises(OtherRuleError, match="store-1-r1 is of another rule"):
        decision_of(explained(other).evidence)


DAYS = (
    ToldDay("2017-09-03", ("promotion 20 % off (Mailer & more)",)),
    ToldDay("2017-09-04", ("holiday (Labor Day)", "promotion 20 % off (Mailer & more)")),
    ToldDay("2017-09-05", ()),
    ToldDay("2017-09-06", ("school holiday",)),
)


@pytest.mark.parametrize("inputs", [INPUTS, None])
def test_the_days_ahead_are_told_and_drawn_each_in_its_box(inputs):
    plain = explained(inputs)
    found = replace(plain, known_days=DAYS)
    assert "days ahead" not in said(plain), "a shop without a calendar says nothing of days"
    assert said(found)["days ahead"] == (
        "2017-09-03: promotion 20 % off (Mailer & more); 2017-09-04: holiday (Labor Day), "
        "promotion 20 % off (Mailer & more); 2017-09-06: school holiday"
    )
    picture, without_days = ET.fromstring(as_picture(found)), ET.fromstring(as_picture(plain))
    texts = [each.text for each in picture.iter() if each.text and each.text.strip()]
    assert [letters for letters in texts if letters in ("%", "H%", "S")] == ["%", "H%", "S"]
    assert "Mon 4 Sep: holiday (Labor Day), promotion 20 % off (Mailer & more)" in texts
    boxes = [
        each for each in picture.iter("{http://www.w3.org/2000/svg}rect") if each.get("stroke") == "#bbb"
    ]
    assert [box.get("fill") for box in boxes] == ["#cfe3f5", "#f6dfae", "none", "#f6dfae"]
    height, before = int(picture.get("height")), int(without_days.get("height"))
    lowest = max(float(each.get("y", 0)) for each in picture.iter())
    assert before < lowest < height, "nothing is drawn beside the page"


def test_ordinary_days_are_drawn_as_such():
    found = replace(explained(INPUTS), known_days=(ToldDay("2017-09-05", ()),))
    assert said(found)["days ahead"] == "nothing in the calendar but ordinary days"
    assert "the days ahead" in as_picture(found)
