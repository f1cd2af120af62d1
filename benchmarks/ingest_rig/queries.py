"""What HQ asks of a whole chain: each answer as the bytes that the centre sends."""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks.ingest_rig.batches import START_MS
from benchmarks.ingest_rig.chain_rows import (
    DAY_MS,
    DAYS,
    FIRST_DAY,
    PLAYED_DAYS,
    QUICK,
    REGIONS,
    TILLS,
    ZONE,
    Size,
    fill,
    fill_campaigns,
    that_fits,
)
from benchmarks.ingest_rig.databases import InProcess, NewUrl, size_bytes, timed
from benchmarks.ingest_rig.rows import Result, row
from central.core.days import day_after, day_start_ms
from central.ledger import coupon_rows
from central.ledger.campaign_views import campaign_views
from central.ledger.chain_views import sku_day
from central.ledger.gateway_views import gateway_views
from central.ledger.leading_categories import leading_categories
from central.ledger.series_views import sku_series
from central.ledger.store_views import accounting
from central.replaying import replay
from contract.api import Page
from runtime.heap import keep_what_is_loaded

GOAL_QUERY_MS = 50
GOAL_BOOKS_MS = 100
"""Of a question that reads each day of each till, ninety thousand of them."""
GOAL_REPLAY_S = 10
"""Of one shop: a person waits for it at HQ's page."""
TURNS = 40
CAMPAIGNS = 50
Ask = Callable[[Connection, int], object]


def hq_queries(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    size = QUICK if quick else that_fits(kind)
    rig = InProcess(new_url(), size.shops, skus=size.forecast)
    stores = [one.store for one in rig.fleet]
    began = time.perf_counter()
    fill(rig.ledger, stores, size)
    keep_what_is_loaded()  # as the centre does when it starts
    yield _made(kind, rig, size, time.perf_counter() - began)
    for name, ask in _questions(rig, stores, size).items():
        goal_ms = GOAL_BOOKS_MS if name.startswith("the books") else GOAL_QUERY_MS
        yield _asked(f"{kind}: {name}", rig, ask, goal_ms)
    yield from _outlook(kind, rig)
    yield _campaigns(kind, rig, stores)
    yield _replay(kind, rig, size)
    rig.ledger.close()


def _made(kind: str, rig: InProcess, size: Size, seconds: float) -> Result:
    with rig.ledger.read.connect() as connection:
        days, hours, packed = connection.execute(
            sa.text(
                "SELECT (SELECT count(*) FROM rollups WHERE step_ms = 86400000), (SELECT count(*) FROM rollups WHERE step_ms = "
                "3600000), (SELECT count(*) FROM category_days)"
            )
        ).one()
    return row(f"{kind}: sums that HQ's queries stand among", days + hours + size.category_hours, "rows", None, "higher",
               by_day=days, by_hour=hours, by_category=size.category_hours, packed_days=packed, megabytes=round(size_bytes(rig.ledger) / 1e6),
               made_in_s=round(seconds))  # fmt: skip


def _questions(rig: InProcess, stores: list[str], size: Size) -> dict[str, Ask]:
    first_ms = day_start_ms(FIRST_DAY, ZONE)
    look = rig.centre.look_at_gateways()

    def one_series(connection: Connection, turn: int) -> None:
        found = sku_series(
            connection, stores[turn % size.sample], f"sku-{turn * 7 % size.forecast}", step="1h", from_ms=first_ms,
            to_ms=first_ms + DAYS * DAY_MS, zone=ZONE, currency="USD",
        )  # fmt: skip
        assert found is not None
        assert found.count('"sold_cents":250,') == DAYS * 24
        assert found.count('"quantiles"') == DAYS + 14

    def one_sku(connection: Connection, turn: int) -> None:
        sku, day = f"sku-{turn * 7 % size.skus}", day_after(FIRST_DAY, turn * 2 % DAYS)
        found = Page(rows=sku_day(connection, sku, day)).model_dump_json()
        assert found.count('"sold_cents":250,') == size.shops

    def leading(connection: Connection, turn: int) -> None:
        from_ms = first_ms + turn * 2 % DAYS * DAY_MS
        found = Page(rows=leading_categories(connection, from_ms, from_ms + DAY_MS, top=5)).model_dump_json()
        assert found.count('"place"') == 24 * 5 * min(len(REGIONS), size.sample)

    def front_page(_: Connection, turn: int) -> None:
        from_ms = first_ms + turn % 50 * DAY_MS
        found = rig.centre.board.overview(
            None, now_ms=START_MS, from_ms=from_ms, to_ms=from_ms + 30 * DAY_MS, look=look
        )
        assert found.count('"day":') == size.shops * 30

    def fleet(connection: Connection, _: int) -> None:
        found = Page(rows=gateway_views(connection, now_ms=START_MS, look=look)).model_dump_json()
        assert found.count('"gateway"') == size.shops

    def books(connection: Connection, turn: int) -> None:
        found = accounting(connection, None if turn % 2 else stores)
        found = found.model_copy(update={"triggers": rig.centre.board.orders(None)})
        assert found.closed_days == size.shops * DAYS * len(TILLS)
        assert found.model_dump_json().count('"business_date"') == found.wrong_days > 0

    return {
        "one SKU, one shop, 90 days hourly": one_series,
        f"one SKU, {size.shops} shops, one day": one_sku,
        f"top categories by region per hour, one day, {size.sample} shops": leading,
        f"HQ's first page of {size.shops} shops, 30 days": front_page,
        f"the fleet's {size.shops} gateways": fleet,
        f"the books of {size.shops} shops, {len(TILLS)} tills, {DAYS} days": books,
    }


def _asked(name: str, rig: InProcess, ask: Ask, goal_ms: int | None) -> Result:
    spent, worked = [], []
    for turn in range(TURNS):
        with rig.ledger.read.connect() as connection:
            began_s = time.process_time()
            spent.append(timed(partial(ask, connection, turn)) * 1000)
            worked.append((time.process_time() - began_s) * 1000)
    first, asked, at_work = spent[0], sorted(spent), sorted(worked)
    # What this process worked tells a slow question from a busy machine; of PostgreSQL it is not all.
    return row(f"{name}, p95", round(asked[int(len(asked) * 0.95)], 1), "ms", goal_ms, "lower",
               p50=round(statistics.median(asked), 1), first=round(first, 1),
               processor_p50=round(statistics.median(at_work), 1), processor_p95=round(at_work[int(TURNS * 0.95)], 1))  # fmt: skip


def _outlook(kind: str, rig: InProcess) -> Iterator[Result]:
    """Asked until each shop was read: one question reads for a bounded time."""
    regions, spent, read, ran = rig.centre.regions, [], 0, []

    def note(*of: object) -> None:
        ran.append(of[2])

    sa.event.listen(rig.ledger.read, "before_cursor_execute", note)
    while read < len(rig.fleet):
        began = time.perf_counter()
        answer = regions.outlook(None, None, 200)
        answer.model_dump_json()
        spent.append(time.perf_counter() - began)
        assert answer.stores_read > read
        read = answer.stores_read
    sa.event.remove(rig.ledger.read, "before_cursor_execute", note)
    again = timed(lambda: regions.outlook(None, None, 200).model_dump_json())
    yield row(f"{kind}: regional outlook of {read} shops, until all are read", round(sum(spent), 2), "s", None, "lower",
              questions=len(spent), longest_s=round(max(spent), 2), statements=len(ran))  # fmt: skip
    yield row(
        f"{kind}: regional outlook of {read} shops, asked again",
        round(again * 1000, 1),
        "ms",
        GOAL_QUERY_MS,
        "lower",
    )


def _campaigns(kind: str, rig: InProcess, stores: list[str]) -> Result:
    """The funnels of all campaigns with their lift: each member's sales since it was assigned, in either arm."""
    members = fill_campaigns(rig.ledger, stores, CAMPAIGNS)

    def ask(connection: Connection, _: int) -> None:
        found = campaign_views(connection, coupon_rows.all_campaigns(connection))
        assert sum(one.lift_cents is not None for one in found) == CAMPAIGNS
        Page(rows=found).model_dump_json()

    return _asked(f"{kind}: {CAMPAIGNS} campaigns of {members} members each, with their lift", rig, ask, None)


def _replay(kind: str, rig: InProcess, size: Size) -> Result:
    with rig.ledger.read.connect() as connection:
        began = time.perf_counter()
        found = replay(connection, rig.centre.settings, {"pack_units": 12}, PLAYED_DAYS, rig.fleet[0].store)
        seconds = time.perf_counter() - began
    assert found.skus == size.forecast
    assert found.now != found.then
    return row(f"{kind}: replay of a shop's {PLAYED_DAYS} days, both sides", round(seconds, 2), "s", GOAL_REPLAY_S, "lower",
               skus=found.skus)  # fmt: skip
