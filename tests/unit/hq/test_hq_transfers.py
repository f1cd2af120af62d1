"""What the page about goods from shop to shop says: who misses what, who could give it, and whether that is worth its trip."""

from dataclasses import replace

from fake_rows import mismatch_rows, mismatch_sums, transfer_view
from fake_shops import NOW_MS

from contract.api.common import Page
from contract.api.transfers import MismatchView
from hq.charts.balance import WIDTH_PX, balance_svg
from hq.pages.shop import transfer_row
from hq.pages.transfers import Seen, figures_of, region_row, short_row
from hq.words import number


def test_a_shortage_names_its_giver_the_way_and_the_worth():
    row = short_row(mismatch_rows()[0])
    assert row["from"]["t"] == "24 units from Shop 406, Harbour, 12 km"
    assert row["from"]["u"] == "6.50 USD better than an order outside the calendar"
    assert row["worth"] == {"t": "21.40 USD", "s": 2_140}


def test_a_shortage_without_help_says_so_and_one_with_an_open_transfer_links_to_it():
    waits, alone = (short_row(row) for row in mismatch_rows()[1:3])
    assert (waits["from"]["t"], waits["from"]["u"]) == ("a transfer is open", "s367-r41")
    assert alone["from"]["u"] == "nothing within reach is worth its trip"
    assert alone["worth"]["t"] == "–"


def test_the_figures_are_of_the_lines_in_scope():
    rows = mismatch_rows()
    short = [row for row in rows if row.missed_units]
    spare = [row for row in rows if row.spare_units]
    seen = Seen(
        mismatch_sums(),
        Page[MismatchView](rows=short, total=3),
        Page[MismatchView](rows=spare, total=2),
        NOW_MS,
    )
    found = figures_of(replace(seen, is_shop=True))
    assert found["missed"] == ("34", "units of 3 SKUs in shops")
    assert found["spare"] == ("106", "units of 2 SKUs in shops")
    assert found["offers"] == ("1", "21.40 USD")
    assert found["looked"][0] == "10 min ago"


def test_the_figures_of_a_chain_are_of_all_lines_not_of_the_leading_ones_that_are_listed():
    sums = mismatch_sums()
    seen = Seen(sums, Page[MismatchView](rows=[], total=0), Page[MismatchView](rows=[], total=0), NOW_MS)
    found = figures_of(seen)
    assert found["missed"][0] == number(sum(row.missed_units for row in sums))
    assert found["spare"][1].startswith(f"units of {sum(row.spare_skus for row in sums)} SKU")


def test_a_regions_bars_share_one_scale():
    most = 66.0
    row = region_row(mismatch_sums()[0], most)
    assert row["balance"]["g"] == balance_svg(31.2, 66, most)
    assert f'width="{WIDTH_PX / 2 - 2:.1f}"' in balance_svg(0, 66, most)
    assert 'width="0.0"' in balance_svg(0, 0, 0.0)


def test_what_leaves_a_shop_is_told_there():
    row = transfer_row(transfer_view())
    assert (row["units"]["t"], row["units"]["u"]) == ("12", "leave")
    assert row["other"]["t"] == "to Shop 343, Mill Road"
    assert row["what"]["h"] == "/shops/s367/skus/900005"
