"""Device events and documents: strict in, the same out, and refusals that name field, limit and value."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contract.api.restock import StatusPost
from contract.devices import COUNTED_STREAMS, EVENT_BY_STREAM, LineKind, Receipt, ReceiptLine, event_from_json
from contract.documents import AnyDocument, PricesDocument
from contract.errors import MalformedMessageError

RECEIPT = {
    "device": "till-1", "boot_id": "b1", "seq": 1, "t_device_ms": 1, "register_id": "till-1",
    "business_date": "2026-11-21", "sequence": 1, "total_cents": 199,
    "lines": [{"kind": "sale", "gtin": "9501101530003", "quantity_units": 1, "extended_cents": 199}],
}  # fmt: skip


def _receipt(**changes: object) -> bytes:
    return json.dumps({**RECEIPT, **changes}).encode()


def test_an_event_says_the_same_after_a_round_trip() -> None:
    event = event_from_json("till-1", "receipt", _receipt())
    assert event_from_json("till-1", "receipt", event.to_json()) == event


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seq": 0}, "seq"),
        ({"seq": "1"}, "seq"),
        ({"seq": 1.5}, "seq"),
        ({"t_event_ms": 99_999_999_999_999}, "t_event_ms"),
        ({"boot_id": "B 1"}, "boot_id"),
        ({"business_date": "21.11.2026"}, "business_date"),
        ({"lines": []}, "lines"),
        ({"total_cents": 198}, "the lines add up to 199"),
        ({"total_cents": None}, "total_cents"),
        ({"member": "Jane Doe"}, "member"),
        ({"surprise": 1}, "surprise"),
        ({"clock_quality": "splendid"}, "clock_quality"),
    ],
)
def test_a_bad_field_is_named(changes: dict[str, object], told: str) -> None:
    with pytest.raises(MalformedMessageError, match=told) as caught:
        event_from_json("till-1", "receipt", _receipt(**changes))
    assert "receipt event of device till-1" in str(caught.value)
    assert len(caught.value.why) <= 300


def test_an_event_of_another_device_is_refused() -> None:
    with pytest.raises(MalformedMessageError, match="the payload says 'till-1', the topic 'till-2'"):
        event_from_json("till-2", "receipt", _receipt())


def test_an_unknown_stream_names_the_known_ones() -> None:
    with pytest.raises(MalformedMessageError, match="day_close"):
        event_from_json("till-1", "gossip", b"{}")


@settings(max_examples=200, deadline=None)
@given(stream=st.sampled_from(sorted(EVENT_BY_STREAM)), payload=st.binary(max_size=200))
def test_any_payload_gives_an_event_or_a_named_error(stream: str, payload: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        event_from_json("till-1", stream, payload)


@settings(max_examples=100, deadline=None)
@given(stream=st.sampled_from(sorted(EVENT_BY_STREAM)), value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8,
))  # fmt: skip
def test_any_json_gives_an_event_or_a_named_error(stream: str, value: object) -> None:
    with pytest.raises(MalformedMessageError):
        event_from_json("till-1", stream, json.dumps(value).encode())


def test_a_deeply_nested_payload_is_refused_not_fatal() -> None:
    with pytest.raises(MalformedMessageError):
        event_from_json("till-1", "receipt", b"[" * 100_000)


def test_what_counts_has_a_class() -> None:
    assert set(EVENT_BY_STREAM) >= COUNTED_STREAMS


@pytest.mark.parametrize(
    ("kind", "sold"),
    [(LineKind.SALE, 3), (LineKind.RETURN, -3), (LineKind.VOID, -3), (LineKind.DEPOSIT, 0), (LineKind.DISCOUNT, 0), (LineKind.NOT_FOUND, 0)],
)  # fmt: skip
def test_the_kind_of_a_line_says_which_way_goods_move(kind: LineKind, sold: int) -> None:
    assert ReceiptLine(kind=kind, quantity_units=3, extended_cents=1).sold_units == sold


def test_a_quantity_below_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="quantity_units"):
        ReceiptLine(kind=LineKind.RETURN, quantity_units=-1, extended_cents=-199)


def test_messages_cannot_be_changed() -> None:
    receipt = Receipt.from_json(_receipt())
    with pytest.raises(ValidationError, match="frozen"):
        receipt.total_cents = 0


def test_a_document_is_told_by_its_kind() -> None:
    adapter: TypeAdapter[AnyDocument] = TypeAdapter(AnyDocument)
    found = adapter.validate_json('{"kind": "prices", "version": 1, "prices": []}')
    assert isinstance(found, PricesDocument)
    with pytest.raises(ValidationError, match="kind"):
        adapter.validate_json('{"kind": "weather", "version": 1}')


def test_a_document_has_a_version_from_1() -> None:
    with pytest.raises(ValidationError, match="version"):
        PricesDocument(version=0, prices=[])


def test_a_status_names_a_revision_and_a_known_word() -> None:
    good = {"revision": 1, "status": "shipped", "at_ms": 1, "despatch": "D-1"}
    assert StatusPost.model_validate(good).despatch == "D-1"
    for bad in ({"revision": 0}, {"status": "eaten"}, {"despatch": ""}, {"at_ms": -1}):
        with pytest.raises(ValidationError):
            StatusPost.model_validate({**good, **bad})
