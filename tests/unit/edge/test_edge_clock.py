"""Clocks that jump: lengths of time stay, nothing is lost, and no time is given back twice."""

import pytest
from edge_shop import DAY, HOUR, MINUTE, Shop

from contract.devices import ClockQuality
from edge.core.event_time import UNSET_CLOCK_MS
from edge.shop_clock import ShopClock

YEARS = 365 * DAY


class Wall:
    def __init__(self):
        self.ms, self.monotonic = 1_788_220_800_000, 5000

    def now_ms(self):
        return self.ms

    def go(self, ms):
        self.ms += ms
        self.monotonic += ms


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def clock(wall):
    return ShopClock(wall, lambda: wall.monotonic)


def test_time_goes_on_as_the_wall_clock_does(wall, clock):
    wall.go(1234)
    assert (clock.now_ms(), clock.take_step()) == (wall.ms, 0)


def test_a_second_back_makes_time_stand_still_until_it_is_made_up(wall, clock):
    before = clock.now_ms()
    wall.ms -= 1000
    assert clock.now_ms() == before
    wall.go(600)
    assert clock.now_ms() == before
    wall.go(600)
    assert (clock.now_ms(), clock.take_step()) == (before + 200, 0)


def test_a_second_ahead_is_taken_over(wall, clock):
    before = clock.now_ms()
    wall.ms += 1000
    assert (clock.now_ms(), clock.take_step()) == (before + 1000, 0)


@pytest.mark.parametrize("step", [DAY, -DAY, 40 * YEARS, -3000])
def test_a_set_clock_holds_at_once_and_is_told_once(wall, clock, step):
    wall.go(10_000)
    wall.ms += step
    assert clock.now_ms() == wall.ms
    wall.go(10_000)
    assert clock.now_ms() == wall.ms
    assert (clock.take_step(), clock.take_step()) == (step, 0)


def stepped(shop, step):
    shop.now += step
    shop.core.clock_stepped(step, shop.now)
    shop.batch()


@pytest.mark.parametrize("step", [DAY, -DAY, -40 * YEARS])
def test_picks_count_on_over_a_set_clock(step):
    shop = Shop().opened()
    shop.now += HOUR
    shop.batch(shop.weigh(c1=8))
    stepped(shop, step)
    shop.now += 5000
    shop.batch(shop.weigh(c1=5))
    assert shop.core.state.tally.counters["picks_counted_units"] == 5
    shop.now += 10 * MINUTE
    shop.batch()
    windows = shop.of_kind("sku_window")
    assert sum(row.picked_units for row in windows) == 5  # none waits for a time that came and went
    assert not list(shop.core.state.windows.open_windows())


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_readings_with_a_time_of_their_own_count_over_a_set_clock(step):
    """The shelf knows the time, the gateway was set to a wrong one: what the shelf says must not look old for a day."""
    shop = Shop().opened()
    shop.now += HOUR
    true_ms = shop.now

    def weighs(units, at_ms):
        readings = [{"cell": "c-1", "weight_g": units * 310.0, "stable": True, "sd_g": 1.0}]
        return shop.event("shelf-1", "weight", at_ms, readings=readings)

    shop.batch(weighs(9, true_ms))
    stepped(shop, step)
    shop.batch(weighs(6, true_ms + 1000))
    stepped(shop, -step)
    shop.batch(weighs(5, true_ms + 2000))
    assert shop.core.state.tally.counters["picks_counted_units"] == 5


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_an_empty_facing_is_empty_as_long_as_it_was_and_no_day_more(step):
    shop = Shop().opened()
    shop.now += HOUR
    shop.batch(shop.weigh(c1=0))
    shop.now += 20 * MINUTE
    shop.batch()
    stepped(shop, step)
    shop.now += 25 * MINUTE
    shop.batch()
    shop.batch(shop.weigh(c1=10))
    shop.now += HOUR
    shop.batch()
    empty_ms = sum(row.stock_out_ms for row in shop.of_kind("sku_window") if row.sku == "sku-1")
    assert empty_ms == 45 * MINUTE


def test_a_clock_without_a_battery_begins_behind_and_is_set_later():
    """Off, on again in 1970, network time after ten minutes: nothing waits for a time that it has seen already."""
    shop = Shop().opened()
    true_ms = shop.now
    shop.restart()
    shop.now = 60_000
    shop.core.clock_began(shop.now)
    shop.batch(shop.weigh(c1=7))
    till_ms = true_ms + 10 * MINUTE
    shop.batch(shop.receipt(1, (1, 3), at_ms=till_ms), shop.receipt(2, (1, 1), clock_quality="unknown"))
    receipts = shop.of_kind("receipt")
    assert shop.now < UNSET_CLOCK_MS
    assert (receipts[0].at_ms, receipts[0].clock_quality) == (till_ms, ClockQuality.SYNCED)
    assert receipts[1].clock_quality is ClockQuality.UNKNOWN
    shop.now += 10 * MINUTE
    shop.batch()
    stepped(shop, till_ms - shop.now)
    shop.batch(shop.weigh(c1=6))
    shop.now += HOUR
    shop.batch()
    assert shop.core.state.tally.counters["picks_counted_units"] == 4
    assert sum(row.picked_units for row in shop.of_kind("sku_window")) == 4
    assert [alert.text for alert in shop.of_kind("alert") if alert.code == "clock-set" and not alert.cleared]


def test_a_start_on_time_moves_nothing():
    shop = Shop().opened()
    before = dict(shop.saved)
    shop.restart()
    shop.core.clock_began(shop.now + 3 * DAY)  # it was off for three days
    shop.core.clock_began(shop.now)
    assert shop.saved == before
    assert shop.core.state.tally.counters.get("clock_steps_total", 0) == 0


def test_windows_that_meet_when_they_move_add_up():
    shop = Shop().opened()
    shop.now += HOUR
    shop.batch(shop.weigh(c1=9))
    shop.now += 61_000
    shop.batch(shop.weigh(c1=7))
    stepped(shop, -DAY)
    shop.now += HOUR
    shop.batch()
    assert sum(row.picked_units for row in shop.of_kind("sku_window")) == 3
