"""The receiving half of MQTT: cut at any byte it says the same; what is not MQTT ends the connection."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.intake_wire import (
    CONNACK,
    SUBACK,
    Answer,
    ProtocolError,
    Splitter,
    connect_packet,
    puback_packets,
    refusal_of,
    remaining_length,
    subscribe_packet,
)


def publish(topic, payload, mid, protocol=5, properties=b""):
    raw = topic.encode()
    body = struct.pack(">H", len(raw)) + raw + (struct.pack(">H", mid) if mid else b"")
    if protocol == 5:
        body += remaining_length(len(properties)) + properties
    return bytes([0x32 if mid else 0x30]) + remaining_length(len(body) + len(payload)) + body + payload


MESSAGES = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), max_size=20),
        st.one_of(st.binary(max_size=40), st.integers(100, 20_000).map(lambda size: b"x" * size)),
        st.integers(0, 65_535),
    ),
    max_size=8,
)


@given(
    MESSAGES,
    st.sampled_from([4, 5]),
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
    st.binary(max_size=200),
)
def test_messages_come_out_as_they_went_in_however_they_are_cut(messages, protocol, cuts, properties):
    stream = b"".join(publish(*message, protocol, properties) for message in messages)
    splitter, found, place = Splitter(protocol), [], 0
    for turn in range(len(stream) + 1):
        size = cuts[turn % len(cuts)]
        found += splitter.feed(stream[place : place + size])
        place += size
        if place >= len(stream):
            break
    assert found == messages
    assert splitter.answers == []


def test_byte_by_byte_says_the_same():
    stream = b"\x20\x03\x01\x00\x00" + publish("a/b", b"1" * 200, 7) + b"\xd0\x00" + publish("a/c", b"", 0)
    splitter, found = Splitter(5), []
    for byte in stream:
        found += splitter.feed(bytes([byte]))
    assert found == [("a/b", b"1" * 200, 7), ("a/c", b"", 0)]
    assert [answer.kind for answer in splitter.answers] == [0x20, 0xD0]


@given(st.binary(max_size=300), st.sampled_from([4, 5]))
def test_noise_ends_the_connection_or_waits_for_more_and_does_nothing_else(noise, protocol):
    splitter = Splitter(protocol)
    try:
        splitter.feed(noise)
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",  # five bytes of length
        b"\x30\xff\xff\xff\x7f",  # 256 MB
        b"\x32\x05\x00\x01a\x00\x00",  # QoS 1, id 0
        b"\x30\x03\x00\x09a",  # a topic longer than its packet
        b"\x30\x05\x00\x02\xff\xfe\x00",  # a topic that is not UTF-8
    ],
)
def test_what_is_not_mqtt_is_refused(stream):
    with pytest.raises(ProtocolError):
        Splitter(5).feed(stream)


def test_acknowledgements_keep_their_order():
    assert puback_packets([3, 1, 65_535]) == b"\x40\x02\x00\x03\x40\x02\x00\x01\x40\x02\xff\xff"


def test_the_first_packet_names_the_window_and_keeps_the_session():
    packet = connect_packet(
        "gw", 5, keepalive_s=30, receive_maximum=3000, session_expiry_s=60, username="u", password="p"
    )
    assert packet.startswith(b"\x10")
    assert b"\x00\x04MQTT\x05\xc0\x00\x1e" in packet  # user and password, no clean start
    assert b"\x21\x0b\xb8" in packet
    assert packet.endswith(b"\x00\x02gw\x00\x01u\x00\x01p")
    old = connect_packet("gw", 4, keepalive_s=30, receive_maximum=3000, session_expiry_s=60)
    assert old == b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x1e\x00\x02gw"
    assert subscribe_packet("a/+", 4) == b"\x82\x08\x00\x01\x00\x03a/+\x01"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(CONNACK, b"\x00\x00\x00"), ""),
        (Answer(CONNACK, b"\x00\x86\x00"), "broker_password_file"),
        (Answer(CONNACK, b"\x00\x05"), "ACL"),
        (Answer(SUBACK, b"\x00\x01\x01"), ""),
        (Answer(SUBACK, b"\x00\x01\x00\x87"), "ACL"),
    ],
)
def test_a_refusal_says_what_to_look_at(answer, words):
    refusal = refusal_of(answer)
    assert words in refusal
    assert bool(refusal) == bool(words)
