"""Four centres behind nginx on one PostgreSQL: workers and the database are killed under load, and each unit is counted."""

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from free_ports import free_port
from local_postgresql import LocalPostgresql, why_absent
from soak import IS_SOAK, tell

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "unit" / "central")]

from central_rig import CentreProcess, Gateway, Receiver, kill_leftover  # noqa: E402
from central_rows import day_close, proposal, receipt, sale  # noqa: E402
from test_central_loop import get, post, set_up_store  # noqa: E402

from contract.codec import batch_receipt_from_bytes  # noqa: E402

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
WORKERS, STORES = 4, 6
BATCHES = 60 if IS_SOAK else 12
ROWS = 5
KILLS = 24 if IS_SOAK else 5
DATABASE_KILLS = 6 if IS_SOAK else 1
LIMIT_S = 240.0

pytestmark = [
    pytest.mark.skipif(bool(why_absent()), reason=why_absent()),
    pytest.mark.skipif(not Path(NGINX).exists(), reason="no nginx here: apt-get install nginx-light"),
]


class Workers:
    """The database, the workers and nginx before them, by the file that deploy/ ships."""

    def __init__(self, folder: Path) -> None:
        self.database = LocalPostgresql(fsync=True)
        self.database.start()
        url = self.database.new_database()
        self.workers = []
        for number in range(WORKERS):
            place = folder / f"worker-{number}"
            place.mkdir()
            self.workers.append(
                # Records of another year under today's clock: nothing of them is to be forgotten.
                CentreProcess(
                    place,
                    database_url=url,
                    auto_approve_below_cents=1_000_000,
                    clock_file="",
                    receipt_days=0,
                    stock_fact_days=0,
                    window_days=0,
                    proposal_days=0,
                )
            )
        self.url, self.dsn = f"http://127.0.0.1:{free_port()}", url
        self._folder = folder
        self.nginx: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.workers[0].command("init")
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(CentreProcess.start, self.workers))
        text = (ROOT / "deploy" / "central" / "nginx.conf").read_text()
        for number, worker in enumerate(self.workers, 1):
            text = text.replace(f"127.0.0.1:871{number}", f"127.0.0.1:{worker.port}")
        text = text.replace("listen 8700;", f"listen 127.0.0.1:{self.url.rpartition(':')[2]};")
        paths = "".join(
            f"{name}_temp_path {self._folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = self._folder / "nginx.conf"
        config.write_text(
            f"pid {self._folder}/nginx.pid;\nerror_log {self._folder}/nginx.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{paths}{text}\n}}\n"
        )
        self.nginx = subprocess.Popen(
            [NGINX, "-c", str(config), "-g", f"daemon off; error_log {self._folder}/nginx.log;"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        CentreProcess.wait_until(self.is_up, 60)

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        if self.nginx is not None:
            self.nginx.send_signal(signal.SIGTERM)
            self.nginx.wait(60)
        for worker in self.workers:
            kill_leftover(worker.process)
        self.database.close()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.close()


class Shop:
    """One store whose gateway sends its batches in order, some of them twice, until each is acknowledged."""

    def __init__(self, number: int, workers: Workers, key: str) -> None:
        self.store, self.rng = f"store-{number}", random.Random(number)
        self.gateway = Gateway(workers.workers[0], key, store=self.store, name=f"gw-{number}")
        self.gateway.http = httpx.Client(
            base_url=workers.url, headers={"Authorization": f"Bearer {key}"}, timeout=httpx.Timeout(15)
        )
        self.units = self.cents = self.receipts = self.answers = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            sent: list[bytes] = []
            for batch in range(BATCHES):
                sent.append(self._batch(batch))
                self._until_acknowledged(sent[-1])
                if self.rng.random() < 0.3:
                    self._until_acknowledged(self.rng.choice(sent))  # an old one, once more
        except BaseException as error:  # noqa: BLE001 - told by the test that waits
            self.error = error

    def _batch(self, batch: int) -> bytes:
        rows = []
        for place in range(ROWS):
            lines = [
                sale(self.rng.randrange(1, 6), self.rng.randrange(1, 4))
                for _ in range(self.rng.randrange(1, 4))
            ]
            self.units += sum(line.sold_units for line in lines)
            self.cents += sum(line.extended_cents for line in lines)
            self.receipts += 1
            rows.append(receipt(batch * ROWS + place + 1, lines))
        if batch % 3 == 0 and batch // 3 < 5:
            now_ms = time.time_ns() // 1_000_000
            rows.append(proposal(batch // 3 + 1, at_ms=now_ms, watermark_ms=now_ms))
        return self.gateway.body(self.gateway.numbered(rows))

    def _until_acknowledged(self, body: bytes) -> None:
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            try:
                reply = self.gateway.post(body)
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if reply.status_code in (502, 503, 504):
                time.sleep(0.1)  # a killed worker, a busy or an absent database: send again
                continue
            assert reply.status_code == 200, reply.text
            batch_receipt_from_bytes(reply.content)
            self.answers += 1
            return
        raise AssertionError(f"no acknowledgement within {LIMIT_S} s")


def retried(client: httpx.Client, path: str, **query: object) -> dict[str, object]:
    found: dict[str, object] = {}

    def asks() -> bool:
        try:
            reply = client.get(path, params=query)
        except httpx.HTTPError:
            return False
        if reply.status_code != 200:
            return False
        found.update(reply.json())
        return True

    CentreProcess.wait_until(asks, 60)
    return found


@pytest.mark.timeout(1800)
def test_killed_workers_and_a_killed_database_lose_nothing_and_double_nothing(workers: Workers) -> None:
    first = workers.workers[0]
    admin = httpx.Client(
        base_url=workers.url, headers={"Authorization": f"Bearer {first.token('admin')}"}, timeout=30
    )
    shops = []
    for number in range(STORES):
        set_up_store(admin, f"store-{number}")
        shops.append(Shop(number, workers, first.add_gateway(f"store-{number}", f"gw-{number}")))
    receiver = Receiver()
    post(admin, "/v1/webhooks", {"url": receiver.url, "types": ["shelfloop.restock.trigger.v1"]}, 201)

    threads = [threading.Thread(target=shop.run, daemon=True) for shop in shops]
    for thread in threads:
        thread.start()
    _kill_now_and_then(workers, threads)
    for thread in threads:
        thread.join(LIMIT_S)
    assert [shop.error for shop in shops if shop.error] == []

    for shop in shops:
        closed = day_close(receipts=shop.receipts, lines=0, units=shop.units, cents=shop.cents)
        shop._until_acknowledged(shop.gateway.body(shop.gateway.numbered([closed])))
        books = retried(admin, "/v1/accounting", store=shop.store)
        assert books["receipts"] == {"tills": shop.receipts, "ledger": shop.receipts}, shop.store
        assert books["units"]["ledger"] == shop.units  # type: ignore[index]
        assert books["cents"]["ledger"] == shop.cents  # type: ignore[index]
        assert books["declared_gaps"] == 0
    expected = STORES * min((BATCHES + 2) // 3, 5)
    CentreProcess.wait_until(lambda: len(_sent(admin)) == expected, 120)
    triggers = _sent(admin)
    _each_event_has_one_position(workers, expected)
    CentreProcess.wait_until(
        lambda: {event["data"]["trigger"] for event in receiver.events()} == triggers, 120
    )
    assert "all hold" in first.command("audit", "verify")
    assert get(admin, "/v1/triggers", limit=500)["rows"]
    receiver.close()


def _kill_now_and_then(workers: Workers, threads: list[threading.Thread]) -> None:
    rng = random.Random(11)
    for turn in range(KILLS):
        time.sleep(0.3 + rng.random())
        if not any(thread.is_alive() for thread in threads):
            break
        victim = rng.choice(workers.workers)
        victim.kill()
        tell("kills of a worker")
        if turn % (KILLS // DATABASE_KILLS) == 1:
            workers.database.kill()
            tell("kills of the database")
            time.sleep(0.2)
            workers.database.start()
        victim.start()
        for (
            worker
        ) in workers.workers:  # one that ended because its database went away is started as systemd would
            if worker.process is None or worker.process.poll() is not None:
                worker.start()


def _sent(admin: httpx.Client) -> set[str]:
    rows = retried(admin, "/v1/triggers", limit=500)["rows"]
    assert isinstance(rows, list)
    return {row["trigger"] for row in rows if row["state"] == "sent"}


def _each_event_has_one_position(workers: Workers, expected: int) -> None:
    """Gap-free, and in the order in which each store made them."""
    with psycopg.connect(workers.dsn) as connection:
        rows = connection.execute(
            "SELECT position, store_id, number FROM outgoing ORDER BY position"
        ).fetchall()
    assert [position for position, _, _ in rows] == list(range(1, expected + 1))
    for store in {store for _, store, _ in rows}:
        numbers = [number for _, of, number in rows if of == store]
        assert numbers == sorted(numbers)
