"""How fast batches come in: parsed, committed, answered, and what a fleet of ten thousand gateways feels.

    python benchmarks/ingest.py [--quick] [--json FILE] [--database sqlite|postgresql|both]

Each database is measured beside its own raw limit in the same run: the same fact rows in transactions of the same
size, by the fastest way that its driver has, with no centre around it. Rows are windows of 100 SKUs over the minutes
of a morning, with levels and proposals between them. PostgreSQL is started for the run, with fsync on.
"""

import argparse
import asyncio
import itertools
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
# This folder has a models.py of its own: it must not stand for the package.
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import sqlalchemy as sa  # noqa: E402
from local_broker import free_port  # noqa: E402
from local_postgresql import LocalPostgresql, why_absent  # noqa: E402

from central.centre import Centre  # noqa: E402
from central.ingestion import take_batch  # noqa: E402
from central.ledger.bulk import BulkStatement  # noqa: E402
from central.ledger.engine import Ledger  # noqa: E402
from central.ledger.sku_views import sku_series  # noqa: E402
from central.settings import CentralSettings  # noqa: E402
from contract.batch import batch_from_records  # noqa: E402
from contract.batch_reading import read_batch  # noqa: E402
from contract.codec import batch_to_bytes  # noqa: E402
from contract.devices import Place  # noqa: E402
from contract.records import ProposalRecord, Record, SkuWindow, StockFact, StockFactKind  # noqa: E402
from simulator.fleet import FleetGateway, run_fleet  # noqa: E402
from simulator.fleet_setup import add_fleet  # noqa: E402

START_MS = 1_504_526_400_000
BATCH_ROWS, SKUS = 500, 100
GOAL_PARSE, GOAL_SHARE, GOAL_P99_MS, GOAL_QUERY_MS = 1_000_000, 0.5, 250, 50
FLEET, FLEET_ROWS, FLEET_PERIOD_S = 10_000, 20, 10.0

Row = dict[str, Any]
Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter runs and a smaller fleet, same rows")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args()
    results = list(measure(options.database, quick=options.quick))
    print(f"\n{'name':<66}{'value':>12} {'unit':<10}{'goal':>10}  beside")
    for result in results:
        goal = "" if result["goal"] is None else result["goal"]
        peers = ", ".join(f"{name} {value}" for name, value in result["peers"].items())
        print(f"{result['name']:<66}{result['value']:>12} {result['unit']:<10}{goal:>10}  {peers}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def measure(database: str, *, quick: bool) -> Iterator[Result]:
    yield parse_rate(quick=quick)
    kinds = ("sqlite", "postgresql") if database == "both" else (database,)
    for kind in kinds:
        if kind == "postgresql" and why_absent():
            print(f"postgresql: left out: {why_absent()}", file=sys.stderr)
            continue
        with server(kind) as new_url:
            yield from commit_rate(kind, new_url, quick=quick)
            yield from cost_curve(kind, new_url, quick=quick)
            yield from over_http(kind, new_url, quick=quick)
            yield from hq_query(kind, new_url, quick=quick)


def row(name: str, value: float, unit: str, goal: float | None, better: str, **peers: float) -> Result:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "peers": peers}


# ---- parsing ----


def records(first_seq: int, count: int = BATCH_ROWS) -> list[Record]:
    """Windows, and for each hundred of them four levels and two proposals."""
    made: list[Record] = []
    for seq in range(first_seq, first_seq + count):
        at_ms, sku = START_MS + seq // SKUS * 60_000, f"sku-{seq % SKUS}"
        if seq % 100 in (20, 40, 60, 80):
            made.append(
                StockFact(seq=seq, at_ms=at_ms, fact=StockFactKind.LEVEL, sku=sku, units=seq % 40, place=Place.STORE,
                          on_hand_units=seq % 40)
            )  # fmt: skip
        elif seq % 100 in (30, 70):
            made.append(_proposal(seq, at_ms, sku))
        else:
            made.append(_window(seq, at_ms, sku))
    return made


def _window(seq: int, at_ms: int, sku: str) -> SkuWindow:
    return SkuWindow(
        seq=seq, at_ms=at_ms, sku=sku, span_ms=60_000, picked_units=seq % 3, put_back_units=0, refilled_units=0,
        unresolved_g=0, on_hand_units=seq % 40, on_shelf_units=seq % 20, stock_out_ms=0,
    )  # fmt: skip


def _proposal(seq: int, at_ms: int, sku: str) -> ProposalRecord:
    return ProposalRecord(
        seq=seq, at_ms=at_ms, sku=sku, quantity_units=24, on_hand_units=3, on_order_units=0,
        cumulative_quantiles=[2.0, 5.0, 8.0, 12.0, 16.0, 20.0, 24.0, 26.0, 29.0], window_days=3, service_level=0.95,
        pack_units=12, min_order_units=0, max_stock_units=None, target_units=24.0, expected_stock_out_units=9.5,
        reasons=["ordered up to the target, in whole packs"], doubt="", bundle="demo@1", watermark_ms=at_ms,
    )  # fmt: skip


def body_of(gateway: FleetGateway, rows: list[Record]) -> bytes:
    return batch_to_bytes(
        batch_from_records(
            gateway=gateway.gateway, store=gateway.store, epoch="e1", sent_at_ms=START_MS, have={}, rows=rows
        )
    )


def parse_rate(*, quick: bool) -> Result:
    """Of windows alone, the kind that comes in masses; in processor time of one core."""
    windows: list[Record] = [_window(seq, START_MS, f"sku-{seq % SKUS}") for seq in range(1, BATCH_ROWS + 1)]
    body = body_of(FleetGateway("gw-1", "store-1", ""), windows)
    costs = []
    for _ in range(5):
        began, turns = time.process_time(), 100 if quick else 1000
        for _ in range(turns):
            read_batch(body, "zstd")
        costs.append((time.process_time() - began) / turns)
    return row("parse and validate, 500-row batches, one core", round(BATCH_ROWS / min(costs)), "rows/s", GOAL_PARSE,
               "higher")  # fmt: skip


# ---- one database ----


@contextmanager
def server(kind: str) -> Iterator[Callable[[], str]]:
    """Gives URLs of empty databases."""
    with tempfile.TemporaryDirectory(prefix="shelfloop-bench-") as folder:
        if kind == "sqlite":
            numbers = itertools.count()
            yield lambda: f"sqlite:///{folder}/{next(numbers)}.sqlite3"
            return
        postgresql = LocalPostgresql(fsync=True)
        postgresql.start()
        try:
            yield postgresql.new_database
        finally:
            postgresql.close()


class _Clock:
    def now_ms(self) -> int:
        return START_MS


class InProcess:
    """A centre without its HTTP side: batches as bytes in, commits out, in this thread."""

    def __init__(self, url: str, stores: int, skus: int = SKUS) -> None:
        self.ledger = Ledger(url)
        self.ledger.create()
        self.fleet = add_fleet(self.ledger, stores, skus=skus)
        self.centre = Centre(
            self.ledger, CentralSettings(state_dir=Path("unused"), database_url=url), _Clock()
        )

    def take(self, *bodies: bytes) -> None:
        """One transaction. Raises when a batch is not acknowledged whole."""
        transaction = self.centre.writer.transaction(START_MS)
        try:
            for body in bodies:
                batch, rows = read_batch(body, "zstd")
                answer = self.centre.store_job(
                    batch.store, lambda work, b=batch, r=rows: take_batch(work, b, r)
                )(transaction)
                assert answer.acked_through == batch.seq_to
                assert not answer.rejected
            transaction.commit()
        finally:
            transaction.close()


_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def commit_rate(kind: str, new_url: Callable[[], str], *, quick: bool) -> Iterator[Result]:
    count = 20 if quick else 100
    raw = raw_rates(kind, new_url(), count)
    centre = InProcess(new_url(), 1)
    gateway = centre.fleet[0]
    bodies = [body_of(gateway, records(n * BATCH_ROWS + 1)) for n in range(count + 2)]
    with centre.ledger.read.connect() as connection:
        empty = connection.execute(sa.text(_SIZE[kind])).scalar() or 0
    for body in bodies[:2]:
        centre.take(body)
    seconds = [_timed(lambda body=body: centre.take(body)) for body in bodies[2:]]
    rate = BATCH_ROWS / statistics.median(seconds)
    with centre.ledger.read.connect() as connection:
        size = connection.execute(sa.text(_SIZE[kind])).scalar() or 0
        written = sum(
            int(connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar() or 0)
            for table in ("windows", "stock_facts", "proposals", "stock", "rollups")
        )
    centre.ledger.close()
    best = max(raw.values())
    yield row(f"{kind}: committed with decisions, transactions of 500 rows", round(rate), "rows/s", None, "higher",
              **{name: round(value) for name, value in raw.items()})  # fmt: skip
    yield row(
        f"{kind}: share of the best raw rate, fact rows", round(rate / best, 2), "share", GOAL_SHARE, "higher"
    )
    yield row(f"{kind}: bytes on disk for each fact row, sums and indexes included",
              round((size - empty) / (len(bodies) * BATCH_ROWS)), "bytes", None, "lower")  # fmt: skip
    yield row(f"{kind}: share of the best raw rate, all rows that it writes", round(rate * written / (len(bodies) * BATCH_ROWS) / best, 2),
              "share", None, "higher")  # fmt: skip
    yield row(f"{kind}: rows that the ledger keeps for each fact row", round(written / (len(bodies) * BATCH_ROWS), 2),
              "rows", None, "lower")  # fmt: skip


def raw_rates(kind: str, url: str, count: int) -> dict[str, float]:
    """Rows a second of (store, sku, ts, 6 numbers), 500 a transaction, by each way; medians."""
    tuples = [
        [("store-1", f"sku-{n % SKUS}", batch * BATCH_ROWS + n, 1, 2, 3, 4, 5, 6) for n in range(BATCH_ROWS)]
        for batch in range(count)
    ]
    table = "CREATE TABLE raw (store TEXT, sku TEXT, ts BIGINT, a BIGINT, b BIGINT, c BIGINT, d BIGINT, e BIGINT, f BIGINT, PRIMARY KEY (store, sku, ts))"
    if kind == "sqlite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(f"{table} WITHOUT ROWID")

        def insert(rows: list[tuple[Any, ...]]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO raw VALUES (?,?,?,?,?,?,?,?,?)", rows)
            connection.execute("COMMIT")

        seconds = [_timed(lambda rows=rows: insert(rows)) for rows in tuples]
        connection.close()
        return {"raw executemany": BATCH_ROWS / statistics.median(seconds)}
    return _raw_postgresql(url, table, tuples)


def _raw_postgresql(url: str, table: str, tuples: list[list[tuple[Any, ...]]]) -> dict[str, float]:
    import psycopg

    rates = {}
    with psycopg.connect(url) as connection:
        for way in ("executemany", "unnest", "copy"):
            connection.execute("DROP TABLE IF EXISTS raw")
            connection.execute(table)
            connection.commit()
            seconds = [
                _timed(lambda rows=rows, way=way: _raw_insert(connection, way, rows)) for rows in tuples
            ]
            rates[f"raw {way}"] = BATCH_ROWS / statistics.median(seconds)
    return rates


def _raw_insert(connection: Any, way: str, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        if way == "executemany":
            cursor.executemany("INSERT INTO raw VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s)", rows)
        elif way == "unnest":
            types = ["text"] * 2 + ["bigint"] * 7
            arrays = ", ".join(f"%s::{kind}[]" for kind in types)
            cursor.execute(
                f"INSERT INTO raw SELECT * FROM unnest({arrays})",
                tuple(f"{{{','.join(map(str, column))}}}" for column in zip(*rows, strict=True)),
            )
        else:
            with cursor.copy("COPY raw FROM STDIN") as copy:
                copy.write("".join(["\t".join(map(str, values)) + "\n" for values in rows]))
    connection.commit()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def cost_curve(kind: str, new_url: Callable[[], str], *, quick: bool) -> Iterator[Result]:
    """Batches of 20 rows from all stores in turn; SQLite shares transactions of 25 batches, PostgreSQL one a store."""
    for stores in (10, 100, 1000) if quick else (10, 100, 1000, 10_000):
        centre = InProcess(new_url(), stores, skus=20)
        together = 25 if kind == "sqlite" else 1
        batches = max(400 if quick else 2000, together)
        for turn in range(2):  # the first turn loads what memory keeps of each store
            senders = list(itertools.islice(itertools.cycle(centre.fleet), stores if turn == 0 else batches))
            bodies = [one.body(FLEET_ROWS, START_MS + turn, 20) for one in senders if _step(one)]
            began = time.perf_counter()
            for first in range(0, len(bodies), together):
                centre.take(*bodies[first : first + together])
            seconds = time.perf_counter() - began
        centre.ledger.close()
        yield row(f"{kind}: cost of a row, {stores} stores", round(seconds / len(bodies) / FLEET_ROWS * 1e6, 1), "µs", None,
                  "lower")  # fmt: skip


def _step(one: FleetGateway) -> bool:
    """The batch before was taken: the next one follows it. `body` does not move the sender by itself."""
    one.through_seq += FLEET_ROWS if one.epoch == "e1" else 0
    one.epoch = "e1"
    return True


# ---- over HTTP ----


@contextmanager
def running(url: str, stores: int, skus: int) -> Iterator[tuple[list[FleetGateway], int]]:
    ledger = Ledger(url)
    ledger.create()
    fleet = add_fleet(ledger, stores, skus=skus)
    ledger.close()
    with tempfile.TemporaryDirectory(prefix="shelfloop-bench-") as folder:
        port, status_port = free_port(), free_port()
        config = Path(folder) / "central.toml"
        config.write_text(
            f'state_dir = "{folder}"\ndatabase_url = "{url}"\nport = {port}\nstatus_port = {status_port}\nlog_level = "ERROR"\n'
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "central", "run", "--config", str(config)], cwd=ROOT
        )
        try:
            _wait_until_up(port)
            yield fleet, port
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_up(port: int) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the centre did not start")


def over_http(kind: str, new_url: Callable[[], str], *, quick: bool) -> Iterator[Result]:
    seconds = 4.0 if quick else 15.0
    with running(new_url(), 20, SKUS) as (fleet, port):
        full = asyncio.run(
            run_fleet(
                fleet,
                "127.0.0.1",
                port,
                rows=BATCH_ROWS,
                period_s=0,
                seconds=seconds,
                connections=8,
                skus=SKUS,
            )
        )
        rate = full.rows / full.wall_s
        period_s = len(fleet) * BATCH_ROWS / (rate / 2)
        half = asyncio.run(
            run_fleet(fleet, "127.0.0.1", port, rows=BATCH_ROWS, period_s=period_s, seconds=max(2 * seconds, 2 * period_s),
                      connections=8, skus=SKUS)
        )  # fmt: skip
    yield row(f"{kind}: over HTTP, 500-row batches, one process", round(rate), "rows/s", None, "higher")
    yield row(f"{kind}: p99 of a batch at half that load", round(half.quantile_ms(0.99), 1), "ms", GOAL_P99_MS, "lower",
              p50=round(half.quantile_ms(0.5), 1))  # fmt: skip
    gateways = FLEET // 10 if quick else FLEET
    with running(new_url(), gateways, 40) as (fleet, port):
        for name, turns in (("first batch of each", 1), ("then", 2)):
            report = asyncio.run(
                run_fleet(fleet, "127.0.0.1", port, rows=FLEET_ROWS, period_s=FLEET_PERIOD_S,
                          seconds=turns * FLEET_PERIOD_S, connections=64)
            )  # fmt: skip
            yield row(f"{kind}: {gateways} gateways, {FLEET_ROWS} rows each {FLEET_PERIOD_S:.0f} s, p99, {name}",
                      round(report.quantile_ms(0.99), 1), "ms", None, "lower", p50=round(report.quantile_ms(0.5), 1),
                      failed=report.failed, batches_a_s=round(len(report.latencies_s) / report.wall_s))  # fmt: skip


# ---- what HQ asks ----

_HOURS = BulkStatement(
    sa.text(
        """INSERT INTO rollups (store_id, step_ms, sku, at_ms, receipts, sold_units, sold_cents, picked_units,
        delivered_units, shrink_units, unresolved_g, stock_out_ms, on_hand_units, level_ms)
        VALUES (:a, :b, :c, :d, :e, :f, :g, :h, :i, :j, :k, :l, :m, :n)"""
    )
)


def hq_query(kind: str, new_url: Callable[[], str], *, quick: bool) -> Iterator[Result]:
    """One SKU of one shop over 90 days by the hour, among all SKUs of that shop; another SKU each time."""
    skus, days = (200 if quick else 2000), 90
    centre = InProcess(new_url(), 1, skus=skus)
    store, first_ms = centre.fleet[0].store, START_MS - START_MS % 86_400_000
    for day in range(days):
        with centre.ledger.write.begin() as connection:
            rows = [
                (store, 3_600_000, f"sku-{sku}", first_ms + (day * 24 + hour) * 3_600_000, 0, sku % 5, 250, 1, 0, 0, 0, 0,
                 sku % 40, first_ms)
                for hour in range(24) for sku in range(skus)
            ]  # fmt: skip
            _HOURS.run_tuples(connection, rows)
    if kind == "postgresql":
        with centre.ledger.watch.connect() as connection:
            connection.execute(sa.text("VACUUM ANALYZE rollups"))
    zone, seconds = ZoneInfo("America/New_York"), []
    for turn in range(20):
        with centre.ledger.read.connect() as connection:
            began = time.perf_counter()
            series = sku_series(
                connection, store, f"sku-{turn * 7}", "Good", step="1h", from_ms=first_ms,
                to_ms=first_ms + days * 86_400_000, zone=zone, currency="USD",
            )  # fmt: skip
            seconds.append(time.perf_counter() - began)
            assert len(series.points) == days * 24
            assert sum(point.sold_units for point in series.points) == days * 24 * (turn * 7 % 5)
    with centre.ledger.read.connect() as connection:
        size = connection.execute(sa.text(_SIZE[kind])).scalar() or 0
    centre.ledger.close()
    yield row(f"{kind}: one SKU, one shop, 90 days hourly, p95", round(sorted(seconds)[18] * 1000, 1), "ms", GOAL_QUERY_MS,
              "lower", p50=round(statistics.median(seconds) * 1000, 1), rows=days * 24 * skus, megabytes=round(size / 1e6))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
