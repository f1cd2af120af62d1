"""Frames against an independent codec (by hand, from the document), and against any bytes at all."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.core.errors import MessageTooLongError
from firmware_bridge.core.frame import (
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    BadFrame,
    BadFrameReason,
    Frame,
    FrameDecoder,
    FrameType,
    frame_to_bytes,
)

frames = st.builds(
    Frame, st.sampled_from(list(FrameType)), st.integers(0, 255), st.binary(max_size=MAX_PAYLOAD_BYTES)
)


def crc32_by_hand(data: bytes) -> int:
    """IEEE 802.3, reflected, bit by bit."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def cobs_by_hand(data: bytes) -> bytes:
    """Cheshire and Baker, Consistent Overhead Byte Stuffing, section 2: blocks of up to 254 bytes, each ended by a zero."""
    out = bytearray()
    block = bytearray()
    for byte in data:
        if byte == 0:
            out += bytes([len(block) + 1]) + block
            block = bytearray()
            continue
        block.append(byte)
        if len(block) == 254:
            out += b"\xff" + block
            block = bytearray()
    return bytes(out + bytes([len(block) + 1]) + block)


def uncobs_by_hand(data: bytes) -> bytes:
    out = bytearray()
    place = 0
    while place < len(data):
        code = data[place]
        out += data[place + 1 : place + code]
        place += code
        if code != 255 and place < len(data):
            out.append(0)
    return bytes(out)


def frame_by_hand(frame_type: int, seq: int, payload: bytes, version: int = 1) -> bytes:
    plain = bytes([version, frame_type, seq]) + payload
    return b"\0" + cobs_by_hand(plain + struct.pack("<I", crc32_by_hand(plain))) + b"\0"


def test_the_check_value_of_the_crc_is_the_published_one():
    assert crc32_by_hand(b"123456789") == 0xCBF43926


@pytest.mark.parametrize(
    ("frame", "wire"),
    [
        (Frame(FrameType.PING, 0, b"\x07\x00"), "00 03 01 12 02 07 05 {crc} 00"),
        (Frame(FrameType.ACK, 9, b"\x07\x01\x08\x01"), "00 0c 01 11 09 07 01 08 01 {crc} 00"),
    ],
)
def test_two_frames_written_down_by_hand(frame, wire):
    plain = bytes([1, frame.type, frame.seq]) + frame.payload
    crc = struct.pack("<I", crc32_by_hand(plain)).hex(" ")
    assert frame_to_bytes(frame).hex(" ") == wire.format(crc=crc)


@given(frames)
def test_our_frames_read_as_an_independent_reader_reads_them(frame):
    wire = frame_to_bytes(frame)
    assert len(wire) <= MAX_FRAME_BYTES
    assert wire[0] == wire[-1] == 0
    assert 0 not in wire[1:-1]
    plain = uncobs_by_hand(wire[1:-1])
    assert struct.unpack("<I", plain[-4:]) == (crc32_by_hand(plain[:-4]),)
    assert plain[:-4] == bytes([1, frame.type, frame.seq]) + frame.payload


@given(frames)
def test_frames_of_an_independent_writer_are_read(frame):
    assert FrameDecoder().receive_data(frame_by_hand(frame.type, frame.seq, frame.payload)) == [frame]


noisy_streams = st.lists(
    st.one_of(
        frames.map(frame_to_bytes),
        st.binary(max_size=600),
        frames.map(lambda frame: frame_to_bytes(frame)[:-5]),
    ),
    max_size=12,
).map(b"".join)


@given(noisy_streams, st.lists(st.integers(0, 3000), max_size=20))
def test_any_cut_of_any_stream_gives_equal_frames(stream, cuts):
    whole = FrameDecoder().receive_data(stream)
    decoder = FrameDecoder()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert [item for piece in pieces for item in decoder.receive_data(piece)] == whole
    by_byte = FrameDecoder()
    assert [item for byte in stream for item in by_byte.receive_data(bytes([byte]))] == whole


@given(noisy_streams, frames)
def test_after_any_noise_a_zero_and_a_frame_that_frame_is_read(noise, frame):
    assert FrameDecoder().receive_data(noise + frame_to_bytes(frame))[-1] == frame


@given(frames, st.data())
def test_a_flipped_byte_never_passes_as_a_frame(frame, data):
    wire = bytearray(frame_to_bytes(frame))
    place = data.draw(st.integers(1, len(wire) - 2))
    wire[place] ^= data.draw(st.integers(1, 255))
    found = FrameDecoder().receive_data(bytes(wire))
    assert all(isinstance(item, BadFrame) for item in found)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"\x01" * 300, BadFrameReason.TOO_LONG),
        (cobs_by_hand(b"\x01\x10\x00"), BadFrameReason.TOO_SHORT),
        (b"\x05ab", BadFrameReason.ENCODING),
        (frame_by_hand(0x10, 1, b"abc")[1:-2] + b"\x77", BadFrameReason.CRC),
        (frame_by_hand(0x10, 1, b"abc", version=2)[1:-1], BadFrameReason.VERSION),
        (frame_by_hand(0x77, 1, b"abc")[1:-1], BadFrameReason.TYPE),
    ],
)
def test_each_kind_of_bad_frame_has_its_reason_and_counter(encoded, reason):
    decoder = FrameDecoder()
    (bad,) = decoder.receive_data(encoded + b"\0")
    assert isinstance(bad, BadFrame)
    assert bad.reason is reason
    assert decoder.rejected == {reason: 1}


def test_a_stream_without_zeros_takes_no_memory():
    decoder = FrameDecoder()
    found = [item for _ in range(1000) for item in decoder.receive_data(b"\x11" * 1000)]
    assert [item.reason for item in found] == [BadFrameReason.TOO_LONG]
    assert len(decoder._tail) == 0


def test_a_payload_past_the_limit_names_the_limit():
    with pytest.raises(MessageTooLongError, match="241 bytes, the limit is 240"):
        frame_to_bytes(Frame(FrameType.DATA, 0, b"x" * 241))
