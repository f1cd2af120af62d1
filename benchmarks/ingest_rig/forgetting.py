"""What it costs to forget: a month of receipts on PostgreSQL, a shop's day of sums and windows, which go row by row, on both."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from benchmarks.ingest_rig.databases import NewUrl, timed
from benchmarks.ingest_rig.rows import Result, row
from central.core.days import day_after, day_start_ms
from central.core.rollups import QUARTER_MS
from central.ledger import partitions
from central.ledger.engine import Ledger
from central.ledger.facts import STATEMENTS
from central.ledger.retention import RECEIPTS, RULES
from central.ledger.tables import metadata
from central.retention import Transact, drop_whole_months, prune_store
from central.settings import CentralSettings

DAY, ZONE, LINES, TOGETHER = "2017-09-01", ZoneInfo("UTC"), 10, 50
DAYS_KEPT = 30
SKUS = 200


def forgetting(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    yield from _a_day_of_a_shop(kind, new_url)
    if kind == "postgresql":
        yield from _receipts_by_month(kind, new_url, quick=quick)


def _a_day_of_a_shop(kind: str, new_url: NewUrl) -> Iterator[Result]:
    """The oldest of 31 days goes, of 200 SKUs with sums by the quarter hour and a batch of windows a minute, all day and night."""
    ledger = Ledger(url := new_url())
    ledger.create()
    for day in range(DAYS_KEPT + 1):
        from_ms = day_start_ms(day_after(DAY, day), ZONE)
        sums = [
            ("store-1", QUARTER_MS, from_ms + step * QUARTER_MS, f"sku-{sku}", 0, 1, 250, 1, 0, 0, 0, 0, 9, 0, 0)
            for step in range(96) for sku in range(SKUS)
        ]  # fmt: skip
        windows = [
            ("store-1", "gw-1", "e1", (day * 1440 + minute) * 100, (day * 1440 + minute) * 100 + 99,
             from_ms + minute * 60_000, from_ms + (minute + 1) * 60_000, 100, 3, 0, 0, 0, 0, "x" * 1100)
            for minute in range(1440)
        ]  # fmt: skip
        with ledger.write.begin() as connection:
            STATEMENTS["rollups"].run_tuples(connection, sums)
            STATEMENTS["windows"].run_tuples(connection, windows)
    settings = CentralSettings(
        state_dir=Path("unused"), database_url=url, quarter_rollup_days=DAYS_KEPT, window_days=DAYS_KEPT
    )
    now_ms = day_start_ms(day_after(DAY, DAYS_KEPT + 1), ZONE)
    for name, setting in (
        ("sums by the quarter hour", "quarter_rollup_days"),
        ("batches of windows", "window_days"),
    ):
        rules = [rule for rule in RULES if rule.setting == setting]
        dropped: list[int] = []
        seconds = timed(lambda r=rules, d=dropped: d.extend(  # type: ignore[misc]
            rows for _, rows in prune_store(ledger, _by(ledger), settings, "store-1", ZONE, now_ms, rules=r)
        ))  # fmt: skip
        yield row(f"{kind}: a shop's day of {sum(dropped)} {name} forgotten, {DAYS_KEPT} stay", round(seconds * 1000), "ms",
                  None, "lower", rows_a_s=round(sum(dropped) / seconds), minutes_for_500_shops=round(seconds * 500 / 60, 1))  # fmt: skip
    ledger.close()


def _receipts_by_month(kind: str, new_url: NewUrl, *, quick: bool) -> Iterator[Result]:
    count = 3_000 if quick else 30_000
    written, forgotten = {}, {}
    for name, split in (("one table", False), ("a table a month", True)):
        url = new_url()
        ledger = Ledger(url)
        ledger.create()
        if split:
            with ledger.write.begin() as connection:
                partitions.make_month(connection, DAY[:7])
        else:
            _as_one_table(ledger)
        written[name] = count / timed(partial(_write, ledger, count))
        forgotten[name] = timed(partial(_forget, ledger, url)) * 1000
        with ledger.read.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM receipt_lines")).scalar() == 0
        ledger.close()
    yield row(f"{kind}: receipts of {LINES} lines written, a table a month", round(written["a table a month"]), "a s", None,
              "higher", one_table=round(written["one table"]))  # fmt: skip
    yield row(f"{kind}: a month of {count} receipts forgotten, a table a month", round(forgotten["a table a month"], 1), "ms",
              None, "lower", one_table=round(forgotten["one table"], 1))  # fmt: skip


def _as_one_table(ledger: Ledger) -> None:
    """As the tables were before they were split."""
    with ledger.write.begin() as connection:
        for table in partitions.BY_MONTH:
            key = ", ".join(column.name for column in metadata.tables[table].primary_key)
            connection.execute(sa.text(f"CREATE TABLE {table}_one (LIKE {table}, PRIMARY KEY ({key}))"))
            connection.execute(sa.text(f"DROP TABLE {table}"))
            connection.execute(sa.text(f"ALTER TABLE {table}_one RENAME TO {table}"))
        connection.execute(
            sa.text("CREATE INDEX receipts_member ON receipts (member) WHERE member IS NOT NULL")
        )


def _write(ledger: Ledger, count: int) -> None:
    for first in range(0, count, TOGETHER):
        receipts: list[tuple[Any, ...]] = []
        lines: list[tuple[Any, ...]] = []
        for number in range(first, first + TOGETHER):
            key = ("store-1", day_after(DAY, number * 30 // count), "till-1", number)
            receipts.append((*key, 0, "gw-1", "e1", number, "synced", 250, None, LINES, LINES, 0, "0" * 32))
            lines += [
                (*key, line, "sale", f"sku-{line}", "09520000000011", "", 1, 0, 25, 25, None)
                for line in range(LINES)
            ]
        with ledger.write.begin() as connection:
            STATEMENTS["receipts"].run_tuples(connection, receipts)
            STATEMENTS["receipt_lines"].run_tuples(connection, lines)


def _forget(ledger: Ledger, url: str) -> None:
    settings = CentralSettings(state_dir=Path("unused"), database_url=url, receipt_days=DAYS_KEPT)
    now_ms = day_start_ms(day_after(DAY, 30 + DAYS_KEPT), ZONE)

    transact = _by(ledger)
    drop_whole_months(ledger, transact, settings, [("store-1", ZONE, now_ms)])
    for _ in prune_store(ledger, transact, settings, "store-1", ZONE, now_ms, rules=(RECEIPTS,)):
        pass


def _by(ledger: Ledger) -> Transact:
    def transact(_: str, job: Any) -> None:
        with ledger.write.begin() as connection:
            job(connection)

    return transact
