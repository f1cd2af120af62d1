"""What HQ asks, among the sums of a whole chain: rows that are made by the database itself, in the order of their key."""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks.ingest_rig.batches import START_MS
from benchmarks.ingest_rig.databases import InProcess, NewUrl, size_bytes, timed
from benchmarks.ingest_rig.rows import Result, row
from central.core.days import day_after, day_start_ms
from central.ledger.chain_views import sku_day, top_categories
from central.ledger.engine import Ledger
from central.ledger.sku_views import sku_series
from central.ledger.store_views import overview

GOAL_QUERY_MS = 50
ZONE, FIRST_DAY, DAYS = ZoneInfo("America/New_York"), "2017-06-06", 90
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
TURNS = 40
BYTES_A_ROW = {"sqlite": 80, "postgresql": 420}
"""Of sums while they are made, log and sort files included: to see beforehand whether the disk has room."""


@dataclass(frozen=True, slots=True)
class Size:
    """skus: with sums by the day in each shop; managed: with sums by the hour, in each shop of the sample."""

    shops: int = 500
    skus: int = 2000
    sample: int = 50
    managed: int = 200
    categories: int = 40

    @property
    def rows(self) -> int:
        return DAYS * (self.shops * self.skus + self.sample * 24 * (self.managed + self.categories))


QUICK = Size(skus=20, sample=2, managed=200)

_NUMBERS = """CREATE TABLE bench_numbers (i BIGINT PRIMARY KEY)"""
_FILL_NUMBERS = """WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2159)
    INSERT INTO bench_numbers SELECT i FROM n"""
_SUMS = sa.text(
    """INSERT INTO rollups (store_id, step_ms, at_ms, sku, receipts, sold_units, sold_cents, picked_units,
    delivered_units, shrink_units, unresolved_g, stock_out_ms, on_hand_units, level_ms)
    SELECT :store, :step, :first + t.i * :step, 'sku-' || k.i, 0, (k.i + t.i) % 5, 250, 1, 0, 0, 0, 0, (k.i + t.i) % 40,
    :first + t.i * :step FROM bench_numbers t CROSS JOIN bench_numbers k WHERE t.i < :times AND k.i < :skus
    ORDER BY 3, 4"""
)
_CATEGORY_HOURS = sa.text(
    """INSERT INTO category_hours (store_id, at_ms, category, sold_units, sold_cents, picked_units, delivered_units,
    shrink_units, stock_out_ms) SELECT :store, :first + t.i * 3600000, 'category ' || k.i, k.i, (k.i * 37 + t.i) % 991, 1, 0,
    0, 0 FROM bench_numbers t CROSS JOIN bench_numbers k WHERE t.i < :times AND k.i < :categories ORDER BY 2, 3"""
)


def hq_queries(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    size = QUICK if quick else _that_fits(kind)
    centre = InProcess(new_url(), size.shops, skus=min(size.managed, 200) if not quick else 20)
    ledger, stores = centre.ledger, [one.store for one in centre.fleet]
    began = time.perf_counter()
    _fill(ledger, stores, size)
    seconds = time.perf_counter() - began
    first_ms = day_start_ms(FIRST_DAY, ZONE)
    with ledger.read.connect() as connection:
        counts = connection.execute(
            sa.text(
                "SELECT (SELECT count(*) FROM rollups WHERE step_ms = 86400000), (SELECT count(*) FROM rollups WHERE step_ms = "
                "3600000), (SELECT count(*) FROM category_hours)"
            )
        ).one()
    days, hours, categories = counts
    yield row(f"{kind}: sums that HQ's queries stand among", days + hours + categories, "rows", None, "higher",
              by_day=days, by_hour=hours, by_category=categories, megabytes=round(size_bytes(ledger) / 1e6),
              made_in_s=round(seconds))  # fmt: skip

    def one_series(connection: Connection, turn: int) -> None:
        found = sku_series(
            connection, stores[turn % size.sample], f"sku-{turn * 7 % 20}", "Good", step="1h", from_ms=first_ms,
            to_ms=first_ms + DAYS * DAY_MS, zone=ZONE, currency="USD",
        )  # fmt: skip
        assert len(found.points) == DAYS * 24
        assert sum(point.sold_cents for point in found.points) == 250 * DAYS * 24

    def one_sku(connection: Connection, turn: int) -> None:
        found = sku_day(connection, f"sku-{turn * 7 % size.skus}", day_after(FIRST_DAY, turn * 2 % DAYS))
        assert len(found) == size.shops

    def leading(connection: Connection, turn: int) -> None:
        from_ms = first_ms + turn * 2 % DAYS * DAY_MS
        found = top_categories(connection, from_ms, from_ms + DAY_MS, top=5)
        assert len(found) == 24 * 5 * min(len(REGIONS), size.sample)

    def front_page(connection: Connection, turn: int) -> None:
        from_ms = first_ms + turn * DAY_MS
        overview(connection, now_ms=START_MS, from_ms=from_ms, to_ms=from_ms + 30 * DAY_MS,
                 look=centre.centre.look_at_gateways())  # fmt: skip

    asked: tuple[tuple[str, Callable[[Connection, int], None], float | None, int], ...] = (
        ("one SKU, one shop, 90 days hourly", one_series, GOAL_QUERY_MS, TURNS),
        (f"one SKU, {size.shops} shops, one day", one_sku, GOAL_QUERY_MS, TURNS),
        (f"top categories by region per hour, one day, {size.sample} shops", leading, GOAL_QUERY_MS, TURNS),
        (f"HQ's first page of {size.shops} shops, 30 days", front_page, None, 5),
    )
    for name, ask, goal, turns in asked:
        spent = []
        for turn in range(turns):
            with ledger.read.connect() as connection:
                spent.append(timed(lambda c=connection, t=turn, a=ask: a(c, t)) * 1000)
        yield row(f"{kind}: {name}, p95", round(sorted(spent)[int(len(spent) * 0.95)], 1), "ms", goal, "lower",
                  p50=round(statistics.median(spent), 1), first=round(spent[0], 1))  # fmt: skip
    ledger.close()


REGIONS = ("north", "east", "south", "west", "middle")


def _fill(ledger: Ledger, stores: list[str], size: Size) -> None:
    first_ms = day_start_ms(FIRST_DAY, ZONE)
    with ledger.write.begin() as connection:
        connection.execute(sa.text(_NUMBERS))
        connection.execute(sa.text(_FILL_NUMBERS))
        for number, store in enumerate(stores):
            connection.execute(
                sa.text("UPDATE stores SET region = :region WHERE store_id = :store"),
                {"region": REGIONS[number % len(REGIONS)], "store": store},
            )
    for number, store in enumerate(stores):
        with ledger.write.begin() as connection:
            of = {"store": store, "first": first_ms}
            connection.execute(_SUMS, {**of, "step": DAY_MS, "times": DAYS, "skus": size.skus})
            if number < size.sample:
                connection.execute(_SUMS, {**of, "step": HOUR_MS, "times": DAYS * 24, "skus": size.managed})
                connection.execute(_CATEGORY_HOURS, {**of, "times": DAYS * 24, "categories": size.categories})
    if ledger.is_shared:
        with ledger.watch.connect() as connection:
            for table in ("rollups", "category_hours", "stores"):
                connection.execute(sa.text("SET statement_timeout = 0"))
                connection.execute(sa.text(f"VACUUM ANALYZE {table}"))


def _that_fits(kind: str) -> Size:
    """The chain of the goal, or as many of its SKUs as half of the free disk has room for."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    size = Size()
    if size.rows * BYTES_A_ROW[kind] > free / 2:
        fewer = max(int(size.skus * free / 2 / (size.rows * BYTES_A_ROW[kind])), 100)
        print(
            f"{kind}: {free / 1e9:.0f} GB are free: {fewer} SKUs a shop instead of {size.skus}",
            file=sys.stderr,
        )
        size = Size(skus=fewer)
    return size
