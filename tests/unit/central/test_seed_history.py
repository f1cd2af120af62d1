"""A gateway that lost its database is told how much of each day's demand the shelf could serve."""

import json

import pytest
from central_rows import DAY, START_MS, receipt, sale, window
from ledger_kinds import on_both
from test_ledger import STORE, Bench, bench

from central import desired_state
from central.ledger import tables
from contract.documents import HistoryDocument
from contract.records import Record

DAY_MS = 86_400_000
EMPTY = {"picked_units": 0, "on_hand_units": 0, "on_shelf_units": 0}


def seeded(centre: Bench, rows: list[Record], now_ms: int) -> HistoryDocument:
    """The history that a gateway without any document gets on the evening `now_ms`."""
    hours = json.dumps([{"weekday": n, "opens_minute": 480, "closes_minute": 1080} for n in range(7)])
    old = {"first_live_day": DAY, "rows": [{"sku": "sku-1", "units": [5, 6], "served_percent": [80]}]}
    centre.run(lambda work: work.connection.execute(tables.stores.update().values(hours=hours)))
    centre.run(lambda work: desired_state.put_document(work, "history", json.dumps(old)))
    centre.send(rows)

    transaction = centre.centre.writer.transaction(now_ms)
    try:
        given = centre.centre.store_job(STORE, lambda work: desired_state.newer_than(work, {}))(transaction)
    finally:
        transaction.close()
    documents = [json.loads(text) for text in given]
    found = next(each for each in documents if each["kind"] == "history")
    return HistoryDocument.model_validate_json(json.dumps(found))


@on_both
def test_hours_of_an_empty_shelf_travel_with_the_sales_of_their_day(kind: str) -> None:
    rows: list[Record] = [receipt(1, [sale(1, 2), sale(2, 1)])]
    rows.append(receipt(2, [sale(1, 1)], business_date="2017-09-05", at_ms=START_MS + DAY_MS))
    # Of the second day's ten opening hours sku-1's shelf is empty for four, sku-2's never.
    rows.append(window(1, at_ms=START_MS + DAY_MS, stock_out_ms=14_400_000, span_ms=14_400_000, **EMPTY))
    rows = [row.model_copy(update={"seq": seq}) for seq, row in enumerate(rows, 1)]
    with bench(kind) as centre:
        centre.put_supply(2)
        found = seeded(centre, rows, START_MS + 2 * DAY_MS)
        by_sku = {row.sku: row for row in found.rows}
        assert by_sku["sku-1"].units == [5, 6, 2, 1]
        assert by_sku["sku-1"].served_percent == [80, None, 60]
        assert by_sku["sku-2"].units == [1, 0]
        assert by_sku["sku-2"].served_percent is None


@pytest.mark.parametrize(
    ("out_ms", "open_ms", "told"), [(0, 36, None), (9, 36, 75), (40, 36, 0), (9, 0, None)]
)
def test_a_share_is_of_the_opening_time(out_ms: int, open_ms: int, told: int | None) -> None:
    assert desired_state._served_percent(out_ms, open_ms) == told
