"""What an order was decided from, in words: figures of a real order of the demo."""

from hq.evidence_words import as_stored, decided_from

WANTED = {
    "sku": "1082185", "proposed_units": 24, "target_units": 59.572, "on_hand_units": 22, "on_order_units": 0,
    "proposed_on_order_units": 12, "pack_units": 12, "min_order_units": 0, "max_stock_units": 240,
    "expected_stock_out_units": 28.602, "unit_value_cents": 67, "confidence": 0.9875, "doubt": "",
}  # fmt: skip
INPUTS = {
    "wanted": WANTED, "gateway_units": 24, "open_trigger": {"trigger_id": "r35", "state": "sent", "quantity_units": 12},
    "now_ms": 1_504_917_120_000, "cumulative_quantiles": [40.0, 47.0, 54.0, 62.0, 70.0, 79.0, 85.0, 91.0, 96.0],
    "quantile_levels": [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99], "window_days": 3,
    "gateway_reasons": ["ordered up to the target level at arrival", "rounded to whole packs"],
    "expected_unmet_units": 1.05,
}  # fmt: skip


def test_an_order_is_told_in_figures_with_their_units():
    told = dict(decided_from(INPUTS))
    assert told["On hand then"] == "22 units"
    assert told["On order then"] == "0 units; the gateway knew of 12 units"
    assert told["Demand to cover"] == "3 days: 62 units as likely more as less; 47 to 79 in eight of ten"
    assert told["Asked for by the gateway"].startswith("24 units: ordered up to the target level")
    assert told["Missed without it"] == "28.6 units"
    assert told["Pack and limits"] == "packs of 12 units, room for 240"
    assert told["Open then"] == "r35: 12 units, sent"
    assert told["Decided"] == "Sat 9 Sep 2017, 00:32 UTC"
    assert "Expected to expire" not in told, "the graph did not say"


def test_unknown_stock_is_a_dash_and_an_older_or_other_form_is_left_as_it_is_stored():
    assert dict(decided_from({"wanted": {**WANTED, "on_hand_units": None}}))["On hand then"] == "–"
    assert decided_from({"on_hand_units": 9}) == []
    assert [as_stored(value) for value in (None, True, 9, 0.5, "", {"a": 1})] == ["–", "yes", "9", "0.50", "–", '{"a": 1}']  # fmt: skip
