"""Kills the centre at any moment, resends as a gateway does, and counts every unit and cent."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from central_rig import START_MS, STORE, CentreProcess, Gateway, Receiver, kill_leftover
from central_rows import day_close, proposal, receipt, sale
from ledger_kinds import KINDS, MOSTLY_SQLITE, database
from test_central_loop import get, post, set_up_store

from contract.codec import batch_receipt_from_bytes

BATCHES, ROWS_PER_BATCH = 60, 6
LIMIT_S = 900.0
"""A busy machine takes half a minute to start a centre, and this one is killed again soon after: a batch may see all of its starts."""

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(params=MOSTLY_SQLITE)
def centre(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CentreProcess]:
    with database(request.param) as url:
        yield from _centre(CentreProcess(tmp_path, database_url=url, auto_approve_below_cents=100_000))


def _centre(process: CentreProcess) -> Iterator[CentreProcess]:
    process.command("init")
    process.start()
    set_up_store(process.client(), items=40)
    yield process
    kill_leftover(process.process)


@pytest.mark.parametrize("centre", KINDS, indirect=True)
def test_kills_while_batches_flow_lose_nothing_and_double_nothing(centre: CentreProcess) -> None:
    gateway = Gateway(centre, centre.add_gateway())
    hq, system = centre.client("hq"), centre.client("system")
    receiver = Receiver()
    post(system, "/v1/webhooks", {"url": receiver.url}, 201)
    rng = random.Random(7)
    bodies, units, cents = [], 0, 0
    for batch in range(BATCHES):
        rows = []
        for place in range(ROWS_PER_BATCH):
            lines = [sale(rng.randrange(1, 41), rng.randrange(1, 4)) for _ in range(rng.randrange(1, 5))]
            units += sum(line.sold_units for line in lines)
            cents += sum(line.extended_cents for line in lines)
            rows.append(receipt(batch * ROWS_PER_BATCH + place + 1, lines))
        if batch % 2:
            rows.append(proposal(batch // 2 + 1))
        bodies.append(gateway.body(gateway.numbered(rows)))
    closed = day_close(receipts=BATCHES * ROWS_PER_BATCH, lines=0, units=units, cents=cents)

    stop = threading.Event()
    kills = threading.Thread(target=_kill_now_and_then, args=(centre, stop, rng.random), daemon=True)
    kills.start()
    for body in bodies:
        _send_until_acknowledged(gateway, body)
        if rng.random() < 0.3:
            _send_until_acknowledged(gateway, rng.choice(bodies))  # an old batch, once more
    stop.set()
    kills.join(LIMIT_S)
    assert not kills.is_alive()
    centre.wait_until(centre.is_up)
    centre.wait_quiet()
    gateway.send(closed)

    books = get(hq, "/v1/accounting")
    assert books["receipts"] == {"tills": BATCHES * ROWS_PER_BATCH, "ledger": BATCHES * ROWS_PER_BATCH}
    assert (books["units"]["ledger"], books["cents"]["ledger"]) == (units, cents)
    assert books["declared_gaps"] == 0
    skus = get(hq, f"/v1/stores/{STORE}/skus", limit=500)["rows"]
    assert sum(sku["sold_today_units"] for sku in skus) == units
    triggers = get(hq, "/v1/triggers", limit=500)["rows"]
    assert len(triggers) == BATCHES // 2
    assert {row["state"] for row in triggers} == {"sent"}
    assert {event["data"]["trigger"] for event in receiver.events()} == {row["trigger"] for row in triggers}
    assert centre.peak_rss_mb() < 150
    receiver.close()


def receipts_today(hq: httpx.Client) -> int:
    return int(get(hq, f"/v1/stores/{STORE}")["receipts"])


def _kill_now_and_then(centre: CentreProcess, stop: threading.Event, draw: "random.Random.random") -> None:
    for _ in range(6):
        if stop.wait(0.05 + 0.3 * draw()):
            return
        centre.kill()
        centre.start()


def _send_until_acknowledged(gateway: Gateway, body: bytes) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            reply = gateway.post(body)
        except httpx.HTTPError:
            time.sleep(0.02)
            continue
        assert reply.status_code == 200, reply.text
        batch_receipt_from_bytes(reply.content)
        return
    raise AssertionError(f"no answer in {LIMIT_S} s")


def test_a_gap_in_seq_is_asked_for_again_and_a_declared_loss_is_taken(centre: CentreProcess) -> None:
    gateway = Gateway(centre, centre.add_gateway())
    first, second, third = (gateway.body(gateway.numbered([receipt(n)])) for n in (1, 2, 3))
    assert batch_receipt_from_bytes(gateway.post(second).content).acked_through == 0
    for body in (first, second, first):
        reply = gateway.post(body)
    assert batch_receipt_from_bytes(reply.content).acked_through == 2
    assert gateway.post(third).status_code == 200
    gateway.seq = 9
    lost = gateway.body(gateway.numbered([receipt(10)]), kept_from_seq=10)
    assert batch_receipt_from_bytes(gateway.post(lost).content).acked_through == 10
    hq = centre.client("hq")
    assert (get(hq, "/v1/accounting")["declared_gaps"], receipts_today(hq)) == (1, 4)


def test_a_lost_gateway_database_sends_its_receipts_again_without_doubling_them(
    centre: CentreProcess,
) -> None:
    key = centre.add_gateway()
    Gateway(centre, key).send(receipt(1), receipt(2))
    again = Gateway(centre, key, epoch="epoch-2")
    reply = again.send(receipt(2), receipt(3), receipt(1, [sale(1, 9)]))
    assert reply.acked_through == 3
    assert "other content" in reply.rejected[0].reason
    assert {document.kind for document in reply.documents} >= {"history", "items"}
    hq = centre.client("hq")
    assert receipts_today(hq) == 3
    [row] = get(hq, "/v1/quarantine")["rows"]
    assert (row["where"], "other content" in row["reason"]) == ("centre", True)
    [view] = get(hq, "/v1/gateways")["rows"]
    assert (view["epochs"], view["rejected_total"]) == (2, 1)


def test_an_old_epoch_drains_as_history_and_decides_nothing(centre: CentreProcess) -> None:
    key = centre.add_gateway()
    old, live = Gateway(centre, key, epoch="old"), Gateway(centre, key, epoch="new")
    old.send(receipt(1))
    live.send(receipt(2))
    old.send(proposal(1), receipt(3))
    hq = centre.client("hq")
    assert get(hq, "/v1/triggers")["rows"] == []
    live.send(proposal(1))
    assert len(get(hq, "/v1/triggers")["rows"]) == 1
    assert receipts_today(hq) == 3


def test_time_ends_what_nobody_answers(centre: CentreProcess) -> None:
    gateway = Gateway(centre, centre.add_gateway())
    system = centre.client("system")
    gateway.send(proposal(1), proposal(2, doubt="cell silent"))
    centre.wait_quiet()
    centre.advance_to(START_MS + 73 * 3_600_000)
    states = {row["sku"]: row["state"] for row in get(system, "/v1/triggers")["rows"]}
    assert states == {"sku-1": "expired", "sku-2": "expired"}
    kinds = [row["event"]["type"] for row in get(system, "/v1/feed")["rows"]]
    assert kinds == ["shelfloop.restock.trigger.v1", "shelfloop.restock.cancelled.v1"]
    trigger = get(system, "/v1/feed")["rows"][0]["event"]["data"]["trigger"]
    shipped = {"revision": 1, "status": "shipped", "at_ms": START_MS, "despatch": "D-1"}
    assert post(system, f"/v1/triggers/{trigger}/statuses", shipped)["state"] == "expired"
    assert get(system, f"/v1/stores/{STORE}/skus/sku-1")["on_order_units"] == 24
