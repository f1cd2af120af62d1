"""Categories in demand: sums with their intervals, verdicts that chance alone hardly makes, from the ledger and by region."""

import json
import random
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from central_rows import gtin
from sqlalchemy import event
from test_ledger import StandingClock

from central.centre import Centre
from central.core.days import day_start_ms
from central.core.outlook import DRIVERS, WEEKS, Z_80, CategorySum, SkuOutlook, spread_of, sums_of
from central.core.rollups import DAY_MS
from central.ledger import outlook_rows, tables
from central.ledger.engine import Ledger
from central.ledger.outlook_rows import StoreOutlook, outlook_parts, store_outlooks
from central.regional import FRESH_S, NO_REGION, Regions
from central.settings import CentralSettings
from contract.records import QUANTILE_LEVELS

ZONE = ZoneInfo("Europe/Berlin")
TODAY = date(2017, 9, 4)


def one(sku="a", expected=100.0, usual=100.0, spread=10.0, store="s1", category="drinks"):
    return SkuOutlook(store, sku, category, expected, usual, spread)


def test_means_add_and_spreads_add_less_than_in_full_and_more_than_not_at_all():
    total = sums_of(one(str(number)) for number in range(100))["drinks"]
    assert (total.expected_units, total.usual_units, total.skus, len(total.stores)) == (
        10_000,
        10_000,
        100,
        1,
    )
    independent, together = 10 * 100**0.5, 10 * 100
    assert independent < total.spread_units < together
    low, high = total.interval
    assert (high - low) / 2 == pytest.approx(Z_80 * total.spread_units)
    assert CategorySum().interval == (0.0, 0.0)


def test_shops_merged_are_the_same_as_all_their_skus_together():
    outlooks = [one(str(n), 90 + n, 100, 5 + n, store=f"s{n % 3}") for n in range(30)]
    whole, parts = sums_of(outlooks)["drinks"], CategorySum()
    for store in ("s0", "s1", "s2"):
        parts.merge(sums_of(o for o in outlooks if o.store == store)["drinks"])
    assert parts.interval == pytest.approx(whole.interval)
    assert (parts.stores, parts.skus, parts.verdict) == (whole.stores, whole.skus, whole.verdict)
    assert [o.sku for o in parts.drivers] == [o.sku for o in whole.drivers]


def test_the_drivers_carry_what_the_verdict_says():
    outlooks = [one(str(n), 100 + 5 * n, 100, 1) for n in range(20)] + [one("faller", 60, 100, 1)]
    hot = sums_of(outlooks)["drinks"]
    assert (hot.verdict, [o.sku for o in hot.drivers]) == ("hot", ["19", "18", "17", "16", "15"])
    assert len(hot.drivers) == DRIVERS
    cool = sums_of([one("x", 50, 200, 5), one("y", 110, 100, 5)])["drinks"]
    assert (cool.verdict, [o.sku for o in cool.drivers]) == ("cool", ["x"])


@pytest.mark.parametrize(
    ("expected", "usual", "verdict"),
    [(130, 100, "hot"), (70, 100, "cool"), (105, 100, "usual"), (9, 3, "usual")],
)
def test_a_verdict_needs_more_than_chance_and_more_than_a_handful(expected, usual, verdict):
    assert sums_of([one("a", expected, usual, 10)])["drinks"].verdict == verdict


def test_a_steady_world_is_seldom_called_hot_and_a_heat_wave_always():
    """Poisson demand, forecast as it is: beyond the 80 % interval by chance in about two of ten categories, never in seven."""
    rng = random.Random(3)

    def poisson_week(mean):
        return sum(rng.expovariate(1) < mean / 700 for _ in range(700))

    called = hot = 0
    for _ in range(200):
        usual = sum(poisson_week(60) for _ in range(WEEKS)) / WEEKS
        steady = sums_of([one("a", 60, usual, 60**0.5)])["drinks"]
        called += steady.verdict != "usual"
        hot += sums_of([one("a", 120, usual, 120**0.5)])["drinks"].verdict == "hot"
    assert called <= 40
    assert hot == 200


def test_the_spread_of_a_week_is_that_of_days_that_move_together():
    day = [0.0, 4.0, 6.0, 10.0, 14.0, 16.0, 18.0, 20.0, 25.0]
    assert spread_of([day] * 7, QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)) == pytest.approx(
        7 * 12 / (2 * Z_80)
    )
    assert spread_of([], 1, 5) == 0


# ---- from the ledger ----


def store_outlook(connection, store) -> StoreOutlook:
    """Of one shop alone."""
    found = {}
    for part in outlook_parts(connection, [store]):
        found |= store_outlooks(connection, part)
    return found[store]


def shop(
    connection,
    store,
    region,
    *,
    forecast,
    sold=lambda day: 4,
    first_day=TODAY,
    categories=("drinks", "food"),
    heard=36,
):
    connection.execute(tables.stores.insert(), {
        "store_id": store, "name": f"Shop {store}", "region": region, "timezone": "Europe/Berlin", "currency": "EUR",
        "h3_cell": None, "hours": "[]", "closed_days": "[]",
    })  # fmt: skip
    for number, category in enumerate(categories, 1):
        sku = f"sku-{number}"
        connection.execute(tables.items.insert(), {
            "store_id": store, "sku": sku, "gtin": gtin(number), "name": f"Good {number}", "category": category, "managed": 1,
        })  # fmt: skip
        connection.execute(tables.forecasts.insert(), {
            "store_id": store, "sku": sku, "first_day": first_day.isoformat(), "at_ms": 0, "bundle": "demo",
            "mean": json.dumps([forecast] * 14),
            "quantiles": json.dumps([[forecast * part for part in (0.2, 0.5, 0.8, 1, 1.2, 1.5, 1.6, 1.8, 2)]] * 14),
        })  # fmt: skip
        for back in range(heard):
            day = TODAY - timedelta(days=back)
            at_ms = day_start_ms(day.isoformat(), ZONE)
            connection.execute(tables.rollups.insert(), {
                "store_id": store, "step_ms": DAY_MS, "at_ms": at_ms, "sku": sku, "receipts": 1, "sold_units": sold(day),
                "sold_cents": 1, "picked_units": 0, "delivered_units": 0, "shrink_units": 0, "unresolved_g": 0, "stock_out_ms": 0,
                "on_hand_units": 5, "level_ms": at_ms,
            })  # fmt: skip


@pytest.fixture
def centre(tmp_path):
    settings = CentralSettings(state_dir=str(tmp_path))
    ledger = Ledger(settings.url)
    ledger.create()
    yield Centre(ledger, settings, StandingClock())
    ledger.close()


def test_what_shops_of_a_region_missed_together_widens_its_interval_and_what_a_stock_out_hid_does_not_count(
    centre,
):
    def weekly(store, week_factor, out_of_stock=False):
        """Forecasts of 4 a day at the beginning of each of the four weeks; sales are `week_factor(week)` times as many."""
        with centre.ledger.write.begin() as connection:
            shop(connection, store, f"region {store[0]}", forecast=4.0, categories=("drinks", "food") * 5,
                 sold=lambda day: round(4 * week_factor((TODAY - day).days - 1 >> 3)))  # fmt: skip
            for back in range(1, WEEKS + 1):
                for sku in range(1, 11):
                    connection.execute(tables.forecasts.insert(), {
                        "store_id": store, "sku": f"sku-{sku}", "first_day": (TODAY - timedelta(days=7 * back)).isoformat(), "at_ms": 0,
                        "bundle": "demo", "mean": json.dumps([4.0] * 14), "quantiles": json.dumps([[2, 3, 3.5, 4, 4.5, 5, 6, 7, 8]] * 14),
                    })  # fmt: skip
            if out_of_stock:
                connection.execute(tables.rollups.update().values(stock_out_ms=DAY_MS // 2))

    weekly("t1", lambda week: (0.5, 1.5)[week % 2])
    weekly("t2", lambda week: (0.5, 1.5)[week % 2])
    weekly("a1", lambda week: 1)
    weekly("a2", lambda week: 1)
    found = {
        row.region: row for row in centre.regions.outlook(None, None, 10).rows if row.category == "drinks"
    }
    together, alone = found["region t"], found["region a"]
    assert together.shared > 0.8
    assert alone.shared < 0.05
    assert together.high_units - together.low_units > 2 * (alone.high_units - alone.low_units)
    weekly("n1", lambda week: 0, out_of_stock=True)
    hidden = Regions(centre).outlook(None, "region n", 10).rows
    assert {row.shared for row in hidden} == {0.1}


def test_usual_is_the_same_weekdays_of_four_weeks_and_today_is_not_over(centre):
    with centre.ledger.write.begin() as connection:
        shop(
            connection,
            "s1",
            "north",
            forecast=6.0,
            sold=lambda day: 999 if day == TODAY else 10 if day.weekday() == 5 else 4,
        )
        found = store_outlook(connection, "s1")
    assert (found.from_day, found.left_out) == ("2017-09-04", 0)
    drinks = found.sums["drinks"]
    assert (drinks.expected_units, drinks.usual_units) == (pytest.approx(42), pytest.approx(6 * 4 + 10))
    assert drinks.spread_units == pytest.approx(7 * 6 / (2 * Z_80))


def test_an_old_forecast_is_left_out_and_said(centre):
    with centre.ledger.write.begin() as connection:
        shop(connection, "s1", "north", forecast=6.0, first_day=TODAY - timedelta(days=3))
        found = store_outlook(connection, "s1")
        assert (found.sums, found.left_out) == ({}, 2)
        shop(connection, "s9", "north", forecast=6.0, heard=0)
        assert store_outlook(connection, "s9").from_day is None
        assert outlook_parts(connection, ["a shop that nobody knows"]) == []


def test_a_shop_of_two_days_compares_those_two_weekdays_and_has_no_verdict(centre):
    with centre.ledger.write.begin() as connection:
        shop(connection, "s1", "north", forecast=40.0, heard=3)
    seen = centre.regions.outlook(None, None, 10)
    assert seen.stores_young == 1
    row = seen.rows[0]
    assert (row.days_compared, row.verdict) == (2, "unknown")
    assert (row.expected_units, row.usual_units) == (pytest.approx(80), pytest.approx(8)), "both of two days"


def test_a_young_shop_does_not_spoil_what_the_others_say(centre):
    with centre.ledger.write.begin() as connection:
        shop(connection, "s1", "north", forecast=40.0)
        shop(connection, "s2", "north", forecast=40.0, heard=8, categories=("drinks", "new"))
    seen = {row.category: row for row in centre.regions.outlook(None, None, 10).rows}
    assert (seen["drinks"].verdict, seen["drinks"].stores, seen["drinks"].days_compared) == ("hot", 1, 7)
    assert seen["new"].verdict == "unknown"


def test_usual_of_two_weeks_is_less_sure_than_of_four(centre):
    with centre.ledger.write.begin() as connection:
        shop(connection, "s1", "north", forecast=6.0, heard=15)
        shop(connection, "s2", "north", forecast=6.0)
        two, four = (store_outlook(connection, store).sums["drinks"] for store in ("s1", "s2"))
    assert (two.is_young, four.is_young) == (False, False)
    assert two.usual_units == four.usual_units
    assert two.usual_variance == pytest.approx(2 * four.usual_variance)


def test_regions_are_summed_ranked_and_kept_within_the_callers_reach(centre):
    with centre.ledger.write.begin() as connection:
        shop(connection, "s1", "north", forecast=12.0)
        shop(connection, "s2", "north", forecast=13.0)
        shop(connection, "s3", "", forecast=4.0)
    seen = centre.regions.outlook(None, None, 10)
    assert (seen.stores_read, seen.stores_total, seen.days, seen.from_day) == (3, 3, 7, "2017-09-04")
    first = seen.rows[0]
    assert (first.region, first.verdict, first.stores, first.skus) == ("north", "hot", 2, 2)
    assert first.expected_units == pytest.approx(7 * 25)
    assert first.usual_units == pytest.approx(7 * 8)
    assert first.low_units < first.expected_units < first.high_units
    assert (first.drivers[0].store_name, first.drivers[0].name) in {
        ("Shop s2", "Good 1"),
        ("Shop s2", "Good 2"),
    }
    assert {row.verdict for row in seen.rows if row.region == NO_REGION} == {"usual"}
    assert {row.region for row in centre.regions.outlook({"s3"}, None, 10).rows} == {NO_REGION}
    assert centre.regions.outlook(None, "north", 1).rows == [first]
    assert centre.regions.outlook({"s3"}, "north", 10).rows == []


def test_a_chain_comes_in_over_several_questions_and_is_read_again_when_it_is_old(centre, monkeypatch):
    now = [0.0]
    regions = Regions(centre, lambda: now[0])
    with centre.ledger.write.begin() as connection:
        for number in range(4):
            shop(connection, f"s{number}", "north", forecast=5.0, categories=("drinks",))
    import central.regional as module

    real = module.store_outlooks
    monkeypatch.setattr(
        module, "store_outlooks", lambda *of: (now.__setitem__(0, now[0] + 1.5), real(*of))[1]
    )
    monkeypatch.setattr(outlook_rows, "SKUS_AT_ONCE", 1)
    assert [regions.outlook(None, None, 9).stores_read for _ in range(3)] == [2, 4, 4]
    before = now[0]
    regions.outlook(None, None, 9)
    assert now[0] == before, "nothing is read twice while it is fresh"
    now[0] += FRESH_S
    regions.outlook(None, None, 9)
    assert now[0] > before + FRESH_S


def test_shops_read_together_say_what_each_says_alone(centre, monkeypatch):
    """Of other days, zones and sizes, one unknown to gateways, one whose SKU is not managed."""
    with centre.ledger.write.begin() as connection:
        for number in range(5):
            shop(connection, f"s{number}", "north", forecast=4.0 + number, heard=8 * number)
        shop(connection, "s5", "north", forecast=4.0, first_day=TODAY - timedelta(days=3))
        connection.execute(tables.items.update().where(tables.items.c.sku == "sku-2").values(managed=0))
        stores = [f"s{number}" for number in range(6)]
        alone = {store: store_outlook(connection, store) for store in stores}
        for at_once in (1, 3, 1_000):
            monkeypatch.setattr(outlook_rows, "SKUS_AT_ONCE", at_once)
            parts = outlook_parts(connection, stores)
            together = {}
            for part in parts:
                together |= store_outlooks(connection, part)
            assert together == alone, at_once
            assert sum(len(part.stores) for part in parts) == 6
    assert [alone[store].is_young for store in stores] == [False, True, False, False, False, False]


def test_a_chain_of_five_hundred_shops_costs_a_dozen_statements_the_first_time(centre):
    with centre.ledger.write.begin() as connection:
        shop(connection, "s-0", "north", forecast=12.0)
        for table in ("stores", "items", "forecasts", "rollups"):
            _copied(connection, table, 499)
    regions, ran = Regions(centre, lambda: 0.0), []
    event.listen(centre.ledger.read, "before_cursor_execute", lambda *of: ran.append(of[2]))
    seen = regions.outlook(None, None, 10)
    assert (seen.stores_read, seen.stores_total, seen.rows[0].stores) == (500, 500, 500)
    assert len(ran) <= 12, ran
    ran.clear()
    assert regions.outlook(None, None, 10) == seen
    assert len(ran) == 1, "only which shops there are"


def _copied(connection, table, times):
    """The rows of `s-0` for so many more shops."""
    names = [column.name for column in tables.metadata.tables[table].columns if column.name != "store_id"]
    connection.execute(sa.text(
        f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times)
        INSERT INTO {table} (store_id, {", ".join(names)}) SELECT 's-' || n.i, {", ".join(names)} FROM {table}, n"""
    ), {"times": times})  # fmt: skip
