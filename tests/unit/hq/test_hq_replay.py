"""What the page says of a replay: sums over shops, better or worse, a picture."""

from fake_rows import replay_view

from contract.api.replays import AgreementView, Figures, Made, ReplayDay, ReplayView, RuleChange
from hq.charts.replay_chart import replay_chart
from hq.pages.replay import DAY_FIELDS, FIELDS
from hq.replay_sum import agreed, lines_of, sentence, together


def day(name, now, then):
    return ReplayDay(day=name, now=Figures(**now), then=Figures(**then))


DAYS = [
    day("2025-05-01", {"missed_units": 8, "orders": 2, "ordered_cents": 10_000, "stock_out_minutes": 120, "stock_unit_days": 40},
        {"missed_units": 2, "orders": 3, "ordered_cents": 12_000, "stock_out_minutes": 30, "stock_unit_days": 60}),
    day("2025-05-02", {"missed_units": 0, "wasted_units": 1, "stock_unit_days": 44}, {"wasted_units": 3, "stock_unit_days": 64}),
]  # fmt: skip


def test_each_figure_says_its_change_and_whether_that_is_better():
    lines = {line.name: line for line in lines_of(DAYS, "EUR")}
    missed = lines["Units missed: wanted, and not there"]
    assert (missed.now, missed.then, missed.difference, missed.verdict) == (
        "8 units", "2 units", "−6 units (−75 %)", "better",
    )  # fmt: skip
    assert lines["Units wasted"].verdict == "worse"
    cost = lines["Cost of the orders"]
    assert (cost.difference, cost.verdict) == ("+20.00 EUR (+20 %)", ""), (
        "a cost alone is neither good nor bad"
    )
    assert lines["Stock, units at the day's end"].now == "42 units"
    assert lines["Stock-out minutes, all SKUs"].difference == "−90 min (−75 %)"
    assert lines["Orders that wait for a person"].difference == "no change"


def test_what_was_really_ordered_stands_beside_what_is_simulated():
    views = [
        ReplayView(store=store, skus=1, skus_left_out=0, days=[DAYS[0].model_copy(update={"made": made})])
        for store, made in (
            ("a", Made(orders=4, ordered_units=48, ordered_cents=9_000, asked=1)),
            ("b", Made(orders=1)),
        )
    ]
    lines = {line.name: line for line in lines_of(together(views), "EUR")}
    assert (lines["Orders"].made, lines["Units ordered"].made) == ("5 orders", "48 units")
    assert (lines["Cost of the orders"].made, lines["Units wasted"].made) == ("90.00 EUR", "")


def test_costs_of_several_currencies_are_not_added():
    assert "Cost of the orders" not in [line.name for line in lines_of(DAYS, "")]


def test_the_result_is_one_sentence():
    assert (
        sentence(DAYS, 1, 1)
        == "6 fewer units missed, 2 more units wasted, 1 more orders over 2 days, 1 SKU in 1 shop."
    )
    assert sentence([], 0, 0) == "No difference over 0 days, 0 SKUs in 0 shops."


def test_shops_are_added_day_by_day():
    views = [replay_view("s367", 3), replay_view("s406", 2)]
    days = together(views)
    assert len(days) == 3
    assert [one.now.orders for one in days] == [9, 18, 18], "the longer one reaches further back"
    total = sum(view_day.now.missed_units for view in views for view_day in view.days)
    assert sum(one.now.missed_units for one in days) == total


def test_the_picture_has_both_sides_of_four_figures_and_tells_them_apart_without_colour():
    series = replay_chart(DAYS)["series"]
    assert len(series) == 8
    assert {(one["name"], one["lineStyle"]["type"]) for one in series} == {
        ("As it is", "dashed"),
        ("Changed", "solid"),
    }
    assert [point["value"] for point in series[0]["data"]] == [8, 0]
    assert series[1]["data"][0]["tip"] == "Units missed: 2 units"
    assert replay_chart([])["series"][0]["data"] == []


def test_every_field_of_a_change_stands_on_the_page():
    assert set(FIELDS) | set(DAY_FIELDS) == set(RuleChange.model_fields)


def test_the_page_says_how_true_the_play_is_and_why_not():
    agreement = AgreementView(
        made=10,
        played=9,
        same=7,
        only_made={"the stock was another then": 2},
        only_played={"a person was asked": 1},
    )
    views = [ReplayView(store=name, skus=1, skus_left_out=0, days=[], agreement=agreement) for name in "ab"]
    assert agreed(views) == (
        "As it is, the play makes 14 of 20 real orders again, within a day and a pack. "
        "Where it differs: the stock was another then (4), a person was asked (2)."
    )
    assert agreed([]).startswith("No order was really made")
