"""Receipts by the month on PostgreSQL: made ahead and at need, none refused, and gone as whole tables."""

from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from central_rows import START_MS, day_close, receipt, sale, window
from hypothesis import given
from hypothesis import strategies as st
from ledger_kinds import POSTGRESQL
from local_postgresql import why_absent
from test_ledger import STORE, Bench, bench

from central.core.days import day_after
from central.ledger import partitions
from central.ledger.partitions import is_month, month_after
from central.retention import Retention
from contract.records import Record

needs_postgresql = pytest.mark.skipif(bool(why_absent()), reason=why_absent())
DAY_MS = 86_400_000
DAY = "2017-09-04"
ZONE = ZoneInfo("America/New_York")


@given(year=st.integers(2, 9998), number=st.integers(1, 12), steps=st.integers(-11, 11))
def test_months_follow_one_another(year: int, number: int, steps: int) -> None:
    month = f"{year:04d}-{number:02d}"
    later = month_after(month, steps)
    assert is_month(later)
    assert (later > month, later < month) == (steps > 0, steps < 0)
    assert month_after(later, -steps) == month


@pytest.mark.parametrize("text", ["2017-13", "2017-00", "2017-1", "20170-1", "x'; --", ""])
def test_what_is_no_month_makes_no_table(text: str) -> None:
    assert not is_month(text)


def day_of_sales(days_later: int) -> list[Record]:
    at_ms, day = START_MS + days_later * DAY_MS, day_after(DAY, days_later)
    return [
        receipt(abs(days_later) + 1, [sale(1, 2)], at_ms=at_ms, business_date=day),
        day_close(receipts=1, lines=1, units=2, cents=500, at_ms=at_ms, business_date=day),
        window(1, at_ms=at_ms),
    ]


def send(centre: Bench, *days: int) -> list[Record]:
    rows = [row for day in days for row in day_of_sales(day)]
    rows = [row.model_copy(update={"seq": seq}) for seq, row in enumerate(rows, 1)]
    centre.centre.months.make(centre.centre.months.lacking(rows))
    answer = centre.send(rows)
    assert answer is not None
    assert not answer.rejected
    return rows


def months(centre: Bench) -> list[str]:
    with centre.ledger.read.connect() as connection:
        return partitions.months(connection)


@needs_postgresql
def test_a_month_is_made_for_the_batch_that_needs_it() -> None:
    with bench(POSTGRESQL) as centre:
        send(centre, 0, 30)
        assert months(centre) == ["2017-09", "2017-10"]
        assert centre.rows("SELECT count(*) FROM receipts_2017_09") == [(1,)]
        assert centre.rows("SELECT count(*) FROM receipt_lines_2017_10") == [(1,)]
        assert centre.rows("SELECT count(*) FROM receipts_rest") == [(0,)]
        assert centre.centre.months.lacking(day_of_sales(60)) == {"2017-11"}
        assert centre.centre.months.lacking(day_of_sales(29)) == set()


@needs_postgresql
def test_a_date_that_is_years_away_makes_no_table_and_is_not_refused() -> None:
    with bench(POSTGRESQL) as centre:
        send(centre, 0, 3650, -3650)
        assert months(centre) == ["2017-09"]
        assert centre.rows("SELECT count(*) FROM receipts_rest") == [(2,)]
        assert centre.rows("SELECT count(*) FROM receipts") == [(3,)]


@needs_postgresql
def test_receipts_that_lie_in_the_rest_already_stay_there() -> None:
    with bench(POSTGRESQL) as centre:
        rows = [row.model_copy(update={"seq": seq}) for seq, row in enumerate(day_of_sales(0), 1)]
        centre.send(rows)  # by a way that asked for no month
        centre.centre.months.make({"2017-09"})
        assert months(centre) == []
        assert centre.rows("SELECT count(*) FROM receipts_rest") == [(1,)]
        assert centre.centre.months.lacking(rows) == set()


@needs_postgresql
def test_this_month_and_the_next_are_made_ahead() -> None:
    with bench(POSTGRESQL) as centre:
        centre.centre.months.make_ahead()
        assert months(centre) == ["2017-09", "2017-10"]


@needs_postgresql
def test_a_month_that_every_store_is_done_with_goes_as_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other store is a month behind: nothing of what it still has goes before it has caught up."""
    with bench(POSTGRESQL) as centre:
        rows = send(centre, 0, 30, 61)
        now = {STORE: START_MS + 91 * DAY_MS, "store-2": START_MS + 70 * DAY_MS}
        settings = centre.settings.model_copy(update={"receipt_days": 40})
        centre.centre.settings = settings
        retention = Retention(centre.centre)
        monkeypatch.setattr(Retention, "_now_ms", lambda _self, watermark_ms: watermark_ms)
        monkeypatch.setattr("central.ledger.store_rows.watermarks_ms", lambda _: dict(now))
        monkeypatch.setattr(
            "central.ledger.store_rows.zones", lambda _: [(store, "America/New_York") for store in now]
        )
        statements: list[str] = []
        sa.event.listen(
            centre.ledger.write, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        monkeypatch.setattr(
            Retention, "_transact", lambda _self, store, job: centre.run(lambda work: job(work.connection))
        )
        retention.prune()
        assert months(centre) == ["2017-10", "2017-11"]
        assert centre.rows("SELECT business_date FROM receipts") == [("2017-11-04",)]
        row_by_row = [text for text in statements if text.startswith("DELETE FROM receipts")]
        assert len(row_by_row) == 1, "October's, of the store that is done with it"
        assert centre.rows("SELECT count(*) FROM day_closes") == [(1,)]
        now.update(dict.fromkeys(now, START_MS + 101 * DAY_MS))
        retention.prune()
        assert months(centre) == ["2017-11"]
        centre.centre.memory.forget()
        again = centre.send(rows[:1], "e2")
        assert again is not None
        assert "no longer kept" in again.rejected[0].reason
