"""Calendar files: good rows are taken, bad ones are told by line and column, and rows that a file does not name stay."""

import pytest

from central.core.calendars import calendar_from_csv, merged, rows_of, without
from contract.api.calendars import CalendarEntry
from contract.calendar import Calendar, CalendarDays, DayKind, Promotion

FILE = """\
kind,from_day,until_day,sku,category,discount_percent,rain_mm,temperature_c,name
holiday,2026-12-25,2026-12-26,,,,,,Christmas
promotion,2026-12-14,2026-12-20,4011,,20,,,Leaflet 51
promotion,2026-12-14,2026-12-20,,Fruit,20,,,Leaflet 51
promotion,2026-12-14,2026-12-20,,,20,,,Of nothing
weather,2026-12-14,,,,,3.5,-2,
carnival,2026-12-14,,,,,,,
holiday,2026-12-30,2026-12-29,,,,,,
holiday,2026-02-30,,,,,,,
promotion,2026-12-14,2026-12-20,4012,,ten,,,
promotion,2026-12-14,2026-12-20,4012,,99,,,
holiday,2026-12-24,,4011,,,,,
payday,2026-12-31
"""


def test_each_bad_row_is_told_and_the_others_are_taken() -> None:
    read = calendar_from_csv(FILE)
    assert [row.line for row in read.good] == [2, 3, 4, 6]
    told = {problem.line: problem.what for problem in read.problems}
    assert sorted(told) == [5, 7, 8, 9, 10, 11, 12, 13]
    assert "names a sku or a category" in told[5]
    assert "'holiday', 'school_holiday'" in told[7]
    assert "lies before from_day 2026-12-30" in told[8]
    assert (read.rows, read.bad_rows) == (12, 8)


def test_rows_become_a_calendar_and_come_back_as_they_were() -> None:
    rows = [row.value for row in calendar_from_csv(FILE).good]
    found = merged(None, rows)
    assert (found.added, found.changed) == (4, 0)
    calendar = found.calendar
    assert (calendar.from_day, calendar.until_day) == ("2026-12-14", "2026-12-26")
    [promotion] = calendar.promotions
    assert (promotion.skus, promotion.categories, promotion.discount_percent) == (["4011"], ["Fruit"], 20)
    assert {row.key for row in rows_of(calendar)} == {row.key for row in rows}
    assert merged(calendar, rows).calendar == calendar


def test_a_second_file_changes_its_own_rows_and_leaves_the_others() -> None:
    first = merged(None, [row.value for row in calendar_from_csv(FILE).good]).calendar
    more = (
        "kind,from_day,until_day,sku,discount_percent\n"
        "promotion,2026-12-14,2026-12-20,4011,30\npayday,2027-01-31,,,\n"
    )
    found = merged(first, [row.value for row in calendar_from_csv(more).good])
    assert (found.added, found.changed) == (1, 1)
    assert {(each.discount_percent, *each.skus) for each in found.calendar.promotions} == {
        (30, "4011"),
        (20,),
    }
    assert [each.kind for each in found.calendar.days] == [DayKind.HOLIDAY, DayKind.PAYDAY]
    assert found.calendar.until_day == "2027-01-31"


def test_a_calendar_says_in_words_what_a_day_is() -> None:
    calendar = merged(None, [row.value for row in calendar_from_csv(FILE).good]).calendar
    assert calendar.told_of("1", "Dairy", "2026-12-25") == ("holiday (Christmas)",)
    assert calendar.told_of("4011", "Dairy", "2026-12-14") == ("promotion 20 % off (Leaflet 51)",)
    assert calendar.told_of("1", "Fruit", "2026-12-21") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_day": "2026-12-02", "until_day": "2026-12-01"},
        {"days": [{"kind": "carnival", "from_day": "2026-12-01", "until_day": "2026-12-01"}]},
        {"promotions": [{"from_day": "2026-12-01", "until_day": "2026-12-01"}]},
        {"weather": [{"day": "2026-12-01", "temperature_c": 400}]},
        {"promotions": [{"from_day": "2026-12-01", "until_day": "2026-12-01", "categories": ["x"], "skus": ["1"] * 20_000}]},
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    whole = {"from_day": "2026-12-01", "until_day": "2026-12-31", **wrong}
    with pytest.raises(ValueError, match="Calendar"):
        Calendar.model_validate(whole)


def test_the_kinds_of_a_file_are_the_kinds_of_days() -> None:
    for kind in DayKind:
        [row] = calendar_from_csv(f"kind,from_day\n{kind.value},2026-12-01\n").good
        assert merged(None, [row.value]).calendar.days == [
            CalendarDays(kind=kind, from_day="2026-12-01", until_day="2026-12-01")
        ]
    assert Promotion(from_day="2026-12-01", until_day="2026-12-01", skus=["1"]).discount_percent is None


def test_rows_are_removed_by_kind_and_days_and_narrower_by_name_or_goods() -> None:
    more = FILE + "promotion,2026-12-14,2026-12-20,4013,,10,,,Nuts\nholiday,2026-12-31,,,,,,,Eve\n"
    known = merged(None, [row.value for row in calendar_from_csv(more).good]).calendar
    weeks = {"kind": "promotion", "from_day": "2026-12-14", "until_day": "2026-12-20"}

    def left(**entry: str) -> tuple[set[str], int]:
        calendar, removed = without(known, [CalendarEntry.model_validate(entry)])
        assert (calendar.from_day, calendar.until_day) == (known.from_day, known.until_day)
        return {row.sku or row.category or row.name or row.kind for row in rows_of(calendar)}, removed

    everything = {"4011", "Fruit", "4013", "weather", "Christmas", "Eve"}
    assert left(**weeks) == ({"weather", "Christmas", "Eve"}, 3)
    assert left(**weeks, name="Leaflet 51") == (everything - {"4011", "Fruit"}, 2)
    assert left(**weeks, sku="4013") == (everything - {"4013"}, 1)
    assert left(kind="holiday", from_day="2026-12-31", until_day="2026-12-31") == (everything - {"Eve"}, 1)
    assert left(kind="event", from_day="2026-12-31", until_day="2026-12-31") == (everything, 0)
    assert left(kind="holiday", from_day="2026-12-25", until_day="2026-12-25") == (everything, 0)
