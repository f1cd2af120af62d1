"""Business days, opening hours and stock-out time, over daylight saving time."""

from datetime import UTC, date, datetime

import pytest

from contract.documents import OpeningHours, StoreDocument
from edge.core.day import ShopCalendar
from edge.core.stockout import PIECE_MS, StockOuts

HOUR = 3_600_000


def shop(zone="Europe/Berlin", opens=480, closes=1200, closed=(), weekdays=range(7)):
    hours = [OpeningHours(weekday=day, opens_minute=opens, closes_minute=closes) for day in weekdays]
    return ShopCalendar(
        StoreDocument(version=1, store="s", name="S", timezone=zone, currency="EUR", hours=hours, closed_days=list(closed))
    )  # fmt: skip


def utc(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)


def test_a_business_day_is_the_local_calendar_day():
    assert shop("Etc/GMT+5").business_day(utc(2017, 9, 4, 4, 59)) == date(2017, 9, 3)
    assert shop("Etc/GMT+5").business_day(utc(2017, 9, 4, 5)) == date(2017, 9, 4)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_days_with_a_clock_change_have_23_and_25_hours(day, hours):
    calendar = shop()
    start = calendar.day_start_ms(date(*day))
    assert calendar.business_day(start + hours * HOUR - 1) == date(*day)
    assert calendar.business_day(start + hours * HOUR) != date(*day)


@pytest.mark.parametrize("day", [(2026, 3, 29), (2026, 10, 25), (2026, 6, 1)])
def test_opening_time_follows_the_wall_clock(day):
    calendar = shop()
    opens, closes = calendar.open_span(date(*day))
    assert closes - opens == 12 * HOUR
    assert calendar.open_ms(opens - 5 * HOUR, closes + 5 * HOUR) == 12 * HOUR
    assert calendar.open_ms(opens + HOUR, opens + 2 * HOUR) == HOUR


def test_closed_days_have_no_opening_time():
    calendar = shop(closed=["2026-06-02"], weekdays=range(6))
    assert calendar.open_span(date(2026, 6, 2)) is None
    assert calendar.is_closed(date(2026, 6, 7))  # a Sunday
    assert calendar.closed_days(date(2026, 6, 1), 7) == (date(2026, 6, 2), date(2026, 6, 7))


def test_hours_past_midnight_belong_to_the_day_that_opened():
    calendar = shop(opens=1080, closes=120)
    opens, closes = calendar.open_span(date(2026, 6, 1))
    assert closes - opens == 8 * HOUR
    assert calendar.open_ms(opens, closes) == 8 * HOUR


def test_the_share_of_the_day_that_is_left():
    calendar = shop()
    opens, closes = calendar.open_span(date(2026, 6, 1))
    assert calendar.share_left(opens - 1) == 1.0
    assert calendar.share_left((opens + closes) // 2) == 0.5
    assert calendar.share_left(closes + 1) == 0.0


def test_stock_out_time_is_opening_time_in_whole_pieces_and_a_rest():
    calendar = shop()
    opens, _ = calendar.open_span(date(2026, 6, 1))
    outs = StockOuts()
    outs.set_empty("a", opens - 10 * 60_000)
    assert sum(piece.open_ms for piece in outs.advance(opens + PIECE_MS + 5, calendar)) == PIECE_MS
    rest = outs.set_filled("a", opens + PIECE_MS + 60_000, calendar)
    assert [(piece.from_ms, piece.open_ms) for piece in rest] == [(opens + PIECE_MS, 60_000)]
    assert not outs.is_empty("a")


def test_an_unknown_time_zone_is_an_error_that_says_so():
    with pytest.raises((KeyError, ValueError), match="Nowhere"):
        shop("Mars/Nowhere")
