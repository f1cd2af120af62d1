"""The calendar page's pure parts: entries and rows of a file, what a person types, months, what became of a file."""

import re
from datetime import date

import pytest
from fake_central import FakeCentral
from fake_rows import chain_calendar
from fake_shops import DAY_MS, NOW_MS

from central.core.calendars import calendar_from_csv, merged, without
from contract.api.masters import ImportReport, RowProblem
from contract.calendar import Calendar
from hq.charts.months import months_html
from hq.charts.sku_chart import sku_chart
from hq.day_entries import (
    Entry,
    entries_of,
    file_of,
    goods_text,
    off_text,
    removal_after_change,
    removal_of,
    told,
    told_days,
    when_text,
)
from hq.entry_form import MAX_GOODS, TypedDay, consequence, entry_from, typed_day
from hq.pages.calendar_file import file_said, problem_lines

TODAY = "2025-05-03"
LEAFLET = Entry(
    "promotion", "2025-05-05", "2025-05-11", "Leaflet", (("category", "Nuts", 20), ("sku", "4011", 20))
)


def taken(known: Calendar | None, entries: list[Entry]) -> Calendar:
    """As the centre takes the file of these entries."""
    read = calendar_from_csv(file_of(entries))
    assert read.bad_rows == 0
    return merged(known, [row.value for row in read.good]).calendar


def test_a_promotions_goods_are_one_entry_whatever_each_has_off() -> None:
    entries = entries_of(chain_calendar())
    [leaflet] = [entry for entry in entries if entry.name == "Leaflet 19"]
    assert (goods_text(leaflet), off_text(leaflet)) == ("Snacks, 900003 and 2 more", "20 to 30 % off")
    assert told(leaflet) == "Promotion Leaflet 19, Mon 5 May – Sun 11 May"
    assert [when_text(entry, TODAY) for entry in entries][:3] == ["over", "over", "in 2 days"]
    assert when_text(leaflet, "2025-05-11") == "now"
    assert len({entry.id for entry in entries}) == len(entries)


def test_the_file_of_a_calendar_makes_the_same_calendar() -> None:
    calendar = chain_calendar()
    read = calendar_from_csv(file_of(entries_of(calendar), calendar))
    again = merged(None, [row.value for row in read.good]).calendar
    assert entries_of(again) == entries_of(calendar)
    assert again.weather == calendar.weather


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LEAFLET, Entry("promotion", "2025-05-05", "2025-05-12", "Leaflet", LEAFLET.goods)),
        (LEAFLET, Entry("promotion", "2025-05-05", "2025-05-11", "Flyer", LEAFLET.goods[:1])),
        (LEAFLET, Entry("promotion", "2025-05-05", "2025-05-11", "Leaflet", (("sku", "4011", 35),))),
        (LEAFLET, Entry("holiday", "2025-05-05", "2025-05-05", "Bank holiday")),
        (Entry("event", "2025-05-10", "2025-05-10", "Fair"), Entry("event", "2025-05-10", "2025-05-10", "Market")),
        (Entry("event", "2025-05-10", "2025-05-10", "Fair"), Entry("holiday", "2025-05-10", "2025-05-10", "Fair")),
    ],
)  # fmt: skip
def test_a_changed_entry_stands_alone_and_every_other_stays(before: Entry, after: Entry) -> None:
    known = taken(chain_calendar(), [before])
    calendar = taken(known, [after])
    rest = removal_after_change(before, after)
    if rest is not None:
        calendar, _ = without(calendar, rest.entries)
    assert entries_of(calendar) == entries_of(taken(chain_calendar(), [after]))


def test_a_removed_entry_takes_no_other_of_its_days_along() -> None:
    other = Entry("promotion", LEAFLET.from_day, LEAFLET.until_day, "Other", (("sku", "77", None),))
    known = taken(taken(None, [LEAFLET]), [other])
    left, removed = without(known, removal_of(LEAFLET).entries)
    assert (entries_of(left), removed) == ([other], 2)


def test_what_is_typed_is_an_entry_or_says_field_by_field_what_is_wrong() -> None:
    typed = TypedDay("promotion", "2025-05-05", "2025-05-11", " Leaflet ", "4011", "Nuts\n Nuts", 20)
    made = entry_from(typed)
    assert made == Entry(
        "promotion", "2025-05-05", "2025-05-11", "Leaflet", (("category", "Nuts", 20), ("sku", "4011", 20))
    )
    again = typed_day(LEAFLET)
    assert again is not None
    assert entry_from(again) == LEAFLET
    assert entry_from(TypedDay(from_day="2025-05-05")) == Entry("holiday", "2025-05-05", "2025-05-05", "")
    for wrong, fields in (
        (TypedDay(), {"from_day"}),
        (TypedDay(from_day="5 May"), {"from_day"}),
        (TypedDay(from_day="2025-05-05", until_day="2025-05-04"), {"until_day"}),
        (TypedDay(from_day="2025-05-05", name="n" * 81), {"name"}),
        (TypedDay("promotion", "2025-05-05"), {"skus"}),
        (TypedDay("promotion", "2025-05-05", skus="ä b"), {"skus"}),
        (TypedDay("promotion", "2025-05-05", skus=" ".join(map(str, range(MAX_GOODS + 1)))), {"skus"}),
        (TypedDay("promotion", "2025-05-05", skus="1", discount=96), {"discount"}),
        (TypedDay("promotion", "2025-05-05", skus="1", discount=1.5), {"discount"}),
    ):
        found = entry_from(wrong)
        assert isinstance(found, dict), wrong
        assert set(found) == fields


def test_an_entry_of_several_discounts_is_no_form() -> None:
    assert typed_day(Entry("promotion", TODAY, TODAY, "", (("sku", "1", 10), ("sku", "2", None)))) is None


def test_what_saving_does_is_said_for_one_shop_and_for_all() -> None:
    assert consequence(1, whole=False).startswith("It gets this")
    assert consequence(3, whole=True).startswith(
        "3 shops get this with the next call, and so does one that opens later"
    )
    assert consequence(1, whole=True).startswith("1 shop gets this")


def test_months_mark_each_day_and_hold_no_markup_from_outside() -> None:
    page = months_html(chain_calendar(), date(2025, 5, 3))
    assert re.findall(r'class="month-name">([^<]+)', page) == [
        "April 2025",
        "May 2025",
        "June 2025",
        "July 2025",
    ]
    assert (
        'class="month-day is-event is-promoted" title="Sun 11: event Mother&#x27;s Day; promotion Leaflet 19'
        in page
    )
    assert 'class="month-day is-today" title="Sat 3: an ordinary day"' in page
    assert "3.5 mm of rain, 14 °C" in page
    assert "<b>Dairy" not in page
    assert page.count("is-unknown") == 31 + 1, "all of July, and the key"
    nothing = months_html(None, date(2025, 12, 31), before=0, after=1)
    assert nothing.count("nothing is known") == 31 + 31 + 1
    assert "January 2026" in nothing


def test_a_skus_chart_has_a_box_for_each_day_of_which_the_calendar_says_something() -> None:
    fake = FakeCentral()
    series = fake.series("s367", "900003", NOW_MS - 28 * DAY_MS, NOW_MS, "1d")
    [sku] = [one for one in fake.skus("s367") if one.sku == "900003"]
    told = told_days(chain_calendar(), sku, series)
    assert told["2025-05-05"] == "promotion 20 % off (Leaflet 19)"
    assert told["2025-05-11"] == "event (Mother's Day), promotion 20 % off (Leaflet 19)"
    assert "2025-05-04" not in told
    assert told_days(None, sku, series) == {}
    shown = {one["name"]: one["data"] for one in sku_chart(series, told)["series"]}
    assert [box["tip"] for box in shown["Calendar"]] == list(told.values())
    forecast = [point["value"][0] for point in shown["Forecast"]]
    promoted = [box["value"][0] for box in shown["Calendar"] if "promotion" in box["tip"]]
    assert promoted, "the leaflet lies in the days ahead"
    assert set(promoted) <= set(forecast), "one tooltip names forecast and promotion"
    assert sku_chart(series)["series"][-1]["name"] == "Price"


def test_what_became_of_a_file_is_said_once_for_all_shops() -> None:
    problem = RowProblem(line=3, column="kind", what="no such kind")
    counts = {"rows": 3, "added": 1, "changed": 0, "unchanged": 1}
    report = ImportReport(**counts, rejected_total=1, rejected=[problem])
    assert (
        file_said({"a": report, "b": report}) == "Of 3 rows 2 were taken in 2 shops, 1 were not: see below."
    )
    assert problem_lines({"a": report, "b": report}) == ["Line 3, kind: no such kind"]
    many = report.model_copy(update={"rejected_total": 800, "rejected": [problem] * 500})
    assert problem_lines({"a": many})[-1] == "and 750 rows more"
    same = ImportReport(rows=2, added=0, changed=0, unchanged=2, rejected_total=0, rejected=[])
    assert file_said({"a": same}) == "Of 2 rows 2 were taken in 1 shop; all of it stood there already."
    assert problem_lines({"a": same}) == []
