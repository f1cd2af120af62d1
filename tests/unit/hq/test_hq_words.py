"""How numbers, money, times and states read."""

from zoneinfo import ZoneInfo

import pytest

from contract.api.restock import TriggerState
from hq import words

NEW_YORK = ZoneInfo("America/New_York")


def test_unknown_is_a_dash_and_zero_is_zero():
    assert words.number(None) == "–"
    assert words.number(0) == "0"
    assert words.money(None, "USD") == "–"
    assert words.money(0, "USD") == "0.00 USD"
    assert words.percent(0, 0) == "–"
    assert words.instant(None, NEW_YORK) == "–"


def test_thousands_are_separated_and_a_unit_is_named():
    assert words.number(1234567) == "1,234,567"
    assert words.counted(1, "order") == "1 order"
    assert words.counted(1200, "order") == "1,200 orders"
    assert words.counted(2, "declared loss", "declared losses") == "2 declared losses"


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [
        (123450, "USD", "1,234.50 USD"),
        (1234, "JPY", "1,234 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (-5, "EUR", "-0.05 EUR"),
    ],
)
def test_money_follows_its_currency(cents, currency, text):
    assert words.money(cents, currency) == text


def test_a_time_is_the_shops_wall_clock_on_both_sides_of_a_clock_change():
    before, after = 1_741_500_000_000, 1_741_510_800_000  # 9 March 2025, 06:00 and 09:00 UTC
    assert words.instant(before, NEW_YORK) == "Sun 9 Mar, 01:00"
    assert words.instant(after, NEW_YORK) == "Sun 9 Mar, 05:00"


def test_an_unknown_zone_reads_as_utc_and_says_so():
    assert words.zone_name("Mars/Olympus") == "UTC"
    assert words.zone_name("America/New_York") == "New York time"
    assert words.zone_name("Etc/GMT+5") == "UTC−5"
    assert words.zone_name("Etc/UTC") == "UTC"
    assert words.instant(0, words.zone_from_name("../etc/passwd")) == "Thu 1 Jan, 00:00"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (89_000, "89 s"),
        (120_000, "2 min"),
        (7_200_000, "2 h"),
        (3 * 86_400_000, "3 days"),
        (None, "–"),
    ],
)
def test_a_span_uses_the_largest_unit_that_fits(ms, text):
    assert words.span(ms) == text


def test_every_state_has_a_word_an_icon_and_a_tone():
    for state in TriggerState:
        word = words.TRIGGER_STATES[state]
        assert word.word
        assert word.icon
        assert word.tone in ("ok", "ours", "warn", "bad", "quiet")
    assert words.trigger_state("teleported").word == "teleported"
