"""Training reads a chain's own history: what the centre took in from gateways, read back as a table of sales."""

import argparse
import json
import sqlite3
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from central_rows import DAY, START_MS, gap, level, receipt, sale, window
from ledger_kinds import on_both
from test_ledger import STORE, bench

from central.calendars import put_calendar
from central.ledger import store_rows, tables
from contract.calendar import Calendar
from contract.documents import Price
from models.errors import TrainingDataError
from models.training import actions
from models.training.heavy_build import panel_of
from models.training.ledger import is_ledger, ledger_name, table_from_ledger
from models.training.panel_table import panel_from_tables
from models.training.series import series_from_table

DAY_MS = 86_400_000
FIRST = date.fromisoformat(DAY)
OPEN_HOURS = 10.0


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def rows():  # type: ignore[no-untyped-def]
    """Five days: sku-1 sells 3 a day, sku-2 once; on the third sku-2's shelf is empty for two hours; a gap on the fourth."""
    found = []
    for n in range(5):
        lines = [sale(1, 2), sale(1, 1)] + ([sale(2, 4)] if n == 1 else [])
        found.append(receipt(n + 1, lines, business_date=day(n), at_ms=START_MS + n * DAY_MS))
    empty = {
        "picked_units": 0,
        "on_hand_units": 0,
        "on_shelf_units": 0,
        "stock_out_ms": 7_200_000,
        "span_ms": 7_200_000,
    }
    found.append(window(2, at_ms=START_MS + 2 * DAY_MS, **empty))
    found.append(gap(what="receipts", units=5, at_ms=START_MS + 3 * DAY_MS))
    found.append(level(1, 8, at_ms=START_MS + 4 * DAY_MS))
    return [row.model_copy(update={"seq": seq}) for seq, row in enumerate(found, 1)]


@on_both
def test_the_ledger_is_a_table_of_sales(kind: str) -> None:
    with bench(kind) as centre:
        centre.put_supply(2)
        step = Price(sku="sku-1", price_cents=199, from_ms=START_MS + DAY_MS)
        centre.run(lambda work: store_rows.put_prices(work.connection, STORE, [step], START_MS))
        hours = json.dumps([{"weekday": n, "opens_minute": 480, "closes_minute": 1080} for n in range(7)])
        centre.run(lambda work: work.connection.execute(tables.stores.update().values(hours=hours)))
        centre.send(rows())
        address = str(centre.settings.url.removeprefix("sqlite:///"))
        assert is_ledger(address)
        table = table_from_ledger(address)
        found = {(row["sku"], row["date"].isoformat()): row for row in table.to_pylist()}
        # The fourth day lost units, the fifth is not over.
        assert sorted(found) == [
            ("sku-1", day(0)),
            ("sku-1", day(1)),
            ("sku-1", day(2)),
            ("sku-2", day(1)),
            ("sku-2", day(2)),
        ]
        assert {row["store"] for row in found.values()} == {STORE}
        assert [found["sku-1", day(n)]["units"] for n in range(3)] == [3.0, 3.0, 3.0]
        assert found["sku-2", day(2)] == {
            "store": STORE, "sku": "sku-2", "date": FIRST + timedelta(days=2), "units": 0.0, "stockout_hours": 2.0,
            "open_hours": OPEN_HOURS,
            "category": "food", "price": None,
        }  # fmt: skip
        assert [found["sku-1", day(n)]["price"] for n in (0, 1, 2)] == [None, 1.99, 1.99]
        series = series_from_table(table, "ledger")
        assert series.served is not None
        assert series.served[1, 2] == pytest.approx(1 - 2 / OPEN_HOURS)
        assert np.isnan(series.demand(2, 3)[:, 0]).tolist() == [False, True]
        panel = panel_from_tables(table, table.slice(0, 0), 0).panel
        assert panel.units.tolist() == [[3, 3, 3], pytest.approx([float("nan"), 4, 0], nan_ok=True)]
        assert panel.served is not None
        assert panel.served[1, 2] < 1


def test_reading_a_ledger_cannot_change_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with bench("sqlite") as centre:
        centre.send(rows())
        path = centre.settings.url.removeprefix("sqlite:///")
        with sqlite3.connect(path) as other:
            other.execute("BEGIN IMMEDIATE")  # the centre is writing
            assert table_from_ledger(path).num_rows == 5
            other.rollback()


def test_what_is_no_ledger_is_named_without_its_password(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrainingDataError, match="no ledger"):
        table_from_ledger(str(tmp_path / "none.db"))
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(TrainingDataError, match="no such table: stores"):
        table_from_ledger(str(empty))
    with pytest.raises(TrainingDataError) as refused:
        table_from_ledger("postgresql://trainer:secret@127.0.0.1:1/chain")
    assert "secret" not in str(refused.value)
    assert (
        ledger_name("postgresql://trainer:secret@db.example/chain?sslmode=require")
        == "postgresql://db.example/chain"
    )


@on_both
def test_the_calendar_stands_beside_the_sales_and_a_promotion_without_a_sale_is_a_row(kind: str) -> None:
    with bench(kind) as centre:
        centre.put_supply(2)
        centre.send(rows())
        spans = {"from_day": day(0), "until_day": day(3)}
        holiday = {"kind": "holiday", "from_day": day(1), "until_day": day(1)}
        offer = {"from_day": day(2), "until_day": day(2), "skus": ["sku-1", "sku-2"], "discount_percent": 20}
        early = {"from_day": day(0), "until_day": day(0), "skus": ["sku-2"]}
        calendar = Calendar.model_validate(
            {**spans, "days": [holiday], "promotions": [offer, early]}, strict=False
        )
        centre.run(lambda work: put_calendar(work, calendar, "hq"))
        address = str(centre.settings.url.removeprefix("sqlite:///"))
        assert "holiday" not in table_from_ledger(address).column_names
        table = table_from_ledger(address, calendar=True)
        found = {(row["sku"], row["date"].isoformat()): row for row in table.to_pylist()}
        assert [found["sku-1", day(n)]["holiday"] for n in range(3)] == [0, 1, 0]
        assert [found["sku-1", day(n)]["promotion"] for n in range(3)] == [0, 0, 1]
        assert found["sku-2", day(2)]["discount"] == pytest.approx(0.2)
        assert ("sku-2", day(0)) not in found, "it was not listed before its first sale"
        assert not {"payday", "rain_mm"} & set(table.column_names), "nothing tells of them"
        series = series_from_table(table, "ledger")
        assert series.known_days["holiday"].shape[0] == 1
        assert series.known_days["promotion"][0, :3].tolist() == [0, 0, 1]


@on_both
def test_a_promoted_day_on_which_nothing_sold_teaches_that(kind: str) -> None:
    with bench(kind) as centre:
        centre.put_supply(2)
        sold = [receipt(n + 1, [sale(1, 1)] + ([sale(2, 4)] if n == 0 else []), business_date=day(n),
                        at_ms=START_MS + n * DAY_MS) for n in range(5)]  # fmt: skip
        centre.send([row.model_copy(update={"seq": seq}) for seq, row in enumerate(sold, 1)])
        spans = {"from_day": day(0), "until_day": day(4)}
        offer = {"from_day": day(2), "until_day": day(2), "skus": ["sku-2"]}
        calendar = Calendar.model_validate({**spans, "promotions": [offer]}, strict=False)
        centre.run(lambda work: put_calendar(work, calendar, "hq"))
        table = table_from_ledger(str(centre.settings.url.removeprefix("sqlite:///")), calendar=True)
        of_two = {
            row["date"].isoformat(): (row["units"], row["promotion"])
            for row in table.to_pylist()
            if row["sku"] == "sku-2"
        }
        assert of_two == {day(0): (4.0, 0.0), day(2): (0.0, 1.0), day(3): (0.0, 0.0)}


@pytest.mark.parametrize("command", ["train", "evaluate --card, compare"])
def test_every_form_and_command_reads_the_ledgers_calendar(command: str, tmp_path: Path) -> None:
    """Of the heavy form's panel and of the gateway form's series the days are the same."""
    with bench("sqlite") as centre:
        centre.put_supply(2)
        sold = [receipt(n + 1, [sale(1, 1 + n % 2), sale(2, 4)], business_date=day(n), at_ms=START_MS + n * DAY_MS)
                for n in range(6)]  # fmt: skip
        centre.send([row.model_copy(update={"seq": seq}) for seq, row in enumerate(sold, 1)])
        holiday = {"kind": "holiday", "from_day": day(2), "until_day": day(2)}
        offer = {"from_day": day(3), "until_day": day(3), "skus": ["sku-2"], "discount_percent": 20}
        spans = {"from_day": day(0), "until_day": day(5)}
        calendar = Calendar.model_validate({**spans, "days": [holiday], "promotions": [offer]}, strict=False)
        centre.run(lambda work: put_calendar(work, calendar, "hq"))
        where = tmp_path / "ledger"
        where.write_text(str(centre.settings.url.removeprefix("sqlite:///")) + "\n")
        arguments = argparse.Namespace(ledger=f"@{where}", table=None, test_from=date.fromisoformat(day(4)))
        if command == "train":
            series = actions._series(arguments)[1]
            assert series.known_days["holiday"][0, :4].tolist() == [0, 0, 1, 0]
            return
        table, name = actions._history(arguments)
        assert name.endswith("ledger.sqlite3")
        panel = panel_of(table, lambda _: None).panel
        assert panel.covariates["holiday"][0, :4].tolist() == [0, 0, 1, 0]
        assert sorted(panel.covariates["promotion"][:, 3].tolist()) == [0, 1]
        assert sorted(panel.covariates["discount"][:, 3].round(2).tolist()) == [0, pytest.approx(0.2)]
