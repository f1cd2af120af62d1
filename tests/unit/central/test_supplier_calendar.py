"""A supplier's calendar: cut-offs, freezes and deliveries in its own local days."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from central.core.supplier_calendar import SEARCH_DAYS, SupplierCalendar

NEW_YORK = ZoneInfo("America/New_York")
MIN_MS, DAY_MS = 60_000, 86_400_000


def at(text, zone=NEW_YORK):
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def calendar(**changes):
    fields = {
        "zone": NEW_YORK,
        "order_weekdays": frozenset({0, 3}),
        "cutoff_minute": 10 * 60,
        "lead_time_days": 1,
    }
    return SupplierCalendar(**(fields | changes))


def test_the_next_cutoff_is_the_next_order_day_at_its_local_minute():
    assert calendar().next_cutoff_ms(at("2017-09-05T12:00")) == at("2017-09-07T10:00")
    assert calendar().next_cutoff_ms(at("2017-09-04T09:59")) == at("2017-09-04T10:00")


def test_what_comes_in_the_freeze_waits_for_the_next_cutoff():
    frozen = calendar(freeze_min=30)
    assert frozen.send_ms(at("2017-09-04T09:29")) == at("2017-09-04T09:30")
    assert frozen.send_ms(at("2017-09-04T09:30")) == at("2017-09-07T09:30")


def test_a_closed_day_takes_no_order_and_brings_none():
    closed = calendar(closed_days=frozenset({date(2017, 9, 4), date(2017, 9, 8)}))
    assert closed.next_cutoff_ms(at("2017-09-03T12:00")) == at("2017-09-07T10:00")
    assert closed.delivery_day(at("2017-09-07T10:00")) == date(2017, 9, 9)


def test_goods_come_on_a_day_on_which_a_lorry_comes():
    assert calendar(delivery_weekdays=frozenset({2})).delivery_day(at("2017-09-07T10:00")) == date(
        2017, 9, 13
    )
    assert calendar(delivery_weekdays=frozenset({2})).days_until_delivery(at("2017-09-05T12:00")) == 8


def test_the_cutoff_keeps_its_local_hour_when_the_clocks_change():
    before, after = (
        calendar().next_cutoff_ms(at("2017-11-02T09:00")),
        calendar().next_cutoff_ms(at("2017-11-03T00:00")),
    )
    assert datetime.fromtimestamp(before / 1000, UTC).hour == 14
    assert datetime.fromtimestamp(after / 1000, UTC).hour == 15


def test_a_supplier_that_never_takes_orders_gets_them_at_once():
    never = calendar(order_weekdays=frozenset())
    assert never.next_cutoff_ms(at("2017-09-04T09:00")) is None
    assert never.send_ms(at("2017-09-04T09:00")) == at("2017-09-04T09:00")


@given(
    now_ms=st.integers(at("2017-01-01T00:00"), at("2018-12-31T00:00")),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    cutoff_minute=st.integers(0, 1439),
    freeze_min=st.integers(0, 600),
    zone=st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"]),
)
def test_an_order_never_goes_out_in_the_past_nor_past_a_weeks_cutoff(
    now_ms, weekdays, cutoff_minute, freeze_min, zone
):
    of = calendar(
        zone=ZoneInfo(zone), order_weekdays=weekdays, cutoff_minute=cutoff_minute, freeze_min=freeze_min
    )
    cutoff_ms = of.next_cutoff_ms(now_ms)
    assert now_ms < of.send_ms(now_ms) <= cutoff_ms <= now_ms + 8 * DAY_MS + 11 * 60 * MIN_MS
    local = datetime.fromtimestamp(cutoff_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    assert local.weekday() in weekdays
    assert 0 < of.days_until_delivery(now_ms) <= SEARCH_DAYS
