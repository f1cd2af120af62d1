"""Local rules: each raises once, has a band, is acknowledged, obeys the configuration, and needs no centre."""

import json

import pytest
from edge_shop import DAY, HOUR, MINUTE, START_MS, UNIT_G, Shop, gtin

from contract.documents import AcksDocument, ConfigDocument, PricesDocument
from contract.errors import MalformedMessageError
from contract.records import Severity, StagingState
from contract.rules import Rules
from edge.core.messages import AlertNoted, BadInput, DocumentArrived
from edge.core.price_gate import price_list_problem


def config(version=1, gates=None, **rules):
    value = {"kind": "config", "version": version, "rules": rules, "gates": gates or {}}
    return DocumentArrived(ConfigDocument.from_json(json.dumps(value)))


def alerts(shop, code):
    """(subject, raised, cleared or noted) in order."""
    return [
        (record.subject, "noted" if record.acknowledged_by else "cleared" if record.cleared else "raised")
        for record in shop.of_kind("alert")
        if record.code == code
    ]


def staging(shop, what):
    return [record.state for record in shop.of_kind("staging") if record.what == what]


def later(shop, ms, *messages):
    shop.now += ms
    shop.batch(*messages)


def heartbeat(shop, celsius, device="fridge-1"):
    return shop.event(device, "heartbeat", uptime_ms=1, temperature_c=celsius)


FRIDGE = {"devices": [{"device": "fridge-1", "min_c": 0.0, "max_c": 5.0}], "band_c": 1.0, "after_min": 15}


def test_a_door_left_open_for_a_moment_is_no_broken_cold_chain():
    shop = Shop()
    shop.batch(config(cold_chain=FRIDGE), heartbeat(shop, 4.0))
    later(shop, MINUTE, heartbeat(shop, 9.0))
    later(shop, 10 * MINUTE, heartbeat(shop, 4.5))
    later(shop, 30 * MINUTE)
    assert alerts(shop, "cold-chain") == []


def test_a_warm_refrigerator_is_told_by_time_alone_and_cleared_inside_its_band():
    shop = Shop()
    shop.batch(config(cold_chain=FRIDGE), heartbeat(shop, 9.0))
    later(shop, 14 * MINUTE)
    assert alerts(shop, "cold-chain") == []
    assert shop.core._clockwork.next_due_ms() <= START_MS + 15 * MINUTE
    later(shop, MINUTE)
    assert alerts(shop, "cold-chain") == [("fridge-1", "raised")]
    assert shop.of_kind("alert")[-1].severity is Severity.CRITICAL
    later(shop, MINUTE, heartbeat(shop, 4.8))  # inside the limits, but not by the band
    shop.restart()
    later(shop, MINUTE, heartbeat(shop, 5.5))
    assert alerts(shop, "cold-chain") == [("fridge-1", "raised")]
    later(shop, MINUTE, heartbeat(shop, 3.9))
    assert alerts(shop, "cold-chain") == [("fridge-1", "raised"), ("fridge-1", "cleared")]


def test_a_device_that_is_no_longer_minded_has_no_open_alert():
    shop = Shop()
    shop.batch(config(cold_chain=FRIDGE), heartbeat(shop, 9.0))
    later(shop, 15 * MINUTE)
    shop.batch(config(2))
    assert alerts(shop, "cold-chain") == [("fridge-1", "raised"), ("fridge-1", "cleared")]


def test_many_units_at_once_are_suspicious_until_they_are_paid():
    shop = Shop().opened(units=40, shelf=18)
    shop.batch(config(suspicious_removal={"units": 6, "value_cents": 500}))
    later(shop, HOUR, shop.weigh(c1=14))
    later(shop, 20_000, shop.weigh(c1=10))
    assert alerts(shop, "suspicious-removal") == [("sku-1", "raised")]
    later(shop, MINUTE, shop.receipt(1, (1, 5)))
    shop.restart()
    assert alerts(shop, "suspicious-removal") == [("sku-1", "raised")]
    later(shop, MINUTE, shop.receipt(2, (1, 3)))
    assert alerts(shop, "suspicious-removal") == [("sku-1", "raised"), ("sku-1", "cleared")]


def test_a_few_units_or_cheap_ones_are_not_suspicious():
    shop = Shop().opened(units=40, shelf=18)
    shop.batch(config(suspicious_removal={"units": 6, "value_cents": 2000}))
    later(shop, HOUR, shop.weigh(c1=10))  # eight of 100 cents each
    later(shop, HOUR, shop.weigh(c1=6, c2=14))
    assert alerts(shop, "suspicious-removal") == []


def test_what_nobody_paid_is_told_when_its_time_is_over():
    shop = Shop().opened(units=40, shelf=18)
    shop.batch(config(suspicious_removal={"units": 6, "value_cents": 0, "clear_min": 60}))
    later(shop, HOUR, shop.weigh(c1=10))
    later(shop, 61 * MINUTE)
    assert alerts(shop, "suspicious-removal")[-1] == ("sku-1", "cleared")
    assert "8 units were neither paid nor put back" in shop.of_kind("alert")[-1].text


def reading(shop, grams):
    return shop.event(
        "shelf-1", "weight", readings=[{"cell": "c-1", "weight_g": grams, "stable": True, "sd_g": 0.5}]
    )


def test_a_cell_that_wanders_is_told_with_a_band():
    shop = Shop()
    shop.batch(config(drifted_cell={"raise_g": 20.0, "clear_g": 10.0}))
    grams, unit_g = 0.0, UNIT_G + 60
    shop.batch(reading(shop, 0.0))
    seen = []
    for target in (8.0, 16.0, 24.0, 14.0, 6.0):
        while grams != target:
            grams += 2.0 if target > grams else -2.0
            later(shop, HOUR, reading(shop, grams))
        seen.append(len(alerts(shop, "drifted-cell")))
    assert unit_g > 75  # a third of a unit is how far a zero is followed
    assert seen == [0, 0, 1, 1, 2]
    assert alerts(shop, "drifted-cell") == [("shelf-1/c-1", "raised"), ("shelf-1/c-1", "cleared")]


def test_low_stock_follows_the_configured_days():
    shop = Shop().opened(units=15)
    assert alerts(shop, "low-stock") == []
    shop.batch(config(low_stock={"raise_days": 5.0, "clear_days": 9.0}))
    later(shop, HOUR, shop.receipt(1, (1, 1), (2, 1), (3, 1)))
    assert {subject for subject, _ in alerts(shop, "low-stock")} == {"sku-1", "sku-2", "sku-3"}


def test_an_empty_facing_may_wait():
    shop = Shop().opened()
    shop.batch(config(empty_facing={"after_min": 60}))
    later(shop, HOUR, shop.weigh(c1=0, c2=10, c3=10))
    later(shop, 31 * MINUTE)
    assert alerts(shop, "empty-facing") == []
    later(shop, 31 * MINUTE)
    assert alerts(shop, "empty-facing") == [("sku-1", "raised")]


def test_silence_follows_the_configuration_and_a_restart_keeps_it():
    shop = Shop().opened()
    shop.batch(config(silent_device={"shelf_after_min": 30, "other_after_min": 10_080}))
    shop.restart()
    later(shop, 31 * MINUTE)
    assert alerts(shop, "silent-device") == [("shelf-1", "raised")]


def test_a_label_that_keeps_an_old_price_is_told():
    shop = Shop()
    shop.core.state.documents.esl_base = "esl-1"
    shop.core.state.labels.plan(shop.now)
    later(shop, 6 * MINUTE)
    assert alerts(shop, "label-mismatch") == []
    later(shop, 31 * MINUTE)
    assert {subject for subject, _ in alerts(shop, "label-mismatch")} == {"t-1", "t-2", "t-3"}
    wanted = shop.core.state.labels._desired["t-1"].content_hash
    shop.batch(shop.event("esl-1", "esl_status", tag="t-1", battery_mv=3000, content_hash=wanted))
    later(shop, 6 * MINUTE)
    assert alerts(shop, "label-mismatch")[-1] == ("t-1", "cleared")


@pytest.mark.parametrize(
    ("shown", "says"), [(True, "and so does its label"), (False, "does not show that yet")]
)
def test_a_wrong_price_at_the_till_says_what_list_and_label_say(shown, says):
    shop = Shop()
    shop.core.state.documents.esl_base = "esl-1"
    shop.core.state.labels.plan(shop.now)
    if shown:
        wanted = shop.core.state.labels._desired["t-1"].content_hash
        shop.batch(shop.event("esl-1", "esl_status", tag="t-1", battery_mv=3000, content_hash=wanted))
    shop.batch(prices(2, 120))
    shop.core.state.labels.plan(shop.now)
    if shown:
        wanted = shop.core.state.labels._desired["t-1"].content_hash
        shop.batch(shop.event("esl-1", "esl_status", tag="t-1", battery_mv=3000, content_hash=wanted))
    later(shop, MINUTE, shop.receipt(1, (1, 1)), shop.receipt(2, (1, 1)))
    (alert,) = [alert for alert in shop.of_kind("alert") if alert.code == "price-mismatch"]
    assert "till charged 1.00 USD for Item 1, the price list says 1.20 USD" in alert.text
    assert says in alert.text
    later(shop, DAY)
    assert alerts(shop, "price-mismatch") == [("sku-1", "raised"), ("sku-1", "cleared")]


@pytest.mark.parametrize("who", ["shop", "headquarters"])
def test_an_alert_is_acknowledged_once_and_stays_so_over_a_restart(who):
    shop = Shop()
    shop.batch(config(cold_chain={**FRIDGE, "after_min": 0}), heartbeat(shop, 9.0))
    raised = shop.now
    if who == "shop":
        note = AlertNoted("cold-chain", "fridge-1", "M. Keeper")
    else:
        ack = {"code": "cold-chain", "subject": "fridge-1", "raised_ms": raised, "who": "J. Doe"}
        note = DocumentArrived(AcksDocument(version=1, acks=[ack]))
    later(shop, MINUTE, note)
    later(shop, MINUTE, note, AlertNoted("cold-chain", "fridge-1", "late"), AlertNoted("x", "y", "z"))
    assert alerts(shop, "cold-chain") == [("fridge-1", "raised"), ("fridge-1", "noted")]
    shop.restart()
    (found,) = [alert for alert in shop.core.state.alerts.open_alerts() if alert.code == "cold-chain"]
    assert found.acknowledged_by == ("M. Keeper" if who == "shop" else "J. Doe")
    assert (found.since_ms, found.acknowledged_ms) == (raised, raised + MINUTE)


def test_a_note_of_an_earlier_raising_does_not_silence_a_new_one():
    shop = Shop()
    shop.batch(config(cold_chain={**FRIDGE, "after_min": 0}), heartbeat(shop, 9.0))
    ack = {"code": "cold-chain", "subject": "fridge-1", "raised_ms": shop.now, "who": "J. Doe"}
    later(shop, MINUTE, heartbeat(shop, 3.0))
    later(shop, MINUTE, heartbeat(shop, 9.0))
    later(shop, MINUTE, DocumentArrived(AcksDocument(version=1, acks=[ack])))
    assert [state for _, state in alerts(shop, "cold-chain")] == ["raised", "cleared", "raised"]


def test_open_alerts_stand_with_what_needs_a_look_first():
    shop = Shop().opened()
    shop.batch(
        config(
            cold_chain={**FRIDGE, "after_min": 0},
            silent_device={"shelf_after_min": 30, "other_after_min": 840},
        )
    )
    later(shop, 40 * MINUTE, heartbeat(shop, 9.0))
    codes = [alert.code for alert in shop.core.state.alerts.open_alerts()]
    assert codes.index("cold-chain") < codes.index("silent-device")
    shop.batch(AlertNoted("cold-chain", "fridge-1", "M. Keeper"))
    assert shop.core.state.alerts.open_alerts()[-1].code == "cold-chain"


def test_a_rule_that_is_switched_off_clears_what_it_raised_and_raises_nothing():
    shop = Shop()
    shop.batch(config(cold_chain={**FRIDGE, "after_min": 0}), heartbeat(shop, 9.0))
    shop.batch(config(2, cold_chain={**FRIDGE, "after_min": 0, "enabled": False}))
    later(shop, MINUTE, heartbeat(shop, 12.0))
    assert alerts(shop, "cold-chain") == [("fridge-1", "raised"), ("fridge-1", "cleared")]


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"low_stock": {"raise_days": 2.0, "clear_days": 1.0}}, "clear_days is 1.0; it must be above raise_days, 2.0"),
        ({"drifted_cell": {"raise_g": 5.0}}, "raise_g is 5.0; it must be above clear_g, 10.0"),
        ({"cold_chain": {"devices": [{"device": "f", "min_c": 5.0, "max_c": 5.0}]}}, "max_c is 5.0"),
        ({"silent_device": {"shelf_after_min": 1}}, "shelf_after_min"),
        ({"suspicious_removal": {"unit": 3}}, "suspicious_removal.unit"),
    ],
)  # fmt: skip
def test_a_limit_out_of_bounds_is_named(rules, named):
    with pytest.raises(MalformedMessageError, match=named):
        config(**rules)


# ---- the configuration's own gate -------------------------------------------------------------------------------


def flood(shop, device_count):
    return [
        shop.event(f"fridge-{n}", "heartbeat", uptime_ms=1, temperature_c=20.0) for n in range(device_count)
    ]


def fridges(count):
    limits = [{"device": f"fridge-{n}", "min_c": 0.0, "max_c": 5.0} for n in range(count)]
    return {"devices": limits, "after_min": 0}


def test_a_configuration_that_floods_the_shop_is_taken_back_and_the_last_good_one_holds():
    shop = Shop()
    shop.batch(config(1, gates={"new_alerts": 5}, low_stock={"raise_days": 0.5}))
    later(shop, 20 * MINUTE)
    assert staging(shop, "config") == [StagingState.APPLIED, StagingState.GOOD]
    shop.batch(config(2, gates={"new_alerts": 2000}, cold_chain=fridges(8)))
    later(shop, MINUTE, *flood(shop, 8))
    assert staging(shop, "config")[2:] == [StagingState.APPLIED, StagingState.REVERTED]
    for _ in range(2):
        documents = shop.core.state.documents
        assert documents.rules.cold_chain.devices == []
        assert documents.rules.low_stock.raise_days == 0.5
        assert documents.have()["config"] == 2  # known: it is not sent again
        shop.restart()
    open_codes = {alert.code for alert in shop.core.state.alerts.open_alerts()}
    assert "document-refused" in open_codes
    assert "cold-chain" not in open_codes
    shop.batch(config(3))
    assert not shop.core.state.alerts.is_open("document-refused", "config")


def test_alerts_of_rules_that_a_configuration_left_alone_do_not_speak_against_it():
    shop = Shop()
    shop.batch(config(1, gates={"new_alerts": 2}, cold_chain=fridges(8)))
    later(shop, 20 * MINUTE)
    shop.batch(config(2, gates={"new_alerts": 2}, cold_chain=fridges(8), low_stock={"raise_days": 0.5}))
    later(shop, MINUTE, *flood(shop, 8))
    later(shop, 15 * MINUTE)
    assert staging(shop, "config") == 2 * [StagingState.APPLIED, StagingState.GOOD]
    assert len(alerts(shop, "cold-chain")) == 8


def test_a_configuration_on_trial_survives_a_restart_and_an_equal_one_changes_nothing():
    shop = Shop()
    shop.batch(config(1, gates={"new_alerts": 3}), config(1, gates={"new_alerts": 3}))
    later(shop, 16 * MINUTE)
    shop.batch(config(2, gates={"new_alerts": 3}, cold_chain=fridges(8)))
    shop.restart()
    assert shop.core.state.config_trial.running.version == 2
    later(shop, MINUTE, *flood(shop, 8))
    assert staging(shop, "config") == [
        StagingState.APPLIED, StagingState.GOOD, StagingState.APPLIED, StagingState.REVERTED,
    ]  # fmt: skip
    shop.batch(config(2, cold_chain=fridges(8)))
    assert len(staging(shop, "config")) == 4


# ---- price lists ------------------------------------------------------------------------------------------------


def prices(version, cents, count=20):
    rows = [{"sku": f"sku-{n}", "price_cents": cents, "from_ms": 0} for n in range(count)]
    return DocumentArrived(PricesDocument(version=version, prices=rows))


@pytest.mark.parametrize(
    ("bad", "why"), [((9, 100_00), "100|times"), ((9, 100, 3), "would lose their price")]
)
def test_a_price_list_with_a_slip_is_refused_whole_and_the_last_good_one_stays(bad, why):
    shop = Shop()
    shop.batch(prices(2, 100))
    shop.batch(prices(*bad))
    assert staging(shop, "prices") == [StagingState.APPLIED, StagingState.APPLIED, StagingState.REFUSED]
    (refused,) = [record for record in shop.of_kind("staging") if record.state is StagingState.REFUSED]
    assert "gates.price_" in refused.reason
    assert shop.core.state.documents.price_cents("sku-19", shop.now) == 100
    shop.batch(prices(*bad))
    shop.restart()
    assert shop.core.state.documents.price_cents("sku-19", shop.now) == 100
    assert shop.core.state.documents.have()["prices"] == 9
    assert len(staging(shop, "prices")) == 3
    shop.batch(prices(10, 110))
    assert shop.core.state.documents.price_cents("sku-19", shop.now) == 110
    assert why


def test_another_version_of_the_gateway_asks_for_what_this_one_refused():
    shop = Shop()
    shop.batch(prices(2, 100), prices(3, 99_999))
    assert shop.core.state.documents.have()["prices"] == 3
    shop.core.state.documents.program = "newer"
    rows = shop.core.state.documents
    rows.restore_refused("prices", '{"version":3,"program":"test"}')
    assert rows.have()["prices"] == 2


def test_a_sale_of_everything_passes_when_the_configuration_says_so():
    steps = {f"s{n}": ((0, 1000),) for n in range(20)}
    half = {f"s{n}": ((0, 100),) for n in range(20)}
    gates = ConfigDocument(version=1).gates
    assert "20 of 20 prices" in price_list_problem(steps, half, gates, 10)
    assert price_list_problem(steps, half, gates.model_copy(update={"price_jump_percent": 100}), 10) == ""
    assert price_list_problem({}, half, gates, 10) == ""
    assert price_list_problem(steps, steps, gates, 10) == ""


def test_a_document_nobody_can_read_is_refused_once_and_not_asked_for_again():
    shop = Shop()
    bad = BadInput("central", "document", "document: prices.0: nonsense", b"{}", "prices", 7)
    shop.batch(bad)
    shop.batch(bad)
    assert shop.core.state.documents.have()["prices"] == 7
    assert staging(shop, "prices") == [StagingState.APPLIED, StagingState.REFUSED]


def test_defaults_are_the_documented_ones():
    rules = Rules()
    assert (rules.low_stock.raise_days, rules.silent_device.shelf_after_min) == (1.0, 180)
    assert gtin(1)
    assert DAY == 24 * HOUR
