"""A disk that takes its time: seen in the gateway's metrics and at HQ while it hangs, and nothing is lost by it."""

import random
import struct
import urllib.request

from soak import tell

STALL_S = 2.5


def test_a_disk_that_stalls_is_seen_at_hq_while_it_does_and_loses_nothing(shop):
    chance = random.Random(9)
    stall = shop.folder / "stall"
    stall.write_bytes(struct.pack("=q", 0))
    hq = shop.centre.process.client("hq")

    def signs():
        rows = hq.get("/v1/gateways").json()["rows"]
        return [sign["code"] for row in rows if row["store"] == shop.store for sign in row["signs"]]

    shop.open()
    shop.kill("a gateway, to put it on a bad disk")
    shop.spawn(**shop.preload(STALL_FILE=str(stall)))
    shop.wait_up()
    shop.trade(chance, 5)
    shop.settle()
    assert signs() == []
    with stall.open("r+b") as file:
        file.write(struct.pack("=q", int(STALL_S * 1e9)))
    tell("disks that stalled")
    shop.trade(chance, 5)
    try:
        shop.wait(lambda: "disk-slow" in signs() or "disk-stalls" in signs(), "HQ to see the slow disk")
    finally:
        with stall.open("r+b") as file:
            file.write(struct.pack("=q", 0))
    with urllib.request.urlopen(f"http://127.0.0.1:{shop.gateway.status_port}/metrics", timeout=30) as page:
        [line] = [
            line for line in page.read().decode().splitlines() if line.startswith("shelfloop_edge_slowest")
        ]
    assert float(line.split()[-1]) >= 2.0  # told as soon as it counts as slow
    shop.settle()
    shop.check_books()
    hq.close()
