"""Ids, GTINs, topics and coupon codes: what is one, and what the refusal says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contract import coupons, topics
from contract.errors import MalformedMessageError
from contract.ids import Gtin, Id, gtin14_from_text, gtin_check_digit

DIGITS = st.text("0123456789", min_size=7, max_size=13).filter(lambda body: len(body) in (7, 11, 12, 13))
KEY = bytes(range(32))


@given(body=DIGITS)
def test_a_gtin_of_any_length_becomes_fourteen_digits_and_stays_valid(body: str) -> None:
    gtin = gtin14_from_text(body + gtin_check_digit(body))
    assert len(gtin) == 14
    assert gtin14_from_text(gtin) == gtin


@given(body=DIGITS, place=st.integers(0, 12), shift=st.integers(1, 9))
def test_one_wrong_digit_is_always_found(body: str, place: int, shift: int) -> None:
    whole = body + gtin_check_digit(body)
    place %= len(whole)
    wrong = whole[:place] + str((int(whole[place]) + shift) % 10) + whole[place + 1 :]
    with pytest.raises(ValueError, match="check digit"):
        gtin14_from_text(wrong)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "digits only"),
        ("12345", "5 digits"),
        ("12 34567", "digits only"),
        ("١٢٣٤٥٦٧٨", "digits only"),
        ("9" * 15, "15 digits"),
    ],
)
def test_what_is_no_gtin_is_told_which_rule_it_breaks(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        gtin14_from_text(text)


def test_gtins_of_the_general_specifications() -> None:
    assert gtin14_from_text("9501101530003") == "09501101530003"
    assert gtin14_from_text("96385074") == "00000096385074"
    assert gtin14_from_text("614141007349") == "00614141007349"


@pytest.mark.parametrize("text", ["a", "till-1", "0", "a" * 48])
def test_ids_are_lower_case_letters_digits_and_inner_hyphens(text: str) -> None:
    assert TypeAdapter(Id).validate_python(text) == text


@pytest.mark.parametrize("text", ["", "Till", "-a", "a-", "a/b", "a+b", "a#", "a b", "a" * 49, "ä", "a\n"])
def test_what_would_break_a_topic_or_a_path_is_no_id(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Id).validate_python(text)


def test_a_gtin_on_the_wire_is_normalised() -> None:
    assert TypeAdapter(Gtin).validate_python("9501101530003") == "09501101530003"


def test_topics_name_device_and_stream() -> None:
    assert topics.stream_topic("till-1", "receipt") == "shelfloop/1/till-1/receipt"
    found = topics.stream_topic_from_text("shelfloop/1/till-1/receipt")
    assert (found.device, found.stream) == ("till-1", "receipt")
    assert topics.command_from_text(topics.command_topic("till-1", "stored")) == ("till-1", "stored")


@pytest.mark.parametrize(
    "topic",
    ["", "shelfloop/1/till-1", "shelfloop/2/till-1/receipt", "other/1/till-1/receipt", "shelfloop/1/Till/receipt",
     "shelfloop/1//receipt", "shelfloop/1/till-1/cmd/stored"],
)  # fmt: skip
def test_a_topic_of_another_form_is_refused_by_name(topic: str) -> None:
    with pytest.raises(MalformedMessageError, match=re.escape(repr(topic[:80]))):
        topics.stream_topic_from_text(topic)


@given(serial=st.integers(0, 32**5 - 1))
def test_a_code_verifies_with_its_key_and_no_other(serial: int) -> None:
    code = coupons.coupon_code("ABC", serial, KEY)
    assert re.fullmatch(r"ABC-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", code)
    assert coupons.code_is_genuine(code, KEY)
    assert coupons.code_is_genuine(code.lower().replace("-", ""), KEY)


@given(serial=st.integers(0, 32**5 - 1), place=st.integers(0, 12), shift=st.integers(1, 31))
def test_a_code_with_one_changed_character_is_no_code(serial: int, place: int, shift: int) -> None:
    """25 bits: one change in 33 million slips through; none of the seeded tries does."""
    code = coupons.normal_code(coupons.coupon_code("ABC", serial, KEY))
    changed = coupons.ALPHABET[(coupons.ALPHABET.index(code[place]) + shift) % 32]
    assert not coupons.code_is_genuine(code[:place] + changed + code[place + 1 :], KEY)


def test_letters_that_are_heard_as_digits_are_read_as_digits() -> None:
    assert coupons.normal_code("abc-0oO1i-lIL10") == "ABC0001111110"[:3] + coupons.normal_code("0oO1ilIL10")
    assert coupons.normal_code("o0 iIlL-1") == "0011111"


@pytest.mark.parametrize("text", ["", "ABC", "ABC-00001-7Q2RXX", "ÄÖÜ-00001-7Q2RX", "🍌" * 13, "U" * 13])
def test_any_text_is_a_code_or_not_without_an_error(text: str) -> None:
    assert not coupons.code_is_genuine(text, KEY)


def test_a_serial_that_does_not_fit_is_refused() -> None:
    for serial in (-1, 32**5):
        with pytest.raises(ValueError, match="does not fit"):
            coupons.coupon_code("ABC", serial, KEY)
