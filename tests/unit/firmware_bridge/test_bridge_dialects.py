"""What is sent is what arrives, whatever the event; what is nonsense is said to be so, with its identity."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.devices import (
    Birth,
    Calibration,
    CellReading,
    ClockQuality,
    DayClose,
    Fault,
    FaultCode,
    Heartbeat,
    LineKind,
    Receipt,
    ReceiptLine,
    Scan,
    Weight,
)
from contract.errors import MalformedMessageError
from firmware_bridge.core.dialects import (
    Command,
    UnreadableMessageError,
    command_from_message,
    event_from_message,
    message_from_command,
    message_from_event,
)
from firmware_bridge.core.envelope import Envelope, MessageKind, envelope_to_bytes
from firmware_bridge.core.errors import MessageTooLongError, PeerError
from firmware_bridge.core.hello import Hello
from firmware_bridge.core.shelf_dialect import cell_id, cell_number

SHELF = Hello(
    kind="shelf", uid="u1", boot_id="boot-1", firmware="1.2", hardware="rev-c", reset_reason="watchdog"
)
TILL = Hello(kind="till", uid="u2", boot_id="boot-1")

ids = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
envelopes = {
    "device": st.just("dev-1"),
    "boot_id": st.one_of(st.just("boot-1"), ids),
    "seq": st.integers(1, 2**53 - 1),
    "kept_from_seq": st.none() | st.integers(1, 2**53 - 1),
    "t_device_ms": st.integers(0, 2**53 - 1),
    "t_event_ms": st.none() | st.integers(0, 4_102_444_799_999),
    "clock_quality": st.sampled_from(list(ClockQuality)),
}
cells = st.integers(0, 254).map(cell_id)
milligrams = st.integers(-1_000_000_000, 1_000_000_000)
readings = st.builds(
    CellReading,
    cell=cells,
    weight_g=milligrams.map(lambda mg: mg / 1000),
    stable=st.booleans(),
    sd_g=st.integers(0, 1_000_000_000).map(lambda mg: mg / 1000),
    n=st.integers(1, 100_000),
    age_ms=st.integers(0, 86_400_000),
)
shelf_events = st.one_of(
    st.builds(Weight, **envelopes, readings=st.lists(readings, min_size=1, max_size=64)),
    st.builds(
        Fault,
        **envelopes,
        code=st.sampled_from(list(FaultCode)),
        cell=st.none() | cells,
        text=st.text(max_size=60),
    ),
    st.builds(Calibration, **envelopes, cell=cells, offset_g=milligrams.map(lambda mg: mg / 1000)),
    st.builds(
        Heartbeat,
        **envelopes,
        uptime_ms=st.integers(0, 2**53),
        counters=st.dictionaries(ids, st.integers(0, 2**60), max_size=8),
        temperature_c=st.none() | st.integers(-600, 1250).map(lambda tenths: tenths / 10),
    ),
    st.builds(Scan, **envelopes, raw=st.text(min_size=1, max_size=200)),
)
lines = st.builds(
    ReceiptLine,
    kind=st.sampled_from(list(LineKind)),
    raw_code=st.text(max_size=80),
    quantity_units=st.integers(0, 1000),
    extended_cents=st.integers(-10_000, 10_000),
)


@st.composite
def receipts(draw):
    chosen = draw(st.lists(lines, min_size=1, max_size=20))
    return draw(
        st.builds(
            Receipt,
            **envelopes,
            register_id=ids,
            business_date=st.just("2017-09-04"),
            sequence=st.integers(1, 2**31),
            lines=st.just(chosen),
            total_cents=st.just(sum(line.extended_cents for line in chosen)),
        )
    )


@given(shelf_events)
def test_a_shelf_event_survives_the_binary_wire_to_the_milligram(event):
    assert event_from_message("dev-1", SHELF, message_from_event(event, SHELF)) == event


@given(st.one_of(shelf_events, receipts()))
def test_any_event_survives_the_json_wire(event):
    assert event_from_message("dev-1", TILL, message_from_event(event, TILL)) == event


def test_a_birth_of_a_shelf_says_what_hello_said():
    event = Birth(device="dev-1", boot_id="boot-1", seq=1, t_device_ms=0, kind="shelf")
    born = event_from_message("dev-1", SHELF, message_from_event(event, SHELF))
    assert isinstance(born, Birth)
    assert (born.kind, born.firmware, born.uid, born.reset_reason) == ("shelf", "1.2", "u1", "watchdog")


def test_a_weight_of_ten_cells_fits_one_frame():
    event = Weight(
        device="dev-1",
        boot_id="boot-1",
        seq=1,
        t_device_ms=0,
        readings=[CellReading(cell=cell_id(number), weight_g=1.0, stable=True) for number in range(10)],
    )
    assert len(message_from_event(event, SHELF)) <= 237


@given(st.binary(max_size=300))
def test_any_bytes_give_an_event_or_a_reason(message):
    for hello in (SHELF, TILL):
        try:
            event_from_message("dev-1", hello, message)
        except UnreadableMessageError as error:
            assert error.reason  # noqa: PT017 - an event is right as well


@given(st.sampled_from(list(MessageKind)), st.binary(max_size=100))
def test_any_body_behind_a_good_head_gives_an_event_or_a_reason_with_its_identity(kind, body):
    envelope = Envelope("boot-1", 7, None, 5, None, ClockQuality.UNKNOWN)
    message = envelope_to_bytes(kind, envelope, "boot-1") + body
    try:
        assert event_from_message("dev-1", SHELF, message).seq == 7
    except UnreadableMessageError as error:
        assert error.envelope == envelope  # noqa: PT017 - an event is right as well


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (MessageKind.WEIGHT, b"\x02short", "weight message has 6 bytes, 2 readings take 37"),
        (MessageKind.WEIGHT, b"\x00", "readings: List should have at least 1 item"),
        (MessageKind.FAULT, b"\x63\xff", "fault code 99 is unknown; known are 0 to 6"),
        (MessageKind.CALIBRATION, b"\xff\0\0\0\0", "cell number 255 is not 0..254"),
        (MessageKind.JSON_EVENT, b"\x05prayr{}", "unknown stream 'prayr'"),
        (MessageKind.JSON_EVENT, b"\x04scan[]", "the body of a scan event is no JSON object"),
        (MessageKind.JSON_EVENT, b'\x04scan{"raw":""}', "raw: String should have at least 1 character"),
        (MessageKind.JSON_EVENT, b'\x04scan{"raw":"a","seq":9}', "the body repeats fields of the envelope"),
        (
            MessageKind.JSON_EVENT,
            b'\x04scan{"raw":"a","device":"other"}',
            "the body repeats fields of the envelope",
        ),
        (MessageKind.JSON_EVENT, b'\x04scan{"raw":', "message: Invalid JSON"),
        (MessageKind.COMMAND, b"", "message kind 0x81 is unknown"),
    ],
)
def test_the_reason_names_what_is_wrong(kind, body, reason):
    envelope = Envelope("boot-1", 7, None, 5, None, ClockQuality.UNKNOWN)
    with pytest.raises(UnreadableMessageError) as caught:
        event_from_message("dev-1", SHELF, envelope_to_bytes(kind, envelope, "boot-1") + body)
    assert caught.value.reason.startswith(reason)
    assert caught.value.envelope == envelope


def test_a_receipt_whose_lines_do_not_add_up_is_rejected_with_both_sums():
    envelope = Envelope("boot-1", 7, 7, 5, None, ClockQuality.UNKNOWN)
    receipt = {"register_id": "r1", "business_date": "2017-09-04", "sequence": 1, "total_cents": 5}
    receipt["lines"] = [{"kind": "sale", "extended_cents": 4}]
    body = b"\x07receipt" + json.dumps(receipt).encode()
    with pytest.raises(UnreadableMessageError, match="total_cents is 5 but the lines add up to 4"):
        event_from_message(
            "dev-1", TILL, envelope_to_bytes(MessageKind.JSON_EVENT, envelope, "boot-1") + body
        )


def test_an_event_longer_than_a_message_is_refused_at_the_device():
    event = DayClose(
        device="dev-1", boot_id="b" * 40, seq=1, t_device_ms=0, register_id="r1", business_date="2017-09-04",
        receipts=1, lines=1, units=1, cents=1,
    )  # fmt: skip
    assert message_from_event(event, TILL)
    long = Receipt(
        device="dev-1", boot_id="boot-1", seq=1, t_device_ms=0, register_id="r1", business_date="2017-09-04", sequence=1,
        lines=[ReceiptLine(kind=LineKind.SALE, raw_code="x" * 80, extended_cents=0)] * 500, total_cents=0,
    )  # fmt: skip
    with pytest.raises(MessageTooLongError, match="receipt event has"):
        message_from_event(long, TILL)


@given(st.dictionaries(st.text(max_size=10), st.integers() | st.text(max_size=20), max_size=5))
def test_a_command_survives_the_wire(body):
    command = Command("price", json.dumps(body).encode())
    arrived = command_from_message(message_from_command(command))
    assert (arrived.name, json.loads(arrived.body)) == ("price", body)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"nope", "not JSON"),
        (b"[1]", "JSON list"),
        (b'"x"', "JSON str"),
        (b"{" + b" " * 20_000, "the limit is 16384"),
    ],
)
def test_a_bad_command_says_why(payload, why):
    with pytest.raises(MalformedMessageError, match=why):
        message_from_command(Command("price", payload))


@given(st.binary(max_size=80))
def test_any_bytes_down_give_a_command_or_a_reason(message):
    for candidate in (message, b"\x81" + message):
        try:
            command_from_message(candidate)
        except PeerError as error:
            assert error.reason  # noqa: PT017 - an event is right as well


@pytest.mark.parametrize("cell", ["c1", "7", "c0007", "c255", "C07", "c007"])
def test_a_cell_without_a_number_is_refused(cell):
    with pytest.raises(ValueError, match="has no number"):
        cell_number(cell)


@given(st.integers(0, 254))
def test_cell_numbers_and_ids_are_one_to_one(number):
    assert cell_number(cell_id(number)) == number
