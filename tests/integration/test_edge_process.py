"""The gateway as it runs: real broker, real process, a tiny centre, SIGKILL in between. Every seq and unit is counted."""

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
from central_rig import CentreProcess, kill_leftover
from edge_rig import (
    START_MS,
    Broker,
    Centre,
    Gateway,
    Till,
    gtin,
    receipt,
    shop_documents,
    wait_for,
)  # fmt: skip
from soak import seeds
from test_central_loop import set_up_store

from runtime.clock import ClockOwner


@pytest.fixture
def rig(tmp_path):
    with contextlib.ExitStack() as stack:
        clock = ClockOwner(tmp_path / "clock", START_MS)
        broker = Broker(tmp_path)
        stack.callback(broker.stop)
        centre = Centre(documents=shop_documents())
        stack.callback(centre.stop)
        gateway = Gateway(tmp_path, broker.port, centre.port, clock_file=clock.path)
        stack.callback(gateway.stop)
        till = Till(broker.port)
        stack.callback(till.stop)

        class Rig:
            pass

        rig = Rig()
        rig.clock, rig.broker, rig.centre, rig.gateway, rig.till, rig.stack = (
            clock,
            broker,
            centre,
            gateway,
            till,
            stack,
        )
        rig.folder = tmp_path
        yield rig


def settle(rig):
    """The simulator's rule: advance only when all are at rest at this time. Tills send again what nobody stored."""
    now = rig.clock.now_ms()
    sent_again_s = time.monotonic()

    def at_rest():
        nonlocal sent_again_s
        if rig.till.journal and time.monotonic() - sent_again_s > 2:
            sent_again_s = time.monotonic()
            rig.till.resend()
        status = rig.gateway.rests()
        return status and status["now_ms"] == now and not rig.till.journal and status

    return wait_for(at_rest, "rest")


def test_a_receipt_reaches_the_centre_and_the_till_may_forget_it(rig):
    rig.gateway.start()
    wait_for(lambda: rig.gateway.status()["documents"].get("history"), "documents")
    rig.till.send("receipt", START_MS, **receipt(1, [(gtin(1), 2, 101), (gtin(9), 1, 50)]))
    settle(rig)
    [row] = rig.centre.of_kind("receipt")
    assert (row.register_id, row.sequence, row.total_cents, row.at_ms) == ("till-1", 1, 252, START_MS)
    assert [line.sku for line in row.lines] == ["sku-1", None]
    assert rig.till.stored_through == 1
    assert [alert.code for alert in rig.centre.of_kind("alert") if not alert.cleared] == ["unknown-gtin"]


def test_weights_become_picks_windows_levels_forecasts_and_proposals(rig):
    rig.gateway.start()
    wait_for(lambda: rig.gateway.status()["documents"].get("history"), "documents")
    shelf = Till(rig.broker.port, "shelf-1")
    rig.stack.callback(shelf.stop)
    opening = [{"gtin": gtin(i), "counted_units": 15} for i in (1, 2, 3)]

    def weigh(units, stable=True):
        readings = [
            {"cell": f"c-{i}", "weight_g": u * 250.0 + 1, "stable": stable, "sd_g": 1.0}
            for i, u in units.items()
        ]
        shelf.send("weight", keep=False, readings=readings)

    weigh({1: 10, 2: 10, 3: 10})
    wait_for(lambda: rig.gateway.status()["counters"].get("counted_total") == 3, "first weights")
    rig.till.send("stocktake", START_MS, place="store", opening=True, lines=opening)
    settle(rig)
    rig.clock.stand_at(START_MS + 10 * 60_000)
    weigh({1: 8})
    weigh({2: 0})
    wait_for(lambda: rig.gateway.status()["counters"].get("picks_counted_units") == 12, "picks")
    settle(rig)
    rig.clock.stand_at(START_MS + 40 * 60_000)
    settle(rig)
    levels = {
        row.sku: (row.on_hand_units, row.on_shelf_units)
        for row in rig.centre.of_kind("stock_fact")
        if row.fact == "level"
    }
    assert levels == {"sku-1": (13, 8), "sku-2": (5, 0), "sku-3": (15, 10)}
    windows = rig.centre.of_kind("sku_window")
    assert sum(row.picked_units for row in windows) == 12
    assert sum(row.stock_out_ms for row in windows if row.sku == "sku-2") == 20 * 60_000  # whole quarters
    forecasts = rig.centre.of_kind("forecast")
    assert {row.sku for row in forecasts} == {"sku-1", "sku-2", "sku-3"}
    assert all(len(row.mean) == 14 and row.bundle for row in forecasts)
    proposals = {row.sku: row for row in rig.centre.of_kind("proposal")}
    assert proposals["sku-2"].quantity_units % 6 == 0
    assert proposals["sku-2"].on_hand_units == 5
    health = rig.gateway.status()
    assert health["problems"] == []


def test_labels_are_told_their_prices_until_they_show_them(rig):
    base = Till(rig.broker.port, "esl-1")
    rig.stack.callback(base.stop)
    rig.gateway.start()
    wait_for(lambda: len(base.commands) >= 3, "price commands")
    assert {(name, body["tag"], body["price_cents"]) for name, body in base.commands} == {
        ("price", "tag-1", 101), ("price", "tag-2", 102), ("price", "tag-3", 103),
    }  # fmt: skip
    for _, body in base.commands[:3]:
        base.send(
            "esl_ack", keep=False, tag=body["tag"], command_id=body["command_id"],
            content_hash=body["content_hash"], result="displayed",
        )  # fmt: skip
    wait_for(lambda: rig.gateway.status()["devices"].get("esl-1", {}).get("accepted") == 3, "acks")
    prices = json.loads(json.dumps(rig.centre.documents[3]))
    prices["version"], prices["prices"][0]["price_cents"] = 2, 99
    rig.centre.documents.append(prices)
    wait_for(lambda: len(base.commands) > 3, "the new price")
    assert base.commands[3][1]["price_cents"] == 99
    assert len(base.commands) == 4


@pytest.mark.parametrize("seed", seeds(1, 25))
def test_kill_9_between_commit_and_ack_loses_nothing_and_counts_nothing_twice(rig, seed):
    chance = random.Random(seed)
    rig.gateway.start()
    wait_for(lambda: rig.gateway.status()["documents"].get("items"), "documents")
    sent = 0
    for _ in range(5):
        for _ in range(chance.randint(20, 90)):
            sent += 1
            rig.till.send(
                "receipt", START_MS + sent, **receipt(sent, [(gtin(1 + sent % 3), 1 + sent % 4, 100)])
            )
        rig.centre.drop_replies = chance.randint(0, 3)
        # Now before anything is stored, now in the midst of it, now after all.
        through = sent - chance.choice([0, 5, 50, sent])
        wait_for(lambda through=through: rig.till.stored_through >= through, "progress")
        time.sleep(chance.uniform(0, 0.05))
        rig.gateway.kill()
        rig.gateway.start()
        rig.till.resend()
    wait_for(lambda: not rig.till.journal or rig.till.resend(), "stored")
    settle(rig)
    rows = rig.centre.of_kind("receipt")
    assert sorted(row.sequence for row in rows) == list(range(1, sent + 1))
    assert sum(line.quantity_units for row in rows for line in row.lines) == sum(
        1 + n % 4 for n in range(1, sent + 1)
    )
    counters = rig.gateway.status()["counters"]
    assert counters["receipts_total"] == sent
    assert len(rig.centre.position) == 1


def test_an_outage_of_the_centre_is_drained_in_order_and_without_loss(rig):
    rig.gateway.start()
    wait_for(lambda: rig.gateway.status()["documents"].get("items"), "documents")
    rig.centre.status = 503
    for number in range(1, 301):
        rig.till.send("receipt", START_MS, **receipt(number, [(gtin(1), 1, 100)]))
    wait_for(lambda: rig.till.stored_through == 300, "the shop works alone")
    assert rig.gateway.status()["backlog"] >= 300
    rig.centre.status = 200
    settle(rig)
    assert [row.sequence for row in rig.centre.of_kind("receipt")] == list(range(1, 301))


def test_a_centre_put_back_from_a_backup_declares_the_gap_and_goes_on(tmp_path):
    """The real centre, whose ledger is older than what it acknowledged; the gateway keeps running."""
    (tmp_path / "centre").mkdir()
    with contextlib.ExitStack() as stack:
        broker = Broker(tmp_path)
        stack.callback(broker.stop)
        centre = CentreProcess(tmp_path / "centre")
        centre.command("init")
        centre.start()
        stack.callback(lambda: kill_leftover(centre.process))
        set_up_store(centre.client())
        key = centre.add_gateway()
        centre.stop()
        shutil.copytree(tmp_path / "centre" / "state", tmp_path / "backup")
        centre.start()
        gateway = Gateway(tmp_path, broker.port, centre.port, clock_file=centre.clock.path, key=key)
        stack.callback(gateway.stop)
        till = Till(broker.port)
        stack.callback(till.stop)

        def ledger(query):
            with contextlib.closing(sqlite3.connect(tmp_path / "centre" / "state" / "ledger.sqlite3")) as db:
                return db.execute(query).fetchall()

        def sell(numbers):
            for number in numbers:
                till.send("receipt", START_MS, **receipt(number, [(gtin(1), 1, 100)]))
            wait_for(lambda: not till.journal and gateway.rests(), "everything with the centre", 20)

        gateway.start()
        sell(range(1, 41))
        assert ledger("SELECT count(*) FROM gaps WHERE declared_by = 'centre'") == [(0,)]
        [(acked,)] = ledger("SELECT max(through_seq) FROM positions")
        centre.kill()
        shutil.rmtree(tmp_path / "centre" / "state")
        shutil.copytree(tmp_path / "backup", tmp_path / "centre" / "state")
        centre.start()
        sell(range(41, 61))
        gaps = ledger("SELECT seq_from, seq_to, lost_epoch FROM gaps WHERE declared_by = 'centre'")
        assert gaps == [(1, acked, gateway.status()["epoch"])]
        assert ledger("SELECT sequence FROM receipts ORDER BY sequence") == [(n,) for n in range(41, 61)]


def test_a_row_that_the_centre_cannot_stomach_never_blocks_the_rest(rig):
    rig.centre.refuse = lambda rows: "row 7 makes me sick" if any(
        row.kind == "receipt" and row.sequence == 7 for row in rows
    ) else None  # fmt: skip
    rig.centre.reject = lambda row: "odd" if row.kind == "receipt" and row.sequence == 9 else None
    rig.gateway.start()
    for number in range(1, 21):
        rig.till.send("receipt", START_MS, **receipt(number, [(gtin(1), 1, 100)]))
    settle(rig)
    assert [row.sequence for row in rig.centre.of_kind("receipt")] == [
        n for n in range(1, 21) if n not in (7, 9)
    ]
    [gap] = rig.centre.of_kind("gap")
    assert "row 7 makes me sick" in gap.reason
    wait_for(lambda: rig.gateway.status()["quarantine_rows"] == 2, "both rows in quarantine")


def test_bad_input_is_put_aside_with_its_reason_and_nothing_else_stops(rig):
    rig.gateway.start()
    rig.till.send("receipt", START_MS, **{**receipt(1, [(gtin(1), 1, 100)]), "total_cents": 99})
    rig.till.send("receipt", START_MS, **receipt(2, [("12345", 1, 100)]))
    rig.till.client.publish("shelfloop/1/till-1/receipt", b"\xff{", qos=1)
    rig.till.client.publish("shelfloop/1/till-1/nonsense", b"{}", qos=1)
    rig.till.client.publish("shelfloop/1/BAD/receipt", b"{}", qos=1)
    rig.till.send("receipt", START_MS, **receipt(3, [(gtin(1), 1, 100)]))
    settle(rig)
    assert [row.sequence for row in rig.centre.of_kind("receipt")] == [3]
    reasons = [row.reason for row in rig.centre.of_kind("quarantine")]
    assert len(reasons) == 5
    assert any("add up to 100" in reason for reason in reasons)
    assert any("GTIN" in reason for reason in reasons)
    assert rig.till.stored_through == 3  # the till need not send bad receipts for ever
    dump = subprocess.run(
        [sys.executable, "-m", "edge", "dump", "--config", str(rig.gateway.config)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(dump.stdout.splitlines()) == 5


def test_a_damaged_database_is_set_aside_and_declared(rig):
    rig.gateway.start()
    rig.till.send("receipt", START_MS, **receipt(1, [(gtin(1), 1, 100)]))
    settle(rig)
    old = rig.gateway.status()["epoch"]
    rig.gateway.kill()
    path = rig.folder / "state" / "edge.sqlite"
    for suffix in ("-wal", "-shm"):
        (path.parent / f"edge.sqlite{suffix}").unlink(missing_ok=True)
    path.write_bytes(bytes(len(path.read_bytes())))
    rig.gateway.start()
    rig.till.send("receipt", START_MS, **receipt(2, [(gtin(1), 1, 100)]))
    settle(rig)
    assert rig.gateway.status()["epoch"] != old
    [gap] = rig.centre.of_kind("gap")
    assert gap.lost_epoch == old
    assert gap.units is None
    assert (path.parent / "edge.sqlite.corrupt-1").exists()
    assert [row.sequence for row in rig.centre.of_kind("receipt")].count(2) == 1


def test_a_wrong_key_is_a_problem_that_names_it_and_receipts_are_kept(rig):
    (rig.folder / "key").write_text("slg_wrong")
    rig.gateway.start()
    rig.till.send("receipt", START_MS, **receipt(1, [(gtin(1), 1, 100)]))
    wait_for(lambda: rig.till.stored_through == 1, "stored")
    status = wait_for(lambda: (s := rig.gateway.status()) and s["problems"] and s, "the problem")
    assert "401" in status["problems"][0]
    assert rig.gateway.stop() == 0


def test_a_bad_setting_stops_the_start_and_is_named(tmp_path):
    config = tmp_path / "edge.toml"
    config.write_text('gateway = "GW 1"\nstore = "store-1"\nstate_dir = "x"\ncolour = "red"\n')
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "gateway" in done.stderr
    assert "colour" in done.stderr


def test_the_database_is_nobody_elses_to_read(rig):
    rig.gateway.start()
    files = [path for path in (rig.folder / "state").iterdir() if path.name.startswith("edge.sqlite")]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_sigterm_ends_cleanly(rig):
    rig.gateway.start()
    assert rig.gateway.stop() == 0


def test_a_second_gateway_on_the_same_folder_does_not_start(rig):
    rig.gateway.start()
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--config", str(rig.gateway.config)],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 78
    assert "state_dir" in done.stderr
