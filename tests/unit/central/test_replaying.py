"""The replay's way from the ledger: days of a store, its forecasts, the command's words."""

import argparse
import json
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from central.bundle_forecasts import BundleForecasts
from central.core.days import day_start_ms
from central.core.replay_world import DepotWord, Load, Switched
from central.core.restock import Hold, Policy, Wanted, decide_restock
from central.core.supplier_calendar import SupplierCalendar
from central.ledger import tables
from central.ledger.engine import Ledger
from central.ledger.made_orders import MadeOrders
from central.ledger.played_rows import DAY_MS
from central.played_world import NOTHING_TO_SHIP, played_world
from central.replaying import add_replay, replay, run_replay, table
from central.settings import CentralSettings
from central.stored_weeks import stored_weeks
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.inference import checked_models
from runtime.errors import OperatorError

ZONE = ZoneInfo("America/New_York")
FIRST, DAYS = date(2017, 8, 1), 40


@pytest.fixture
def settings(tmp_path):
    """A ledger with one shop and one SKU that sells four a day, eight on Saturdays."""
    settings = CentralSettings(state_dir=str(tmp_path))
    ledger = Ledger(settings.url)
    ledger.create()
    line = {
        "sku": "milk",
        "supplier": "depot",
        "lead_time_days": 1,
        "review_days": 1,
        "pack_units": 6,
        "cost_cents": 90,
    }
    rolled, forecasts = [], []
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        at_ms = day_start_ms(day.isoformat(), ZONE)
        sold = 8 if day.weekday() == 5 else 4
        rolled.append(
            {
                "store_id": "s1", "step_ms": DAY_MS, "at_ms": at_ms, "sku": "milk", "receipts": sold, "sold_units": sold,
                "sold_cents": 100, "picked_units": 0, "delivered_units": 0, "shrink_units": 0, "unresolved_g": 0,
                "stock_out_ms": 0, "on_hand_units": 12, "level_ms": at_ms,
            }
        )  # fmt: skip
        forecasts.append(
            {
                "store_id": "s1", "sku": "milk", "first_day": day.isoformat(), "at_ms": at_ms, "bundle": "demo",
                "mean": json.dumps([4.6] * 7), "quantiles": json.dumps([[1, 2, 3, 4, 6, 8, 9, 10, 11]] * 7),
            }
        )  # fmt: skip
    store = {
        "store_id": "s1", "name": "Shop", "region": "", "timezone": "America/New_York", "currency": "USD", "h3_cell": None,
        "hours": "[]", "closed_days": "[]",
    }  # fmt: skip
    document = {
        "store_id": "s1",
        "kind": "supply",
        "version": 1,
        "body": json.dumps({"kind": "supply", "version": 1, "lines": [line]}),
    }
    with ledger.write.begin() as connection:
        connection.execute(tables.stores.insert(), store)
        connection.execute(tables.documents.insert(), document)
        connection.execute(tables.rollups.insert(), rolled)
        connection.execute(tables.forecasts.insert(), forecasts)
    ledger.close()
    return settings


def played(settings, changes, models=None, days=10):
    ledger = Ledger(settings.url)
    with ledger.read.connect() as connection:
        found = replay(connection, settings, changes, days, models=models)
    ledger.close()
    return found


def test_no_day_is_played_before_the_store_was_first_heard(settings):
    found = played(settings, {"service_level": 0.99}, days=60)
    assert found.days == DAYS - 1, "the newest day is not over"
    assert found.now == played(settings, {"service_level": 0.99}, days=DAYS - 1).now


def test_a_rule_that_changes_nothing_makes_no_difference(settings):
    found = played(settings, {"review_days": 1})
    assert found.now == found.then
    assert (found.stores, found.skus, found.now.demand_units) == (1, 1, 10 * 4 + 4)


def test_what_was_really_ordered_stands_beside_the_simulation(settings):
    """Of the days and SKUs that are played: what went out and what was placed outside, not what was refused."""
    at_ms = day_start_ms((FIRST + timedelta(days=DAYS - 3)).isoformat(), ZONE)

    def trigger(number, **more):
        values = dict.fromkeys((column.name for column in tables.triggers.columns), None)
        texts = ("gtin", "why", "doubt", "bundle", "rule", "inputs")
        values |= dict.fromkeys(texts, "") | {
            "store_id": "s1", "number": number, "trigger_id": f"s1-r{number}", "revision": 1, "sku": "milk", "kind": "restock",
            "supplier": "depot", "state": "closed", "quantity_units": 12, "pack_units": 6, "value_cents": 1080,
            "on_order_units": 0, "expected_stock_out_units": 1.0, "lead_time_days": 1, "created_ms": at_ms, "changed_ms": at_ms,
            "watermark_ms": at_ms,
        }  # fmt: skip
        return values | more

    ledger = Ledger(settings.url)
    with ledger.write.begin() as connection:
        rows = [
            trigger(1), trigger(2, state="approved", doubt="dear"), trigger(3, state="rejected"), trigger(4, sku="bread"),
            trigger(5, created_ms=at_ms - 60 * DAY_MS), trigger(6, kind="transfer"),
        ]  # fmt: skip
        connection.execute(tables.triggers.insert(), rows)
        outside = {
            "store_id": "s1",
            "order_number": "PO-1",
            "sku": "milk",
            "quantity_units": 6,
            "at_ms": at_ms,
            "state": "open",
        }
        connection.execute(tables.outside_orders.insert(), outside)
    ledger.close()
    found = played(settings, {"review_days": 1})
    assert found.made == MadeOrders(orders=3, ordered_units=30, ordered_cents=2160, asked=1)
    shown = table(found)
    assert "really made" in shown
    assert "the order graph, calendars" in shown
    assert "of 3 real orders come out as they were" in shown
    [orders] = [line for line in shown.splitlines() if line.startswith("orders  ")]
    assert orders.split()[1] == "3"


def test_a_higher_service_level_holds_more(settings):
    found = played(settings, {"service_level": 0.99})
    assert found.then.stock_unit_days > found.now.stock_unit_days
    assert "unit-days of stock" in table(found)


def test_another_bundle_forecasts_anew_and_the_demand_stays_what_it_was(settings):
    found = played(settings, {}, checked_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY))
    assert found.then != found.now
    assert found.then.demand_units == found.now.demand_units


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing is changed; give at least one of --service-level"),
        (["--service-level", "1.5"], "service_level 1.5 must be"),
        (["--review-days", "2", "--days", "0"], "--days 0 must be from 1 to 400"),
        (["--review-days", "2", "--store", "s9"], "no SKU has both sales and forecasts"),
        (["--bundle", "nowhere"], "--public-key is missing"),
    ],
)
def test_a_replay_that_cannot_be_says_why(settings, words, told):
    parser = argparse.ArgumentParser()
    add_replay(parser)
    with pytest.raises(OperatorError, match=told):
        run_replay(settings, parser.parse_args(words))


def test_the_command_prints_json(settings, capsys):
    parser = argparse.ArgumentParser()
    add_replay(parser)
    assert run_replay(settings, parser.parse_args(["--service-level", "0.99", "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["skus"] == 1


def at(days, hours=0):
    return day_start_ms((FIRST + timedelta(days=days)).isoformat(), ZONE) + hours * 3_600_000


def test_what_others_did_is_read_from_what_is_stored(settings):
    """A switch of the chain that was taken off, one of another store, a depot's words, a load that was late and short."""
    evidence = {"now_ms": at(30, 9), "wanted": {"available_units": 12, "available_now_units": 6}}
    values = dict.fromkeys((column.name for column in tables.triggers.columns), None)
    values |= dict.fromkeys(("gtin", "why", "doubt", "bundle", "rule"), "") | {
        "store_id": "s1", "number": 1, "trigger_id": "s1-r1", "revision": 1, "sku": "milk", "kind": "restock", "supplier": "depot",
        "state": "closed", "quantity_units": 12, "received_units": 8, "despatch": "load-1", "pack_units": 6, "value_cents": 1080,
        "on_order_units": 0, "expected_stock_out_units": 1.0, "lead_time_days": 1, "created_ms": at(30, 9), "changed_ms": at(33),
        "watermark_ms": at(30), "inputs": json.dumps(evidence),
    }  # fmt: skip
    audit = [("kill-switch-on", "chain", 31, 8), ("kill-switch-on", "store s2", 31, 9), ("kill-switch-off", "chain", 32, 8),
             ("kill-switch-on", "supplier depot", 35, 0)]  # fmt: skip
    proposal = {"store_id": "s1", "gateway": "g", "epoch": "e", "seq": 1, "sku": "milk", "at_ms": at(34, 9),
                "outcome": "held: the supplier can ship 2 units, less than a pack or the minimum order", "body": "{}"}  # fmt: skip
    arrived = dict.fromkeys((column.name for column in tables.stock_facts.columns), None)
    arrived |= {"store_id": "s1", "gateway": "g", "epoch": "e", "seq": 2, "at_ms": at(33, 7), "fact": "delivery", "sku": "milk",
                "units": 8, "despatch": "load-1", "place": "back_room", "reason": ""}  # fmt: skip
    ledger = Ledger(settings.url)
    with ledger.write.begin() as connection:
        connection.execute(tables.triggers.insert(), values)
        connection.execute(tables.stock_facts.insert(), arrived)
        _insert(connection, tables.proposals, proposal)
        for number, (action, subject, days, hours) in enumerate(audit):
            _insert(connection, tables.audit, {"store_id": "", "number": number, "at_ms": at(days, hours), "who": "Ann", "action": action,
                                               "subject": subject, "reason": "a recall"})  # fmt: skip
        stock = {"supplier": "depot", "sku": "milk", "available_units": 3, "at_ms": at(36, 9)}
        connection.execute(tables.supplier_stock.insert(), stock)
        for day in (36, 38):
            named = {
                "supplier": "depot",
                "sku": "milk",
                "day": (FIRST + timedelta(days=day)).isoformat(),
                "units": 40,
            }
            connection.execute(tables.supplier_arrivals.insert(), named)
        weeks = stored_weeks(connection, "s1", ZONE, 10)
        calendar = SupplierCalendar(ZONE, frozenset(range(7)), cutoff_minute=600, lead_time_days=1)
        world = played_world(connection, weeks, {"depot": calendar})
    ledger.close()
    assert world.switches == (
        Switched("kill-switch for chain", "", at(31, 8), at(32, 8)),
        Switched("kill-switch for supplier depot", "depot", at(35)),
    )
    later = ((FIRST + timedelta(days=38), 40),)
    assert world.depot[0] == [
        DepotWord(at(30, 9), 12, 6), DepotWord(at(34, 9), 2, None), DepotWord(at(36, 9), 3, 3, later),
    ]  # fmt: skip
    assert world.loads[0] == [Load(at(30, 9), late_days=2, short_units=4)]


def test_the_words_of_a_supplier_that_has_nothing_are_those_of_the_rule():
    """They are read back from what became of proposals."""
    wanted = Wanted(
        "milk", 12, 20.0, 1, 0, 0, 6, 0, None, 1.0, 90, 1, None, 0, "", send_ms=1, available_units=2
    )
    held = decide_restock(wanted, Policy(10_000, 10**15), None, 0)
    assert isinstance(held, Hold)
    found = NOTHING_TO_SHIP.match(f"held: {held.why}")
    assert found is not None
    assert found[1] == "2"


def _insert(connection, table, values):
    """Texts that a test does not name are empty, numbers 0."""
    rest = {
        column.name: None if column.nullable else "" if isinstance(column.type, sa.Text) else 0
        for column in table.columns
    }
    connection.execute(table.insert(), rest | values)


def test_another_bundle_forecasts_with_the_holidays_and_promotions_of_these_days(settings):
    models = checked_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)
    plain = played(settings, {}, models)
    day = (FIRST + timedelta(days=DAYS - 4)).isoformat()
    calendar = {
        "kind": "calendar", "version": 1, "from_day": FIRST.isoformat(), "until_day": "2017-12-31",
        "days": [{"from_day": day, "until_day": day, "kind": "holiday", "name": "Harvest"}],
        "promotions": [{"from_day": day, "until_day": day, "skus": ["milk"], "discount_percent": 30, "name": ""}],
    }  # fmt: skip
    ledger = Ledger(settings.url)
    with ledger.write.begin() as connection:
        row = {"store_id": "s1", "kind": "calendar", "version": 1, "body": json.dumps(calendar)}
        connection.execute(tables.documents.insert(), row)
        _insert(
            connection, tables.items, {"store_id": "s1", "sku": "milk", "category": "dairy", "managed": 1}
        )
        weeks = stored_weeks(connection, "s1", ZONE, 10)
        told = BundleForecasts(connection, weeks, models).of(date.fromisoformat(day))
        connection.execute(tables.documents.delete().where(tables.documents.c.kind == "calendar"))
        untold = BundleForecasts(connection, weeks, models).of(date.fromisoformat(day))
        connection.execute(tables.documents.insert(), row)
    ledger.close()
    assert told.mean[0, 0] != untold.mean[0, 0]
    known = played(settings, {}, models)
    assert (known.now, known.then.demand_units) == (plain.now, plain.then.demand_units)
