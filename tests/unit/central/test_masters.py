"""Item and supplier files: good rows are taken, bad ones are told by line and column, whatever stands in them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.core.masters import BadFileError, items_from_csv, suppliers_from_csv

ITEMS = """\
sku,gtins,name,category,unit_weight_g,managed
4011,9521234567899,Bananas,Fruit,180,
4012,9521234567898,Pears,Fruit,170,
4013,,Plums,Fruit,,
bad sku,9521000000018,Nuts,Dry,,
4014,9521000000025,"Nuts, roasted",Dry,heavy,
4015,9521000000032,Rice,Dry,500,maybe
4011,9521000000049,Bananas again,Fruit,,
4016,9521234567899,Thief,Fruit,,

4017,9521000000056 9521000000063,Beans,Dry,0.5,no
4018,9521000000070,Beans
"""
SUPPLIERS = """\
supplier;name;timezone;order_weekdays;cutoff_minute;lead_time_days;emergency_lead_days;closed_days
depot;The depot;Europe/Berlin;0 3;900;2;1;2026-12-25 2026-12-26
Depot;Upper case;Europe/Berlin;0;900;2;;
mars;Olympus;Mars/Olympus;0;900;2;;
late;Late;Europe/Berlin;0;1500;2;;
twice;Twice;Europe/Berlin;1 1;900;2;;
"""


def told(problems: tuple[object, ...]) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in problems]  # type: ignore[attr-defined]


def test_each_bad_row_of_items_is_told_and_the_others_are_taken() -> None:
    read = items_from_csv(ITEMS)
    assert [row.key for row in read.good] == ["4011", "4017"]
    assert told(read.problems) == [
        (3, "gtins"), (4, "gtins"), (5, "sku"), (6, "unit_weight_g"), (7, "managed"), (8, "sku"), (9, "gtins"), (12, ""),
    ]  # fmt: skip
    assert (read.rows, read.bad_rows) == (10, 8)
    beans = read.good[1].value
    assert (beans.gtins, beans.unit_weight_g, beans.managed) == (
        ["09521000000056", "09521000000063"],
        0.5,
        False,
    )
    words = {problem.line: problem.what for problem in read.problems}
    assert "expected 9" in words[3], "the right check digit is said"
    assert "must be a number with a point, got 'heavy'" in words[6]
    assert "stands on line 2 already" in words[8]
    assert "3 cells, the header 6" in words[12]


def test_each_bad_supplier_is_told_by_its_column() -> None:
    read = suppliers_from_csv("\ufeff" + SUPPLIERS.replace("\n", "\r\n"))
    [depot] = read.good
    assert (depot.key, depot.value.order_weekdays, depot.value.emergency_lead_days) == ("depot", [0, 3], 1)
    assert depot.value.closed_days == ["2026-12-25", "2026-12-26"]
    assert told(read.problems) == [
        (3, "supplier"),
        (4, "timezone"),
        (5, "cutoff_minute"),
        (6, "order_weekdays"),
    ]
    assert "less than or equal to 1439, got '1500'" in read.problems[2].what


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "sku, gtins, name, category missing"),
        ("sku,gtins,name\n", "category missing"),
        ("sku,gtins,name,category,colour\n", "column 'colour' is unknown"),
        ("sku,gtins,name,category,sku\n", "column 'sku' is unknown or stands twice"),
        ("sku,gtins,name,category\n" + "a,b,c,d\n" * 50_001, "more than 50000 rows"),
    ],
)
def test_a_file_that_is_none_is_refused_with_what_it_should_be(text: str, words: str) -> None:
    with pytest.raises(BadFileError, match=words):
        items_from_csv(text)


@given(st.text(max_size=300), st.sampled_from(["", ITEMS, SUPPLIERS]))
@settings(max_examples=150)
def test_whatever_stands_in_a_file_every_row_is_good_or_told(noise: str, before: str) -> None:
    for parse in (items_from_csv, suppliers_from_csv):
        try:
            read = parse(before + noise)
        except BadFileError:
            continue
        assert len(read.good) + read.bad_rows == read.rows
        assert len({problem.line for problem in read.problems}) == read.bad_rows
