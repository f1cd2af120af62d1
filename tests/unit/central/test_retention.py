"""What is forgotten after its time and what never is; and sums that outlive their facts, whatever is rebuilt."""

import json
import threading
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from central_rows import (
    START_MS,
    alert,
    day_close,
    delivery,
    forecast,
    gap,
    health,
    level,
    proposal,
    quarantined,
    receipt,
    sale,
    window,
)
from ledger_kinds import SQLITE, on_both
from pydantic import ValidationError
from test_deliveries import line, order, take
from test_ledger import STORE, Bench, bench

from central.__main__ import main
from central.core.days import day_after
from central.ledger import retention
from central.packing import Packing
from central.retention import Retention, prune_store
from central.settings import CentralSettings
from central.setup import rebuild_rollups
from contract.records import Record
from simulator.fleet_setup import add_fleet

DAY_MS = 86_400_000
DAY = "2017-09-04"
ZONE = ZoneInfo("America/New_York")
DAYS = {
    "receipt_days": 60, "window_days": 40, "stock_fact_days": 50, "proposal_days": 30, "alert_days": 30,
    "quarantine_days": 30, "delivery_note_days": 40, "forecast_days": 30, "quarter_rollup_days": 20, "hour_rollup_days": 90,
}  # fmt: skip
SUMS = """SELECT step_ms, sku, at_ms, receipts, sold_units, sold_cents, picked_units, delivered_units, on_hand_units
    FROM rollups WHERE step_ms = {step} ORDER BY 1, 2, 3"""
HOURS = "SELECT * FROM category_hours ORDER BY at_ms, category"


def prune(centre: Bench, days_later: int, **changed: int) -> dict[str, int]:
    def transact(_: str, job: Any) -> None:
        with centre.ledger.write.begin() as connection:
            job(connection)

    settings = centre.settings.model_copy(update={**DAYS, **changed})
    dropped: dict[str, int] = {}
    now_ms = START_MS + days_later * DAY_MS
    for table, rows in prune_store(centre.ledger, transact, settings, STORE, ZONE, now_ms):
        dropped[table] = dropped.get(table, 0) + rows
    centre.centre.memory.forget()
    return dropped


def days_of_everything(count: int) -> list[Record]:
    """A day's records of each kind, for so many days."""
    rows: list[Record] = []
    for n in range(count):
        at_ms, day = START_MS + n * DAY_MS, day_after(DAY, n)
        rows += [
            receipt(n + 1, [sale(1, 2), sale(2, 1)], at_ms=at_ms, business_date=day), window(1, at_ms=at_ms, picked_units=3),
            level(1, 8, at_ms=at_ms + 120_000), delivery(f"D-{n}", 12, at_ms=at_ms + 180_000), proposal(2, at_ms=at_ms),
            day_close(receipts=1, lines=2, units=3, cents=750, at_ms=at_ms, business_date=day),
            alert(at_ms=at_ms), alert(at_ms=at_ms + 60_000, cleared=True), gap(at_ms=at_ms), quarantined(at_ms=at_ms),
            forecast(1, first_day=day, at_ms=at_ms),
        ]  # fmt: skip
    return [row.model_copy(update={"seq": seq}) for seq, row in enumerate(rows, 1)]


def fill(centre: Bench, days: int) -> list[Record]:
    centre.put_supply()
    rows = days_of_everything(days)
    for first in range(0, len(rows), 200):
        answer = centre.send(rows[first : first + 200])
        assert answer is not None
        assert not answer.rejected
    return rows


def count(centre: Bench, table: str) -> int:
    [(found,)] = centre.rows(f"SELECT count(*) FROM {table}")
    return int(found)  # type: ignore[call-overload]


@on_both
def test_facts_go_after_their_time_and_sums_by_the_day_stay(kind: str) -> None:
    with bench(kind) as centre:
        fill(centre, 100)
        day_sums = centre.rows(SUMS.format(step=DAY_MS))
        assert prune(centre, 99)
        # Today and as many days before it as the setting says.
        assert (count(centre, "receipts"), count(centre, "day_closes")) == (61, 61)
        assert count(centre, "receipt_lines") == 122
        assert count(centre, "stock_facts") == 2 * 51
        assert (count(centre, "alerts"), count(centre, "quarantine"), count(centre, "forecasts")) == (
            31,
            31,
            31,
        )
        assert count(centre, "gaps") == 100
        [(oldest,)] = centre.rows("SELECT min(at_ms) FROM rollups WHERE step_ms = 900000")
        assert oldest == START_MS + 79 * DAY_MS
        assert count(centre, "category_hours") == 91
        assert centre.rows(SUMS.format(step=DAY_MS)) == day_sums
        assert prune(centre, 99) == {}


@on_both
def test_a_rebuild_after_facts_are_gone_leaves_their_sums_alone(kind: str) -> None:
    with bench(kind) as centre:
        fill(centre, 80)
        prune(centre, 79)
        before = centre.rows(SUMS.format(step=DAY_MS)), centre.rows(HOURS)
        list(rebuild_rollups(centre.settings))
        assert (centre.rows(SUMS.format(step=DAY_MS)), centre.rows(HOURS)) == before
        centre.change("UPDATE rollups SET sold_units = 77 WHERE sku = 'sku-1'")
        list(rebuild_rollups(centre.settings))
        wrong = [row[2] for row in centre.rows(SUMS.format(step=DAY_MS)) if row[4] == 77]
        # Windows went first, after 40 days; the first of those kept may be cut, and is left as it was.
        assert max(wrong) == START_MS - START_MS % DAY_MS + 4 * 3_600_000 + 39 * DAY_MS  # type: ignore[type-var]


@on_both
def test_a_receipt_older_than_those_that_are_kept_is_refused_and_not_counted_twice(kind: str) -> None:
    with bench(kind) as centre:
        rows = fill(centre, 80)
        prune(centre, 79)
        [before] = centre.rows("SELECT sum(sold_units) FROM rollups WHERE step_ms = 86400000 AND sku = ''")
        again = [row.model_copy(update={"seq": 1}) for row in rows if row.seq == 1]
        answer = centre.send(again, epoch="after-a-lost-disk")
        assert answer is not None
        assert "no longer kept" in answer.rejected[0].reason
        assert centre.rows("SELECT sum(sold_units) FROM rollups WHERE step_ms = 86400000 AND sku = ''") == [
            before
        ]


@on_both
def test_a_proposal_stays_while_an_order_of_its_sku_is_open(kind: str) -> None:
    with bench(kind) as centre:
        centre.put_supply()
        centre.send([proposal(1, seq=1), proposal(2, seq=2), proposal(3, seq=3)])
        assert count(centre, "triggers") == 3
        centre.change("UPDATE triggers SET state = 'closed' WHERE sku = 'sku-1'")
        assert prune(centre, 400)["proposals"] == 1
        assert centre.rows("SELECT sku FROM proposals ORDER BY sku") == [("sku-2",), ("sku-3",)]
        assert count(centre, "triggers") == 3


@on_both
def test_a_delivery_note_goes_when_nobody_waits_for_its_load_any_more(kind: str) -> None:
    with bench(kind) as centre:
        centre.put_supply()
        order(centre, 12, number=2, despatch="D-2")
        take(centre, line(12), line(3, 3), note="N-1", despatch="D-1")
        take(centre, line(12, 2), note="N-2", despatch="D-2")
        take(centre, line(12), note="N-3", despatch="D-3")
        told = [delivery("D-1", 12, seq=1), delivery("D-2", 12, number=2, seq=2), delivery("D-3", 12, seq=3)]
        centre.send(told)
        assert "delivery_notes" not in prune(centre, 39)
        # Of N-1 one line was not told by the gateway; the order of N-2's load is open again, N-3 has done its work.
        centre.change("UPDATE outside_orders SET state = 'open' WHERE despatch = 'D-2'")
        assert prune(centre, 41)["delivery_notes"] == 1
        assert centre.rows("SELECT DISTINCT note FROM delivery_notes ORDER BY note") == [("N-1",), ("N-2",)]
        centre.send([delivery("D-1", 3, number=3, seq=4)])
        centre.change("UPDATE outside_orders SET state = 'closed' WHERE despatch = 'D-2'")
        centre.send([proposal(4, seq=5)])
        centre.change("UPDATE triggers SET despatch = 'D-1' WHERE sku = 'sku-4'")
        assert prune(centre, 41)["delivery_notes"] == 1
        assert centre.rows("SELECT DISTINCT note FROM delivery_notes ORDER BY note") == [("N-1",)]
        centre.change("UPDATE triggers SET state = 'closed'")
        assert prune(centre, 41)["delivery_notes"] == 2


def test_a_note_is_known_for_as_long_as_it_may_come_again(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="31 or more"):
        CentralSettings(state_dir=tmp_path, delivery_note_days=30)
    assert CentralSettings(state_dir=tmp_path, delivery_note_days=31).delivery_note_days == 31


def test_an_alert_that_is_still_raised_and_the_newest_forecast_stay() -> None:
    with bench("sqlite") as centre:
        centre.put_supply()
        centre.send([alert(seq=1), forecast(1, seq=2), forecast(1, seq=3, first_day=day_after(DAY, 1))])
        prune(centre, 4000)
        assert (count(centre, "alerts"), centre.rows("SELECT first_day FROM forecasts")) == (
            1,
            [(day_after(DAY, 1),)],
        )


def test_zero_days_keep_for_ever() -> None:
    with bench("sqlite") as centre:
        fill(centre, 3)
        assert prune(centre, 4000, **dict.fromkeys(DAYS, 0)) == {}


def test_each_transaction_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("sqlite") as centre:
        fill(centre, 30)
        sizes: list[int] = []
        drop = retention.drop

        def counted(connection: sa.Connection, rule: Any, store: str, keys: Any, before_ms: int) -> None:
            sizes.append(len(keys))
            drop(connection, rule, store, keys, before_ms)

        monkeypatch.setattr("central.retention.drop", counted)
        monkeypatch.setattr("central.retention.RULES", [_of(rule, 7) for rule in retention.RULES])
        prune(centre, 4000)
        assert (max(sizes), count(centre, "receipts"), count(centre, "receipt_lines")) == (7, 0, 0)


def _of(rule: retention.Rule, limit: int) -> retention.Rule:
    return retention.Rule(rule.name, rule.setting, rule.gather, rule.drop, rule.fact, limit)


@on_both
def test_a_running_centre_forgets_by_itself_and_knows_what_it_no_longer_has(kind: str) -> None:
    with bench(kind) as centre:
        rows = fill(centre, 70)
        newest_ms = START_MS + 69 * DAY_MS
        centre.send([health(seq=len(rows) + 1, at_ms=newest_ms, watermark_ms=newest_ms)])
        centre.centre.settings = centre.settings.model_copy(update=DAYS)
        centre.centre.clock = LaterClock(69)
        writer = threading.Thread(target=centre.centre.writer.run, args=(centre.centre.stop,), daemon=True)
        writer.start()
        try:
            assert Retention(centre.centre).prune()
            assert centre.centre.counters["forgotten_rows"] > 0
            assert count(centre, "receipts") == 61
            assert centre.centre.call_store(STORE, lambda work: work.store.receipts_from) == day_after(DAY, 9)
            assert Retention(centre.centre).prune() == 0
            centre.centre.clock = LaterClock(4000)
            Retention(centre.centre).prune()
            assert count(centre, "receipts") >= 60, "a clock that is years ahead made it forget"
        finally:
            centre.centre.stop.set()
            writer.join(60)


class LaterClock:
    def __init__(self, days: int) -> None:
        self._now_ms = START_MS + days * DAY_MS

    def now_ms(self) -> int:
        return self._now_ms


def test_the_prune_command_says_what_it_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    centre = Bench(tmp_path)
    fill(centre, 3)
    centre.ledger.close()
    config = tmp_path / "central.toml"
    config.write_text(f'state_dir = "{tmp_path}"\nreceipt_days = 7\n')
    assert main(["prune", "--config", str(config)]) == 0  # the system's clock: years after START_MS
    assert "3 of receipts" in capsys.readouterr().out
    assert main(["prune", "--config", str(config)]) == 0
    assert "nothing is old enough" in capsys.readouterr().out


def test_thousands_of_stores_without_news_are_not_asked_about_one_by_one() -> None:
    """A centre starts while all of them speak for the first time: what it does once a day or hour must not read each."""
    with bench(SQLITE) as centre:
        fleet = add_fleet(centre.ledger, 300, skus=1)
        asked: list[str] = []
        for engine in (centre.ledger.read, centre.ledger.write):
            sa.event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        assert Retention(centre.centre).prune() == 0
        assert Packing(centre.centre).pack(threading.Event()) == 0
        tick(centre)
        assert len(asked) < 60
        assert all(centre.centre.memory.known_store(one.store) is None for one in fleet), "none was loaded"


@on_both
def test_codes_of_old_events_are_taken_out_where_there_are_some(kind: str) -> None:
    with bench(kind) as centre:
        hours = centre.settings.code_retention_h
        for number, (store, age_h) in enumerate([("store-8", hours + 1), ("store-9", hours - 1)]):
            event = json.dumps({"data": {"code": "ABC", "coupon": number}})
            centre.change(
                f"""INSERT INTO outgoing (store_id, number, event_id, type, subject, created_ms, body, secret)
                VALUES ('{store}', 1, 'e{number}', 't', 's', {START_MS - age_h * 3_600_000}, '{event}', 1)"""
            )
        tick(centre)
        while not centre.centre.rounds._jobs.empty():  # on PostgreSQL each is a job of its store
            store, job = centre.centre.rounds._jobs.get_nowait()
            centre.run(job, store)
        found = centre.rows(
            "SELECT store_id, secret, body FROM outgoing WHERE store_id IN ('store-8', 'store-9') ORDER BY 1"
        )
        assert [(store, secret, '"ABC"' in str(body)) for store, secret, body in found] == [
            ("store-8", 0, False), ("store-9", 1, True),
        ]  # fmt: skip


def tick(centre: Bench) -> None:
    transaction = centre.centre.writer.transaction(START_MS)
    try:
        centre.centre.writer.tick(transaction)
        transaction.commit()
    finally:
        transaction.close()
