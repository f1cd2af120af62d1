"""A shop that is killed: real gateway, real broker, real centre, devices with journals, and books to compare at the end."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from central_rig import CentreProcess, kill_leftover
from crash_devices import CELL_UNITS, Shelf, Till
from edge_rig import Gateway, shop_documents
from local_broker import LocalBroker
from recording_door import RecordingDoor
from soak import tell, tell_longest
from test_central_loop import put, set_up_store

FAULTS_C = Path(__file__).with_name("faults.c")
WITHIN_S, LOOK_S = 90.0, 0.05


def faults_library(folder: Path) -> Path:
    """The preloaded library, compiled here."""
    path = folder / "faults.so"
    if not path.exists():
        compiler = shutil.which("cc") or shutil.which("gcc")
        assert compiler, "no C compiler for tests/crash/faults.c: apt-get install gcc libc6-dev"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-o", str(path), str(FAULTS_C), "-ldl", "-lpthread"],
            check=True,
        )
    return path


class Centre:
    """The real one, with a shop whose shelf counts. One for all tests of the module."""

    def __init__(self, folder: Path):
        self.process = CentreProcess(folder)
        self.process.command("init")
        self.start()
        self._shops = 0

    def add_shop(self) -> tuple[str, str, str]:
        """(store, gateway, key)"""
        self._shops += 1
        store, gateway = f"store-{self._shops}", f"gw-{self._shops}"
        client = self.process.client()
        set_up_store(client, store)
        documents = {document["kind"]: document for document in shop_documents()}
        for facing in documents["planogram"]["facings"]:
            facing["capacity_units"] = CELL_UNITS
        for kind, field in (("items", "items"), ("planogram", "facings")):
            put(client, f"/v1/stores/{store}/{kind}", {field: documents[kind][field]})
        return store, gateway, self.process.add_gateway(store, gateway)

    def ledger(self, query, *values):
        path = self.process.folder / "state" / "ledger.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as db:
            return db.execute(query, values).fetchall()

    def kill(self):
        tell("kills of the centre")
        self.process.kill()

    def start(self):
        for _ in range(3):
            with contextlib.suppress(AssertionError):  # the machine was too slow; or the process has ended
                if self.process.process is None or self.process.process.poll() is not None:
                    self.process.start()
                else:
                    self.process.wait_until(self.process.is_up, 30)
                return
        raise AssertionError("the centre does not come up")

    def close(self):
        kill_leftover(self.process.process)


class Shop:
    """One gateway and its devices. `spawn` starts the gateway without waiting for it; it may die at once."""

    def __init__(self, centre: Centre, folder: Path, seed: int, **settings):
        self.centre, self.folder = centre, folder
        self.store, name, key = centre.add_shop()
        self.broker = LocalBroker(folder, ("allow_anonymous true", "max_queued_messages 100000"))
        self.broker.start()
        self.door = RecordingDoor(centre.process.port, seed)
        self.state = folder / "state"
        options = {
            "gateway": name, "store": self.store, "clock_file": str(centre.process.clock.path), "state_dir": str(self.state),
            "commit_linger_ms": 20, **settings,
        }  # fmt: skip
        self.gateway = Gateway(folder, self.broker.port, self.door.port, key=key, **options)
        self.till, self.shelf = Till(self.broker.port), Shelf(self.broker.port)
        self.exits = []

    @property
    def now_ms(self):
        return self.centre.process.clock.now_ms()

    def open(self):
        """Starts for the first time and lays the goods on the shelf."""
        self.spawn()
        self.wait_up()
        self.wait(lambda: self.status()["documents"].get("planogram"), "the planogram")
        self.shelf.weigh(self.now_ms)
        self.wait(lambda: self.status()["counters"].get("counted_total") == 3, "the first count")

    def spawn(self, **environment):
        log = (self.folder / "edge.log").open("ab")
        self.gateway.process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(self.gateway.config)],
            stderr=log, env={**os.environ, **environment},
        )  # fmt: skip
        log.close()

    def preload(self, **environment):
        library = faults_library(self.folder.parent)
        return {"LD_PRELOAD": str(library), "CRASH_DIR": str(self.state), **environment}

    @property
    def is_running(self):
        return self.gateway.process is not None and self.gateway.process.poll() is None

    def status(self):
        """Waits for an answer as long as there is a process that may give one."""
        report = None
        for _ in range(int(WITHIN_S / LOOK_S)):
            report = self.gateway.answer_if_any()
            if report or not self.is_running:
                break
            time.sleep(LOOK_S)
        return report or {"counters": {}, "documents": {}, "problems": ["no answer"], "backlog": 1}

    def wait(self, condition, what, within_s=WITHIN_S):
        """Counts its own looks: whoever stops this test and its processes for a while does not make it fail."""
        for _ in range(int(within_s / LOOK_S)):
            value = condition()
            if value:
                return value
            time.sleep(LOOK_S)
        raise AssertionError(f"waited {within_s} s in vain for {what}: {self.status()}")

    def wait_up(self):
        """Until the gateway answers and has its broker; one that ended with a fault is started again, as systemd does."""

        def is_up():
            if not self.is_running:
                self.exits.append(self.gateway.process.returncode)
                assert self.gateway.process.returncode != 78, (self.folder / "edge.log").read_text()[-2000:]
                self.spawn()
                return False
            report = self.gateway.answer_if_any()
            return report and not any("broker" in text for text in report["problems"])

        self.wait(is_up, "the gateway")

    def kill(self, what="the gateway"):
        tell(f"kills of {what}")
        if self.is_running:
            self.gateway.process.send_signal(signal.SIGKILL)
        self.gateway.process.wait(60)

    def trade(self, chance, count):
        for place in range(count):
            at_ms = self.now_ms + place
            self.till.sell(at_ms, chance.randint(1, 4))
            if chance.random() < 0.4:
                self.shelf.take(at_ms, chance.randint(1, 3), chance.randint(1, 4))
        self.pass_time()

    def pass_time(self):
        self.centre.process.clock.stand_at(self.now_ms + 1000)

    def is_stored(self):
        return not self.till.journal and not self.shelf.journal

    def recovered(self, since_s):
        """Waits until something new is stored; tells how long that took after `since_s`."""
        self.wait(
            lambda: max(self.till.stored_s, self.shelf.stored_s) > since_s or self.is_stored(), "recovery"
        )
        longest_s = max(self.till.stored_s, self.shelf.stored_s) - since_s
        tell_longest("longest recovery, ms", int(longest_s * 1000))

    def settle(self):
        """All is stored, windows are closed, and all of it is with the centre."""
        self.wait_up()
        self.wait(self.is_stored, "everything stored")
        self.centre.process.clock.stand_at(self.now_ms + 10 * 60_000)
        now_ms = self.now_ms

        def is_at_rest():
            report = self.gateway.answer_if_any()
            return report and report["backlog"] == 0 and report["now_ms"] >= now_ms

        self.wait(is_at_rest, "rest")

    # ---- the books ----

    def ledger(self, columns, table):
        return self.centre.ledger(f"SELECT {columns} FROM {table} WHERE store_id = ?", self.store)

    def gaps(self):
        return self.ledger("declared_by, what, lost_epoch", "gaps")

    def check_books(self, *, may_declare=False):
        """Every unit, every cent, every seq. A loss is one more or less than the devices said, without a gap that says so."""
        gaps = self.gaps()
        [(receipts, units, cents)] = self.ledger("count(*), sum(sold_units), sum(total_cents)", "receipts")
        [(taken, refilled)] = self.ledger(
            "coalesce(sum(picked_units), 0), coalesce(sum(refilled_units), 0)", "windows"
        )
        sold = self.till.sold
        tell("declared gaps", len(gaps))
        tell("runs that had to declare nothing", int(not gaps))
        assert may_declare or gaps == []
        sequences = [number for (number,) in self.ledger("sequence", "receipts")]
        twice = len(sequences) - len(set(sequences))
        tell("duplicates in effect", twice)
        assert twice == 0
        contents = dict(self.ledger("sequence, sold_units", "receipts"))
        assert all(sold[number] == contents[number] for number in contents), "a receipt says something else"
        undeclared = 0 if gaps else abs(len(sold) - receipts) + abs(sum(sold.values()) - (units or 0))
        tell("undeclared losses", undeclared)
        if not gaps:
            assert (receipts, units, cents) == (len(sold), sum(sold.values()), 100 * sum(sold.values()))
            assert (taken, refilled) == (self.shelf.taken, 0)
            assert self.door.missing() == []
        assert self.door.changed == [], "a row that was sent came again with other content"
        assert self._positions_differ() == []
        assert self.ledger("count(*)", "quarantine") == [(0,)]
        tell("receipts counted on both sides", receipts)
        tell("rows (gateway, epoch, seq) followed", len(self.door.rows))

    def _positions_differ(self):
        """Epochs that the gateway still has and that stand elsewhere than the centre's."""
        with contextlib.closing(sqlite3.connect(self.state / "edge.sqlite", timeout=30)) as db:
            ours = dict(db.execute("SELECT epoch, last_seq FROM epochs"))
        theirs = dict(self.ledger("epoch, through_seq", "positions"))
        return [epoch for epoch, last_seq in ours.items() if theirs.get(epoch, 0) != last_seq]

    def close(self):
        kill_leftover(self.gateway.process)
        self.till.stop()
        self.shelf.stop()
        self.door.close()
        self.broker.kill()
