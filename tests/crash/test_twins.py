"""Two boxes with one identity, both real, both selling: HQ sees it, one is heard, and none counts twice."""

import random

from crash_devices import Till
from edge_rig import Gateway
from local_broker import LocalBroker
from soak import tell

from central.core.identity import LEASE_MS


class SecondBox:
    """A fresh gateway with the first one's name and key, its own broker and its own till."""

    def __init__(self, shop):
        folder = shop.folder / "second"
        folder.mkdir()
        self.broker = LocalBroker(folder, ("allow_anonymous true",))
        self.broker.start()
        options = {
            "gateway": shop.store.replace("store", "gw"),
            "store": shop.store,
            "state_dir": str(folder / "state"),
            "clock_file": str(shop.centre.process.clock.path),
            "commit_linger_ms": 20,
        }
        key = (shop.folder / "key").read_text()
        self.gateway = Gateway(folder, self.broker.port, shop.centre.process.port, key=key, **options)
        self.till = None

    def start(self):
        self.gateway.start()
        self.till = Till(self.broker.port, "till-2")

    def close(self):
        self.gateway.stop()
        if self.till is not None:
            self.till.stop()
        self.broker.kill()


def test_two_boxes_with_one_identity_are_seen_at_hq_and_count_nothing_twice(shop):
    chance = random.Random(5)
    hq = shop.centre.process.client("hq")

    def view():
        rows = hq.get("/v1/gateways").json()["rows"]
        return next(row for row in rows if row["store"] == shop.store)

    def signs():
        return [sign["code"] for sign in view()["signs"]]

    shop.open()
    shop.trade(chance, 20)
    shop.settle()
    assert signs() == []
    second = SecondBox(shop)
    try:
        second.start()
        tell("second boxes with one identity")
        shop.wait(lambda: "twin" in signs(), "HQ to see two boxes")
        shop.wait(lambda: "another gateway" in "".join(shop.status()["problems"]), "the shop to see it")
        twin = view()["twin"]
        assert twin["refusals"] >= 1
        assert "systemctl" in view()["signs"][0]["do"]
        # Both go on selling: the second is heard, the first keeps what it has.
        shop.trade(chance, 10)
        for _ in range(10):
            second.till.sell(shop.now_ms, chance.randint(1, 4))
        shop.wait(shop.is_stored, "the first box to store what it cannot send")
        sold = f"SELECT count(*) FROM receipts WHERE store_id = '{shop.store}' AND register_id = ?"
        shop.wait(lambda: shop.centre.ledger(sold, "till-2") == [(10,)], "the second box's receipts")
        assert shop.centre.ledger(sold, "till-1") == [(20,)]
        # A person stops the second; the first is heard again when it has been silent for a while.
        assert second.gateway.stop() == 0
        shop.centre.process.clock.stand_at(shop.now_ms + LEASE_MS)
        shop.settle()
        assert signs() == []
    finally:
        second.close()
        hq.close()
    expected = sorted(
        (till.name, number, units) for till in (shop.till, second.till) for number, units in till.sold.items()
    )
    found = shop.ledger("register_id, sequence, sold_units", "receipts")
    assert sorted(found) == expected
    [(taken,)] = shop.ledger("coalesce(sum(picked_units), 0)", "windows")
    assert taken == shop.shelf.taken
    tell("duplicates in effect", len(found) - len(set(found)))
