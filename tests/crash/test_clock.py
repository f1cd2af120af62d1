"""A wall clock that jumps under a running gateway, and one that begins in another year. The gateway's own clock, not a simulated
one: its wall clock is the system's plus what a file says (tests/crash/faults.c).
"""

import random
import struct
import time

import pytest
from crash_rig import Shop
from soak import IS_SOAK, tell

DAY_S = 86_400


class RealTimeShop(Shop):
    """Devices know the true time, the gateway what `offset_s` makes of it."""

    def __init__(self, centre, folder):
        super().__init__(centre, folder, 1, clock_file="")
        self._file = folder / "offset"
        self.offset_s(0)

    @property
    def now_ms(self):
        return time.time_ns() // 1_000_000

    def pass_time(self):
        """It passes by itself."""

    def offset_s(self, seconds):
        if not self._file.exists():
            self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:  # in place: the gateway has it mapped
            file.write(struct.pack("<q", round(seconds * 1e9)))
        tell("clock jumps")

    def spawn(self, **environment):
        super().spawn(**self.preload(CLOCK_FILE=str(self._file)), **environment)

    def has_all(self):
        counters = self.status()["counters"]
        return (
            self.is_stored()
            and counters.get("picks_counted_units", 0) == self.shelf.taken
            and self.status()["backlog"] == 0
        )


@pytest.fixture
def shop(centre, tmp_path):
    shop = RealTimeShop(centre, tmp_path)
    yield shop
    shop.close()


def test_a_clock_that_jumps_costs_nothing_and_counts_nothing_twice(shop):
    chance = random.Random(5)
    shop.open()
    for offset_s in (1, -1, DAY_S, -DAY_S, 0, *((DAY_S, -DAY_S) * 3 if IS_SOAK else ())):
        shop.offset_s(offset_s)
        time.sleep(0.3)
        shop.trade(chance, 10)
        shop.wait(shop.has_all, f"every unit with the clock {offset_s} s off")
    check(shop)
    assert shop.status()["counters"]["clock_steps_total"] >= 3


def test_a_clock_without_a_battery_begins_in_another_year_and_is_set_while_it_runs(shop):
    chance = random.Random(6)
    shop.open()
    shop.trade(chance, 10)
    shop.wait(shop.has_all, "every unit before")
    for years in (-50, -1, 1) if IS_SOAK else (-50,):
        shop.kill()
        shop.offset_s(years * 365 * DAY_S)
        shop.spawn()
        shop.wait_up()
        shop.trade(chance, 10)
        shop.wait(shop.has_all, "every unit in the wrong year")
        shop.offset_s(0)
        shop.trade(chance, 10)
        shop.wait(shop.has_all, "every unit once the clock is set")
    check(shop)
    assert shop.status()["problems"] == []


def check(shop):
    [(receipts, units)] = shop.ledger("count(*), sum(sold_units)", "receipts")
    assert (receipts, units) == (len(shop.till.sold), sum(shop.till.sold.values()))
    assert shop.gaps() == []
    assert shop.door.changed == []
    assert shop.door.missing() == []
