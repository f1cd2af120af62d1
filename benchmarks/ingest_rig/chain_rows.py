"""The rows of a whole chain, made by the database itself, in the order of their key."""

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_after, day_start_ms
from central.ledger.category_days import pack_hours
from central.ledger.coupon_rows import Campaign, put_campaign
from central.ledger.engine import Ledger
from central.ledger.facts import STATEMENTS
from contract.api.offers import CampaignCause, CampaignPut
from contract.documents import SupplyDocument, SupplyLine
from contract.records import QUANTILE_LEVELS

ZONE, FIRST_DAY, DAYS = ZoneInfo("America/New_York"), "2017-06-06", 90
LAST_DAY = day_after(FIRST_DAY, DAYS - 1)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
REGIONS = ("north", "east", "south", "west", "middle")
TILLS = ("till-1", "till-2")
HORIZON, PLAYED_DAYS = 14, 28
BYTES_A_ROW = {"sqlite": 80, "postgresql": 420}
"""Of sums while they are made, log and sort files included: to see beforehand whether the disk has room."""


@dataclass(frozen=True, slots=True)
class Size:
    """skus: with stock and sums by the day in each shop; managed: with sums by the hour, in each shop of the sample.

    forecast: SKUs of each shop with forecasts. receipts: of each shop's newest day.
    """

    shops: int = 500
    skus: int = 2000
    sample: int = 50
    managed: int = 200
    categories: int = 40
    forecast: int = 20
    receipts: int = 1000

    @property
    def category_hours(self) -> int:
        return DAYS * 24 * self.sample * self.categories

    @property
    def rows(self) -> int:
        return DAYS * (self.shops * self.skus + self.sample * 24 * (self.managed + self.categories))


QUICK = Size(skus=20, sample=2, receipts=20)


def that_fits(kind: str) -> Size:
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


_NUMBERS = """CREATE TABLE bench_numbers (i BIGINT PRIMARY KEY)"""
_FILL_NUMBERS = """WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2159)
    INSERT INTO bench_numbers SELECT i FROM n"""
_SUMS = sa.text(
    """INSERT INTO rollups (store_id, step_ms, at_ms, sku, receipts, sold_units, sold_cents, picked_units,
    delivered_units, shrink_units, unresolved_g, stock_out_ms, on_hand_units, level_ms)
    SELECT :store, :step, :first + t.i * :step, CASE k.i WHEN -1 THEN '' ELSE 'sku-' || k.i END, 0, (k.i + t.i) % 5, 250, 1,
    0, 0, 0, 0, (k.i + t.i) % 40, :first + t.i * :step
    FROM bench_numbers t CROSS JOIN (SELECT i FROM bench_numbers WHERE i < :skus UNION ALL SELECT -1 WHERE :total = 1) k
    WHERE t.i < :times ORDER BY 3, 4"""
)
_CATEGORY_HOURS = sa.text(
    """INSERT INTO category_hours (store_id, at_ms, category, sold_units, sold_cents, picked_units, delivered_units,
    shrink_units, stock_out_ms) SELECT :store, :first + t.i * 3600000, 'category ' || k.i, k.i, (k.i * 37 + t.i) % 991, 1, 0,
    0, 0 FROM bench_numbers t CROSS JOIN bench_numbers k WHERE t.i < :times AND k.i < :categories ORDER BY 2, 3"""
)
_ITEMS = sa.text(
    """INSERT INTO items (store_id, sku, gtin, name, category, managed)
    SELECT :store, 'sku-' || i, '', 'Good ' || i, 'category ' || i % 40, 0 FROM bench_numbers WHERE i < :skus
    ON CONFLICT DO NOTHING"""
)
_STOCK = sa.text(
    """INSERT INTO stock (store_id, sku, on_hand_units, on_shelf_units, at_ms, shrink_units)
    SELECT :store, 'sku-' || i, i % 40, i % 40, :at_ms, 0 FROM bench_numbers WHERE i < :skus"""
)
_RECEIPTS = sa.text(
    """INSERT INTO receipts (store_id, business_date, register_id, sequence, at_ms, gateway, epoch, seq, clock_quality,
    total_cents, line_count, sold_units, sold_g, content_hash) SELECT :store, :day, 'till-1', i, :at_ms + i, 'g', 'e', i,
    'synced', 100, 1, 1, 0, 'a hash of some bytes more' FROM bench_numbers WHERE i < :receipts"""
)
_FORECASTS = sa.text(
    """INSERT INTO forecasts (store_id, sku, first_day, at_ms, mean, quantiles, bundle)
    SELECT :store, 'sku-' || i, :day, :at_ms, :mean, :quantiles, 'bench' FROM bench_numbers WHERE i < :forecast"""
)
_SUPPLY = sa.text("INSERT INTO documents (store_id, kind, version, body) VALUES (:store, 'supply', 1, :body)")
_REGION = sa.text("UPDATE stores SET region = :region WHERE store_id = :store")


_MEMBERS_BUY = sa.text(
    "UPDATE receipts SET member = CAST(:name AS TEXT) || (sequence % 20) WHERE store_id = :store"
)
_ASSIGN_ALL = sa.text(
    """INSERT INTO assignments (campaign, member, store_id, arm, at_ms) SELECT :campaign, member, :store, CASE WHEN max(sequence) % 5 = 0
    THEN 'holdout' ELSE 'treated' END, 0 FROM receipts WHERE member IS NOT NULL GROUP BY member"""
)


def fill(ledger: Ledger, stores: list[str], size: Size) -> None:
    with ledger.write.begin() as connection:
        connection.execute(sa.text(_NUMBERS))
        connection.execute(sa.text(_FILL_NUMBERS))
        for number, store in enumerate(stores):
            connection.execute(_REGION, {"region": REGIONS[number % len(REGIONS)], "store": store})
    for number, store in enumerate(stores):
        _fill_shop(ledger, store, size, in_sample=number < size.sample)
    if ledger.is_shared:
        with ledger.watch.connect() as connection:
            connection.execute(sa.text("SET statement_timeout = 0"))
            connection.execute(sa.text("VACUUM ANALYZE"))


def fill_campaigns(ledger: Ledger, stores: list[str], campaigns: int) -> int:
    """Campaigns that give every member of a twentieth of the shops an arm. Returns how many members each has."""
    put = CampaignPut(
        cause=CampaignCause.SURPLUS, name="Too much", discount_percent=10, max_discount_cents=100, budget_cents=1000, starts_ms=0, ends_ms=1,
    )  # fmt: skip
    some = stores[:: max(len(stores) // 25, 1)]
    with ledger.write.begin() as connection:
        for number, store in enumerate(some):
            connection.execute(_MEMBERS_BUY, {"store": store, "name": f"m-{number}-"})
        for number in range(campaigns):
            campaign = Campaign(f"campaign-{number:03d}", put, f"{number:04d}", "00", "salt")
            put_campaign(connection, campaign, 0)
            connection.execute(_ASSIGN_ALL, {"campaign": campaign.campaign, "store": some[0]})
        members = connection.execute(sa.text("SELECT count(*) FROM assignments")).scalar_one() // campaigns
    return int(members)


def _fill_shop(ledger: Ledger, store: str, size: Size, *, in_sample: bool) -> None:
    first_ms = day_start_ms(FIRST_DAY, ZONE)
    of = {"store": store, "first": first_ms, "skus": size.skus}
    last = {"store": store, "skus": size.skus, "day": LAST_DAY, "at_ms": first_ms + (DAYS - 1) * DAY_MS}
    with ledger.write.begin() as connection:
        connection.execute(_SUMS, {**of, "step": DAY_MS, "times": DAYS, "total": 1})
        if in_sample:
            hours = {**of, "times": DAYS * 24}
            connection.execute(_SUMS, {**hours, "step": HOUR_MS, "skus": size.managed, "total": 0})
            connection.execute(_CATEGORY_HOURS, {**hours, "categories": size.categories})
            # As a centre does each hour; the newest hour is not over.
            while pack_hours(connection, store, first_ms + (DAYS * 24 - 1) * HOUR_MS):
                pass
        connection.execute(_ITEMS, of)
        connection.execute(_STOCK, last)
        connection.execute(_RECEIPTS, {**last, "receipts": size.receipts})
        _fill_books(connection, store, is_wrong=store.endswith("7"))
        connection.execute(_SUPPLY, {"store": store, "body": _supply(size)})
        mean = [round(1 + (day % 7) / 10, 2) for day in range(HORIZON)]
        quantiles = [[round(one * level * 2, 2) for level in QUANTILE_LEVELS] for one in mean]
        texts = {"mean": json.dumps(mean), "quantiles": json.dumps(quantiles), "forecast": size.forecast}
        # A forecast a day where series are asked for; else one a week, which goes on until the next.
        for day in range(0 if in_sample else DAYS - PLAYED_DAYS, DAYS, 1 if in_sample else 7):
            at = {"day": day_after(FIRST_DAY, day), "at_ms": first_ms + day * DAY_MS}
            connection.execute(_FORECASTS, {**texts, **at, "store": store})
        connection.execute(
            _FORECASTS, {**texts, "store": store, "day": day_after(LAST_DAY, 1), "at_ms": last["at_ms"]}
        )


def _fill_books(connection: Connection, store: str, *, is_wrong: bool) -> None:
    """Of two tills that close each day. is_wrong: one of them said a cent more than it sold, once."""
    places = [(day_after(FIRST_DAY, day), till) for day in range(DAYS) for till in TILLS]
    held = [(store, day, till, 300, 2700, 3000, 12_000, 750_000, 1, 300) for day, till in places]
    closes = [
        {"store_id": store, "business_date": day, "register_id": till, "at_ms": 0, "receipts": 300, "lines": 2700,
         "units": 3000, "grams": 12_000, "cents": 750_000 + (is_wrong and (day, till) == (LAST_DAY, TILLS[0]))}
        for day, till in places
    ]  # fmt: skip
    STATEMENTS["till_days"].run_tuples(connection, held)
    STATEMENTS["told_till_days"].run(connection, closes)


def _supply(size: Size) -> str:
    lines = [
        SupplyLine(
            sku=f"sku-{sku}",
            supplier="supplier-1",
            lead_time_days=2,
            review_days=1,
            pack_units=6,
            cost_cents=100,
        )
        for sku in range(size.forecast)
    ]
    return SupplyDocument(version=1, lines=lines).model_dump_json()
