"""The history document tells of empty shelves before this gateway: forecasts take its sales as a lower bound."""

from datetime import date

import pytest
from edge_shop import documents

from contract.documents import HistoryDocument
from edge.core.day import ShopCalendar
from edge.core.day_inputs import DayInputs
from edge.core.demand import HISTORY_DAYS, Demand, seeded_shares
from edge.core.documents import Documents
from edge.core.hours import Hours
from edge.core.lean import LeanHistory, lean_from

LIVE = date(2017, 9, 4)


def history(served_percent: list[int | None] | None) -> LeanHistory:
    rows = [
        {"sku": "sku-1", "units": [4] * 56, "served_percent": served_percent},
        {"sku": "sku-2", "units": [4] * 56},
    ]
    found = lean_from(HistoryDocument(version=2, first_live_day=LIVE.isoformat(), rows=rows))
    assert isinstance(found, LeanHistory)
    return found


def test_shares_belong_to_the_newest_days_before_the_first_live_one() -> None:
    document = history([50, None, 75])
    at_first = seeded_shares(document, LIVE, HISTORY_DAYS)
    assert list(at_first) == ["sku-1"]
    assert len(at_first["sku-1"]) == HISTORY_DAYS
    assert at_first["sku-1"][-4:] == (1.0, 0.5, 1.0, 0.75)
    three_days_on = seeded_shares(document, date(2017, 9, 7), HISTORY_DAYS)["sku-1"]
    assert three_days_on[-6:] == (0.5, 1.0, 0.75, 1.0, 1.0, 1.0)


def test_shares_that_no_history_reaches_any_more_are_no_shares() -> None:
    assert seeded_shares(history([50]), date(2017, 11, 30), HISTORY_DAYS) == {}
    assert seeded_shares(history(None), LIVE, HISTORY_DAYS) == {}
    assert seeded_shares(None, LIVE, HISTORY_DAYS) == {}


def test_forecasts_of_a_new_gateway_are_told_of_them() -> None:
    held = Documents()
    for document in documents(2):
        held.apply(document)
    held.apply(history([60] * 7))
    calendar = held.calendar
    assert isinstance(calendar, ShopCalendar)
    one, other = DayInputs(held, Demand(), Hours()).of(["sku-1", "sku-2"], LIVE, calendar)
    assert one.served[-7:] == pytest.approx((0.6,) * 7)
    assert one.served[0] == 1
    assert other.served == ()
    assert one.history[-1] == 4.0
