"""Sums that grow batch by batch equal sums made anew: from the ledger's facts, and by hand from what was sent."""

import itertools
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from central_rows import START_MS, delivery, gtin, level, receipt, sale, window
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from ledger_kinds import POSTGRESQL, SQLITE
from local_postgresql import why_absent
from test_ledger import STORE, bench

from central.context import Work
from central.core.days import day_of, day_start_ms
from central.ledger import store_rows
from central.ledger.category_days import pack_hours
from central.setup import rebuild_rollups
from central.store_loading import load_items
from contract.documents import Item
from contract.records import ReceiptRecord, Record, SkuWindow, StockFact, StockFactKind

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
STEPS = (900_000, HOUR_MS, DAY_MS)
ZONE = ZoneInfo("America/New_York")
SUMS = "SELECT * FROM rollups ORDER BY step_ms, at_ms, sku"
HOURS = "SELECT * FROM category_hours ORDER BY at_ms, category"
PACKED = "SELECT * FROM category_days"
CATEGORY = {"sku-1": "bread", "sku-2": "milk", "sku-3": "milk"}

# Some lie where a window ends as the next quarter hour begins: two levels of one moment in two quarter hours.
MINUTES = st.integers(0, 60 * 24 * 3) | st.sampled_from((0, 14, 15, 29, 30))
TIMES = MINUTES.map(lambda minute: START_MS + minute * 60_000)
SKUS = st.integers(1, 4)  # the fourth is not managed
LINES = st.lists(st.tuples(SKUS, st.integers(1, 5)), min_size=1, max_size=3)


SOME = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
MORE = settings(SOME, max_examples=60)


@st.composite
def streams(draw: st.DrawFn) -> list[Record]:
    rows: list[Record] = []
    for number in range(1, draw(st.integers(2, 13))):
        at_ms, sku = draw(TIMES), draw(SKUS)
        kind = draw(st.sampled_from(("receipt", "window", "merged", "level", "delivery", "shrink")))
        if kind == "receipt":
            lines = [sale(of, units) for of, units in draw(LINES)]
            # Some are dated to the day before: sold after midnight.
            day = day_of(at_ms - draw(st.sampled_from((0, 6 * HOUR_MS))), ZONE)
            rows.append(receipt(number, lines, at_ms=at_ms, business_date=day))
        elif kind in ("window", "merged"):
            span_ms = 60_000 if kind == "window" else HOUR_MS
            on_hand = draw(st.none() | st.integers(0, 9))
            rows.append(
                window(
                    sku,
                    at_ms=at_ms - at_ms % span_ms,
                    span_ms=span_ms,
                    picked_units=draw(st.integers(0, 5)),
                    put_back_units=1,
                    stock_out_ms=draw(st.integers(0, span_ms)),
                    on_hand_units=on_hand,
                )
            )
        elif kind == "level":
            rows.append(level(sku, draw(st.integers(0, 9)), at_ms=at_ms))
        else:
            fact = delivery(f"D-{number}", draw(st.integers(1, 9)), sku, at_ms=at_ms)
            what = StockFactKind.DELIVERY if kind == "delivery" else StockFactKind.SHRINK
            rows.append(fact.model_copy(update={"fact": what}))
    return [row.model_copy(update={"seq": seq}) for seq, row in enumerate(rows, 1)]  # fmt: skip


def put_items(work: Work) -> None:
    items = [
        Item(sku=sku, gtins=[gtin(n)], name=sku, category=category)
        for n, (sku, category) in enumerate(CATEGORY.items())
    ]
    store_rows.put_items(work.connection, STORE, items)
    load_items(work.connection, work.store)


def by_hand(rows: list[Record]) -> Counter[tuple[int, str, int, str]]:
    """(step, sku, bucket, what) → sum, without the code that the centre uses."""
    sums: Counter[tuple[int, str, int, str]] = Counter()

    def add(sku: str, at_ms: int, what: str, amount: int, day_ms: int | None = None) -> None:
        day_ms = day_start_ms(day_of(at_ms, ZONE), ZONE) if day_ms is None else day_ms
        for step in STEPS if sku in CATEGORY else (DAY_MS,):
            sums[step, sku, day_ms if step == DAY_MS else at_ms // step * step, what] += amount

    for row in rows:
        if isinstance(row, ReceiptRecord):
            for line in row.lines:
                add(
                    line.sku or "",
                    row.at_ms,
                    "sold_units",
                    line.quantity_units,
                    day_start_ms(row.business_date, ZONE),
                )
        elif isinstance(row, SkuWindow):
            add(row.sku, row.at_ms, "picked_units", row.picked_units - row.put_back_units)
            add(row.sku, row.at_ms, "stock_out_ms", row.stock_out_ms)
        elif isinstance(row, StockFact) and row.fact is not StockFactKind.LEVEL:
            what = "delivered_units" if row.fact is StockFactKind.DELIVERY else "shrink_units"
            add(row.sku, row.at_ms, what, row.units)
    return Counter({key: amount for key, amount in sums.items() if amount})


def check(kind: str, rows: list[Record], cuts: list[int], late: bool) -> None:
    with bench(kind) as centre:
        centre.run(put_items)
        places = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
        batches = [rows[a:b] for a, b in itertools.pairwise(places) if a < b]
        sent = Counter[str]()
        for number, batch in enumerate(batches):
            # A backlog of an older epoch is history: it adds to sums like everything else.
            epoch = f"epoch-{number % 2}" if late else "epoch-0"
            moved = [row.model_copy(update={"seq": sent[epoch] + n}) for n, row in enumerate(batch, 1)]
            sent[epoch] += len(batch)
            answer = centre.send(moved, epoch=epoch)
            assert answer is not None
            assert not answer.rejected
        found = Counter(
            {
                (row.step_ms, row.sku, row.at_ms, what): getattr(row, what)
                for row in _mappings(centre.ledger, SUMS)
                for what in ("sold_units", "picked_units", "stock_out_ms", "delivered_units", "shrink_units")
                if row.sku and getattr(row, what)
            }
        )
        assert found == by_hand(rows)
        hours: Counter[tuple[str, int]] = Counter()
        for (step, sku, at_ms, what), amount in found.items():
            if step == HOUR_MS and what == "sold_units":
                hours[CATEGORY[sku], at_ms] += amount
        told = {
            (row.category, row.at_ms): row.sold_units
            for row in _mappings(centre.ledger, HOURS)
            if row.sold_units
        }
        assert told == hours
        before = centre.rows(SUMS), centre.rows(HOURS)
        list(rebuild_rollups(centre.settings))
        assert (centre.rows(SUMS), centre.rows(HOURS)) == before
        with centre.ledger.write.begin() as connection:
            while pack_hours(connection, STORE, START_MS + 36 * HOUR_MS):
                pass
        assert all(row[1] >= START_MS + 36 * HOUR_MS for row in centre.rows(HOURS))
        list(rebuild_rollups(centre.settings))
        assert (centre.rows(SUMS), centre.rows(HOURS), centre.rows(PACKED)) == (*before, [])


def _mappings(ledger, sql):  # type: ignore[no-untyped-def]
    with ledger.read.connect() as connection:
        return connection.execute(sa.text(sql)).all()


def two_levels_of_one_moment() -> list[Record]:
    """A minute before a quarter hour: nothing; at it: 25 are counted; the window that ended then says 24, and is told last."""
    at_ms = START_MS + 15 * 60_000
    told = [
        window(1, at_ms=at_ms - 120_000, span_ms=60_000, on_hand_units=26),
        level(1, 25, at_ms=at_ms),
        window(1, at_ms=at_ms - 60_000, span_ms=60_000, on_hand_units=24),
    ]
    return [row.model_copy(update={"seq": seq}) for seq, row in enumerate(told, 1)]


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2)])
def test_of_two_levels_of_one_moment_the_one_told_later_stands(cuts: tuple[int, ...]) -> None:
    with bench(SQLITE) as centre:
        centre.run(put_items)
        rows = two_levels_of_one_moment()
        for first, last in itertools.pairwise((0, *cuts, len(rows))):
            centre.send(rows[first:last])
        hour = f"SELECT on_hand_units FROM rollups WHERE step_ms = {HOUR_MS} AND sku = 'sku-1'"
        assert centre.rows(hour) == [(24,)] == centre.rows("SELECT on_hand_units FROM stock")
        list(rebuild_rollups(centre.settings))
        assert centre.rows(hour) == [(24,)]


@given(streams(), st.lists(st.integers(1, 12), max_size=4), st.booleans())
@example(two_levels_of_one_moment(), [], False)
@example(two_levels_of_one_moment(), [1, 2], True)
@SOME
def test_sums_that_grew_equal_sums_made_anew(rows: list[Record], cuts: list[int], late: bool) -> None:
    check(SQLITE, rows, cuts, late)


@pytest.mark.soak
@pytest.mark.skipif(bool(why_absent()), reason=why_absent())
@given(streams(), st.lists(st.integers(1, 12), max_size=4), st.booleans())
@MORE
def test_on_postgresql_too_sums_that_grew_equal_sums_made_anew(
    rows: list[Record], cuts: list[int], late: bool
) -> None:
    check(POSTGRESQL, rows, cuts, late)
