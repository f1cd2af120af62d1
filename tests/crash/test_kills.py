"""kill -9 of the gateway at any moment of its loop, of the broker and of the centre; answers lost on the way."""

import random
import time

import pytest
from soak import IS_SOAK, seeds, tell

KILLS = 22 if IS_SOAK else 3
"""Of each seed; ten seeds in the soak."""


def die_at_a_call(shop, chance):
    """The gateway kills itself at the n-th write, sync or send, half of it done or none."""
    call, span = chance.choice([("write", 400), ("sync", 60), ("send", 60)])
    torn = chance.choice(["", " torn"]) if call != "sync" else ""
    shop.spawn(**shop.preload(CRASH_AT=f"{call} {chance.randint(1, span)}{torn}"))
    until_s = time.monotonic() + 15
    while shop.is_running and time.monotonic() < until_s:
        shop.trade(chance, 3)
        time.sleep(0.1)
    tell(f"kills at a {call}" if not shop.is_running else "kills by the clock")
    shop.kill()


def die_by_the_clock(shop, chance):
    """Now in the midst of its start, now of its work."""
    shop.spawn()
    if chance.random() < 0.7:
        shop.wait_up()
    time.sleep(chance.uniform(0, 1.0))
    tell("kills by the clock")
    shop.kill()


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", seeds(1, 10))
def test_kills_lose_nothing_and_count_nothing_twice(shop, seed):
    chance = random.Random(seed)
    shop.open()
    shop.trade(chance, 20)
    for _ in range(KILLS):
        shop.door.lose = chance.choice([0, 0, 0.3])
        shop.trade(chance, chance.randint(10, 60))
        time.sleep(chance.uniform(0, 0.3))
        if shop.is_running:
            shop.kill()
        victim = chance.random()
        if victim < 0.1:
            tell("kills of the broker")
            shop.broker.kill()
            shop.broker.start()
        elif victim < 0.2:
            shop.centre.kill()
            shop.centre.start()
        (die_at_a_call if chance.random() < 0.6 else die_by_the_clock)(shop, chance)
        killed_s = time.monotonic()
        shop.trade(chance, 5)
        shop.spawn()
        shop.wait_up()
        shop.recovered(killed_s)
    shop.door.lose = 0
    shop.settle()
    shop.check_books()
    assert len(shop.door.acked) == 1  # no kill cost the epoch


def test_a_broker_and_a_centre_that_die_under_load_lose_nothing(shop):
    chance = random.Random(7)
    shop.open()
    for _ in range(6 if IS_SOAK else 1):
        shop.trade(chance, 40)
        tell("kills of the broker")
        shop.broker.kill()
        shop.trade(chance, 40)
        shop.broker.start()
        killed_s = time.monotonic()
        shop.recovered(killed_s)
        shop.centre.kill()
        shop.trade(chance, 40)
        shop.centre.start()
        shop.settle()
    shop.check_books()
