"""What the page of regions says."""

from fake_rows import outlook_rows

from hq.charts.interval import WIDTH_PX, interval_svg
from hq.pages.regions import outlook_row, sentence, shared_words, signed_percent


def test_a_hot_category_has_a_word_an_icon_an_interval_and_who_carries_it():
    row = outlook_row(outlook_rows()[0])
    assert (row["verdict"]["t"], row["verdict"]["i"]) == ("more than usual", "trending_up")
    assert (row["change"]["t"], row["band"]["u"]) == ("+34 %", "+19 % to +50 %")
    assert "<circle" in row["band"]["g"]
    assert row["drivers"]["t"] == "Cola 12 x 12 fl oz (Shop 367, Elm Street)"


def test_what_was_never_sold_has_no_change_to_tell():
    row = outlook_row(outlook_rows()[3])
    assert (row["change"]["t"], row["band"]["t"], row["drivers"]["t"]) == ("–", "–", "–")
    assert "–, as usual" in sentence(outlook_rows()[3])


def test_the_interval_stays_in_its_cell():
    svg = interval_svg(9.0, -9.0, 9.0, "hot", 0.5)
    numbers = [float(part.split('"')[1]) for part in svg.split("cx=")[1:]]
    assert all(0 <= value <= WIDTH_PX for value in numbers)


def test_a_minus_is_a_minus():
    assert [signed_percent(part) for part in (-0.34, 0.0, None)] == ["−34 %", "+0 %", "–"]


def test_too_little_history_is_said_and_no_change_is_shown():
    row = outlook_rows()[0].model_copy(update={"verdict": "unknown", "days_compared": 2})
    shown = outlook_row(row)
    assert shown["verdict"]["t"] == "too little history"
    assert shown["change"]["t"] == "–"
    assert "too little history" in sentence(row)


def test_what_was_never_heard_is_a_dash_not_a_zero():
    row = outlook_rows()[0].model_copy(update={"verdict": "unknown", "days_compared": 0, "usual_units": 0.0})
    shown = outlook_row(row)
    assert (shown["expected"]["t"], shown["usual"]["t"]) == ("–", "–")


def test_what_skus_miss_together_is_said():
    row = outlook_rows()[0].model_copy(update={"shared": 0.24})
    assert shared_words(row).startswith("24 % of the forecasts' variance is shared")
