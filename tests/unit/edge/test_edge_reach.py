"""How far an order reaches: lead times, calendars, arrivals by day, and the age of what is in hand."""

from datetime import date

import pytest

from contract.documents import OrderSlot
from edge.core.ages import MAX_DELIVERIES, Ages
from edge.core.lean import OnOrderRow, SupplyRow
from edge.core.reach import reach_of

TODAY = date(2017, 9, 4)
NOW_MS = 1_504_526_400_000
HOUR = 3_600_000


def line(**changes):
    given = {"sku": "a", "supplier": "s", "lead_time_days": 3, "review_days": 2, "pack_units": 6}
    return SupplyRow(**{**given, **changes})


def reach(supply, slots=(), share_left=0.5, on_hand=((None, 4.0),)):
    return reach_of(supply, list(slots), now_ms=NOW_MS, today=TODAY, share_left=share_left, on_hand=on_hand)


def slot(hours, day):
    return OrderSlot(until_ms=NOW_MS + hours * HOUR, arrives_day=day)


def test_without_a_calendar_the_lines_own_days_count():
    found = reach(line())
    assert (found.lead_days, found.cover_days, found.arrivals) == (3.0, 2.0, ())


def test_with_a_calendar_an_order_reaches_from_its_lorry_to_the_next():
    """A cut-off that has passed is gone; two cut-offs with one lorry are one delivery."""
    slots = [slot(-1, "2017-09-05"), slot(2, "2017-09-06"), slot(20, "2017-09-06"), slot(50, "2017-09-11")]
    found = reach(line(), slots)
    assert (found.lead_days, found.cover_days) == (1.5, 5.0)
    assert reach(line(), slots[:3]).lead_days == 3.0  # only one delivery in sight


def test_a_calendar_of_weeks_stays_within_what_is_forecast():
    found = reach(line(), [slot(1, "2017-10-20"), slot(2, "2017-12-24")])
    assert found.lead_days + found.cover_days == 28.0
    assert found.cover_days > 0


def test_orders_arrive_on_their_day_those_due_before_tonight_and_untold_ones_midway():
    on_order = (
        OnOrderRow(6, "2017-09-06"),
        OnOrderRow(12, "2017-09-04"),
        OnOrderRow(1, "2017-09-01"),
        OnOrderRow(2),
    )
    found = reach(line(on_order_units=30, on_order=on_order))
    assert found.arrivals == ((1.5, 6.0), (0.5, 12.0), (0.5, 1.0), (1.5, 2.0), (1.5, 9.0))
    assert sum(units for _, units in found.arrivals) == 30


def test_the_oldest_is_sold_first_and_expires_first():
    ages = Ages()
    for day, units in ((1, 10), (2, 4), (3, 6)):
        ages.delivered("a", date(2017, 9, day), units)
    aged = ages.of("a", 12, 4, TODAY, 0.5)
    # Delivered on the 3rd it serves to the end of the 6th: today's half, and two days.
    assert aged == ((2.5, 6.0), (1.5, 4.0), (0.5, 2.0))
    assert ages.of("a", 25, 4, TODAY, 0.5)[-1] == (0.5, 5.0)  # more than was delivered: as old as the oldest
    assert ages.of("a", 3, 4, date(2017, 9, 30), 0.5) == ((0.0, 3.0),)


@pytest.mark.parametrize(("sku", "on_hand", "life"), [("b", 5, 4), ("a", 5, None), ("a", 0, 4), ("a", -3, 4)])
def test_what_keeps_or_was_never_seen_to_come_has_no_age(sku, on_hand, life):
    ages = Ages()
    ages.delivered("a", TODAY, 6)
    assert ages.of(sku, on_hand, life, TODAY, 1.0) == ((None, float(on_hand)),)


def test_deliveries_are_bounded_taken_back_and_forgotten():
    ages = Ages()
    for day in range(1, 20):
        ages.delivered("a", date(2017, 8, day), 5)
    assert len(ages.rows.by_key["a"]) == MAX_DELIVERIES
    ages.delivered("b", TODAY, 5)
    ages.delivered("b", TODAY, -5)
    assert "b" not in ages.rows.by_key
    ages.forget({"a"})
    assert not ages.rows.by_key
