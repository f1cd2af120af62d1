"""What HQ asks of all stores at once, and one SKU's long series, on both databases."""

import threading
from typing import Any
from zoneinfo import ZoneInfo

from central_rows import START_MS
from ledger_kinds import SQLITE, on_both
from test_ledger import STORE, Bench, bench

from central.board import AT_ONCE, BUDGET_S, FRESH_S, MAX_AGE_S, Board
from central.core.days import day_after, day_start_ms
from central.ledger.bulk import BulkStatement
from central.ledger.category_days import pack_hours
from central.ledger.chain_views import sku_day
from central.ledger.leading_categories import leading_categories
from central.ledger.series_views import sku_series
from central.ledger.tables import category_hours, rollups, stores
from central.packing import Packing
from central.timeseries.sql import rebuild_store
from contract.api.chain import CategoryHour
from contract.api.stores import Overview, SkuSeries

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
SHOPS = {
    "store-a": ("north", "America/New_York"), "store-b": ("north", "America/Chicago"), "store-c": ("south", "Asia/Kolkata"),
}  # fmt: skip
DAY = "2017-09-04"


def put_shops(centre: Bench) -> None:
    rows = [
        {
            "store_id": store, "name": store.title(), "region": region, "timezone": zone, "currency": "USD",
            "h3_cell": None, "hours": "[]", "closed_days": "[]",
        }
        for store, (region, zone) in SHOPS.items()
    ]  # fmt: skip
    with centre.ledger.write.begin() as connection:
        BulkStatement(stores.insert()).run(connection, rows)


def put_sums(
    centre: Bench, store: str, step_ms: int, sku: str, at_ms: int, sold: int, on_hand: int | None = None
) -> None:
    level_ms = -1 if on_hand is None else at_ms
    row = (store, step_ms, at_ms, sku, 1, sold, sold * 100, 0, 0, 0, 0, 0, on_hand, level_ms, 0)
    with centre.ledger.write.begin() as connection:
        BulkStatement(rollups.insert()).run_tuples(connection, [row])


@on_both
def test_one_sku_in_all_shops_is_of_each_shops_own_day(kind: str) -> None:
    with bench(kind) as centre:
        put_shops(centre)
        for number, (store, (_, zone)) in enumerate(SHOPS.items(), 1):
            start = day_start_ms(DAY, ZoneInfo(zone))
            put_sums(centre, store, DAY_MS, "sku-1", start, number, on_hand=number * 10)
            put_sums(centre, store, DAY_MS, "sku-2", start, 99)
            put_sums(centre, store, DAY_MS, "sku-1", start + DAY_MS, 99)
        with centre.ledger.read.connect() as connection:
            found = sku_day(connection, "sku-1", DAY)
            of_one = sku_day(connection, "sku-1", DAY, ["store-b"])
        assert [(one.store, one.region, one.sold_units, one.on_hand_units) for one in found] == [
            ("store-a", "north", 1, 10), ("store-b", "north", 2, 20), ("store-c", "south", 3, 30),
        ]  # fmt: skip
        assert [one.store for one in of_one] == ["store-b"]


@on_both
def test_the_leading_categories_are_of_each_region_and_hour(kind: str) -> None:
    with bench(kind) as centre:
        put_shops(centre)
        sold = [
            ("store-a", 0, "bread", 300), ("store-b", 0, "bread", 300), ("store-a", 0, "milk", 500), ("store-a", 0, "tea", 1),
            ("store-c", 0, "milk", 7), ("store-a", HOUR_MS, "tea", 9), ("store-a", 2 * HOUR_MS, "late", 1000),
            ("store-a", HOUR_MS, "stood", 0), ("store-a", HOUR_MS, "came back", -5), ("store-c", HOUR_MS, "stood", 0),
        ]  # fmt: skip
        with centre.ledger.write.begin() as connection:
            BulkStatement(category_hours.insert()).run_tuples(
                connection,
                [
                    (store, START_MS + at, name, int(cents > 0), cents, 0, 0, 0, 9)
                    for store, at, name, cents in sold
                ],
            )
        with centre.ledger.read.connect() as connection:
            found = leading_categories(connection, START_MS, START_MS + 2 * HOUR_MS, top=2)
        assert [(one.region, one.at_ms - START_MS, one.place, one.category, one.sold_cents) for one in found] == [
            ("north", 0, 1, "bread", 600), ("north", 0, 2, "milk", 500), ("north", HOUR_MS, 1, "tea", 9),
            ("south", 0, 1, "milk", 7),
        ]  # fmt: skip


@on_both
def test_packed_hours_say_the_same_and_what_comes_late_counts_beside_them(kind: str) -> None:
    def hour(store: str, at_ms: int, category: str, cents: int) -> tuple[object, ...]:
        return (store, at_ms, category, cents // 3, cents, 1, 2, 3, 4)

    with bench(kind) as centre:
        put_shops(centre)
        names = ("bread", "milk", "täglich", "tea")
        rows = [
            hour(store, START_MS + at * HOUR_MS, name, (at * 37 + len(store + name) * place) % 50)
            for place, store in enumerate(SHOPS) for at in range(60) for name in names if (at + place) % 5
        ]  # fmt: skip
        late = [hour("store-a", START_MS + at * HOUR_MS, "tea", 1000) for at in (0, 5)]  # 0 has no row yet

        def seen(**asked: Any) -> list[CategoryHour]:
            with centre.ledger.read.connect() as connection:
                return leading_categories(connection, START_MS, START_MS + 55 * HOUR_MS - 1, top=3, **asked)

        def pack(before_ms: int) -> None:
            for store in SHOPS:
                with centre.ledger.write.begin() as connection:
                    while pack_hours(connection, store, before_ms):
                        pass

        with centre.ledger.write.begin() as connection:
            BulkStatement(category_hours.insert()).run_tuples(connection, rows)
        before, of_one = seen(), seen(stores=["store-b"])
        assert len({one.at_ms for one in before}) == 55
        pack(START_MS + 50 * HOUR_MS)
        assert len(centre.rows(f"SELECT * FROM category_hours WHERE at_ms < {START_MS + 50 * HOUR_MS}")) == 0
        assert len(centre.rows("SELECT * FROM category_hours")) == len(
            [row for row in rows if row[1] >= START_MS + 50 * HOUR_MS]
        )
        assert (seen(), seen(stores=["store-b"])) == (before, of_one)
        for row in late:
            with centre.ledger.write.begin() as connection:
                BulkStatement(category_hours.insert()).run_tuples(connection, [row])
        with_late = seen()
        first = next(
            one for one in with_late if one.region == "north" and one.at_ms == START_MS + 5 * HOUR_MS
        )
        assert (first.category, first.place) == ("tea", 1)
        assert first.sold_cents >= 1000
        pack(START_MS + 60 * HOUR_MS)
        assert seen() == with_late
        assert centre.rows("SELECT * FROM category_hours") == []


def hours_of(centre: Bench, store: str, hours: int) -> list[int]:
    """Puts a row an hour from START_MS on, back to the day before; returns the starts."""
    starts = [START_MS + at * HOUR_MS for at in range(-30, hours)]
    with centre.ledger.write.begin() as connection:
        BulkStatement(category_hours.insert()).run_tuples(
            connection, [(store, at_ms, "tea", 1, 100, 0, 0, 0, 0) for at_ms in starts]
        )
    return starts


@on_both
def test_a_rebuild_leaves_packed_hours_of_which_the_facts_are_gone(kind: str) -> None:
    with bench(kind) as centre:
        put_shops(centre)
        starts = hours_of(centre, "store-a", 30)
        with centre.ledger.write.begin() as connection:
            while pack_hours(connection, "store-a", START_MS + 99 * HOUR_MS):
                pass
        centre.change(f"INSERT INTO kept_since VALUES ('store-a', 'windows', {START_MS - HOUR_MS})")
        zone = ZoneInfo(SHOPS["store-a"][1])
        from_ms = day_start_ms(day_after(DAY, 1), zone)
        assert from_ms % DAY_MS, "it lies within a packed day"
        with centre.ledger.write.begin() as connection:
            rebuild_store(connection, "store-a", zone)
        with centre.ledger.read.connect() as connection:
            found = leading_categories(connection, starts[0], starts[-1] + HOUR_MS, top=3)
        assert [one.at_ms for one in found] == [at_ms for at_ms in starts if at_ms < from_ms]


@on_both
def test_a_store_packs_the_hours_that_are_over_by_its_own_watermark(kind: str) -> None:
    with bench(kind) as centre:
        centre.change(
            f"UPDATE gateways SET watermark_ms = {START_MS - 90 * 60_000} WHERE store_id = '{STORE}'"
        )
        starts = hours_of(centre, STORE, 3)
        stop, packing = centre.centre.stop, Packing(centre.centre)
        writer = threading.Thread(target=centre.centre.writer.run, args=(stop,), daemon=True)
        writer.start()
        try:
            assert packing.pack(stop) == 2, "days of UTC"
            left = [row[0] for row in centre.rows("SELECT at_ms FROM category_hours ORDER BY at_ms")]
            assert left == [at_ms for at_ms in starts if at_ms >= START_MS - 2 * HOUR_MS]
            assert packing.pack(stop) == 0
        finally:
            stop.set()
            writer.join(60)


@on_both
def test_a_long_series_knows_the_level_from_before_it_began(kind: str) -> None:
    with bench(kind) as centre:
        put_shops(centre)
        centre.change(
            "INSERT INTO items VALUES ('store-a', 'sku-1', '', 'so-called \"points\":[] of \\ tea', '', 1)"
        )
        centre.change(f"INSERT INTO stock VALUES ('store-a', 'sku-1', 4, 4, {START_MS + 90 * DAY_MS}, 0)")
        centre.change(
            f"INSERT INTO positions VALUES ('store-a', 'gw', 'e1', 1, 1, {START_MS - 70 * DAY_MS}, 0, NULL)"
        )
        put_sums(centre, "store-a", HOUR_MS, "sku-1", START_MS - 50 * DAY_MS, 0, on_hand=7)
        put_sums(centre, "store-a", HOUR_MS, "sku-1", START_MS + 5 * HOUR_MS, 3)
        put_sums(centre, "store-a", HOUR_MS, "sku-1", START_MS + 89 * DAY_MS, 2, on_hand=4)
        put_sums(centre, "store-a", HOUR_MS, "sku-2", START_MS + 6 * HOUR_MS, 99, on_hand=99)
        with centre.ledger.read.connect() as connection:
            text = sku_series(
                connection, "store-a", "sku-1", step="1h", from_ms=START_MS, to_ms=START_MS + 90 * DAY_MS,
                zone=ZoneInfo("America/New_York"), currency="USD",
            )  # fmt: skip
        assert text is not None
        found = SkuSeries.model_validate_json(text)
        points = found.points
        assert found.name == 'so-called "points":[] of \\ tea'
        assert len(points) == 90 * 24
        assert {(n, point.sold_units) for n, point in enumerate(points) if point.sold_units} == {
            (5, 3),
            (89 * 24, 2),
        }
        assert [points[n].on_hand_units for n in (0, 89 * 24 - 1, 89 * 24)] == [7, 7, 4]


def look(centre: Bench, board: Board | None = None, days: tuple[int, int] = (-1, 1)) -> Overview:
    """HQ's first page, from `days[0]` to `days[1]` days after START_MS."""
    text = (board or centre.centre.board).overview(
        None, now_ms=START_MS, from_ms=START_MS + days[0] * DAY_MS, to_ms=START_MS + days[1] * DAY_MS,
        look=centre.centre.look_at_gateways(),
    )  # fmt: skip
    return Overview.model_validate_json(text)


@on_both
def test_the_overviews_days_are_the_stores_totals_by_their_own_midnight(kind: str) -> None:
    with bench(kind) as centre:
        put_shops(centre)
        for store, (_, zone) in SHOPS.items():
            start = day_start_ms(DAY, ZoneInfo(zone))
            put_sums(centre, store, DAY_MS, "", start, 5)
            put_sums(centre, store, DAY_MS, "sku-1", start, 99)
            put_sums(centre, store, DAY_MS, "", start + 3 * DAY_MS, 99)
        found = look(centre)
        assert [(day.store, day.day, day.units) for day in found.days] == [(store, DAY, 5) for store in SHOPS]


@on_both
def test_the_overview_reaches_back_beyond_what_is_kept_in_memory(kind: str) -> None:
    with bench(kind) as centre:
        put_shops(centre)
        zone = ZoneInfo(SHOPS["store-a"][1])
        for days in (0, -1, -200, -400):
            put_sums(centre, "store-a", DAY_MS, "", day_start_ms(day_after(DAY, days), zone), 400 + days)
        shown = {
            days: [point.units for point in look(centre, days=days).days]
            for days in ((-3, 2), (-250, 2), (-401, -199))
        }
        assert shown == {(-3, 2): [399, 400], (-250, 2): [200, 399, 400], (-401, -199): [0, 200]}


@on_both
def test_a_shops_figures_are_of_its_own_rows(kind: str) -> None:
    with bench(kind) as centre:
        put_shops(centre)
        start = day_start_ms(DAY, ZoneInfo(SHOPS["store-a"][1]))
        for store, sold in (("store-a", 3), ("store-b", 9)):
            put_sums(centre, store, DAY_MS, "", start + (3_600_000 if store == "store-b" else 0), sold)
        for sku, managed, on_hand in (
            ("sku-1", 1, 0),
            ("sku-2", 1, "NULL"),
            ("sku-3", 0, 4),
            ("sku-4", 0, "NULL"),
        ):
            centre.change(f"INSERT INTO items VALUES ('store-a', '{sku}', '', '', '', {managed})")
            centre.change(
                f"INSERT INTO stock VALUES ('store-a', '{sku}', {on_hand}, NULL, {start + HOUR_MS}, 0)"
            )
        found = {view.store: view for view in look(centre).stores}
        a, b, c = (found[store] for store in SHOPS)
        assert (a.today, a.receipts, a.units, a.cents) == (DAY, 1, 3, 300)
        assert (a.skus, a.skus_out_of_stock, a.newest_ms) == (3, 1, start + HOUR_MS)
        assert (b.today, b.skus, b.units, c.today) == (None, 0, 0, None)


def test_a_large_chain_is_read_bit_by_bit_and_never_shown_as_it_was_a_minute_ago() -> None:
    with bench(SQLITE) as centre:
        stores_of_chain = [f"store-{number:03}" for number in range(3 * AT_ONCE)]
        rows = [
            {"store_id": store, "name": store, "region": "", "timezone": "UTC", "currency": "USD", "h3_cell": None,
             "hours": "[]", "closed_days": "[]"}
            for store in stores_of_chain
        ]  # fmt: skip
        with centre.ledger.write.begin() as connection:
            BulkStatement(stores.insert()).run(connection, rows)
        time_s = [100.0]

        def tick() -> float:
            time_s[0] += BUDGET_S / 4  # each look at the clock takes its time: a budget is a few slices
            return time_s[0]

        board = Board(centre.ledger, tick)
        assert {view.name for view in look(centre, board).stores} >= set(stores_of_chain)
        centre.change("UPDATE stores SET name = 'new'")
        renewed = [view.name for view in look(centre, board).stores].count("new")
        assert 0 < renewed < AT_ONCE
        few = stores_of_chain[:AT_ONCE]
        assert {view.name for view in board.stores(few)} == {"new"}, "few shops are read whole, and at once"
        time_s[0] += FRESH_S + 1
        assert board.is_behind()
        board.catch_up()
        assert not board.is_behind()
        centre.change("UPDATE stores SET name = 'newer'")
        time_s[0] += MAX_AGE_S + 1
        assert {view.name for view in look(centre, board).stores} == {"newer"}
