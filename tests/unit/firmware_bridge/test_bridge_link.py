"""Two real ends against each other over wires that cut, delay, lose and spoil."""

import random

import pytest
from bridge_wires import HELLO, Pair
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.core.errors import ImpossibleMoveError, LinkBusyError, LinkDownError, MessageTooLongError
from firmware_bridge.core.frame import BadFrameReason, Frame, FrameType, frame_to_bytes
from firmware_bridge.core.hello import Hello, ResetReason
from firmware_bridge.core.link import Link, LinkState, Role
from firmware_bridge.core.link_events import (
    HelloReceived,
    LinkLimits,
    LogReceived,
    MessageAcked,
    SessionDown,
    SessionUp,
)
from firmware_bridge.core.send_window import MAX_MESSAGE_BYTES

WIRES = {
    "whole": {},
    "byte by byte": {"cut": 1},
    "late": {"delay_ms": 120},
    "lossy": {"loss": 0.1, "seed": 7},
    "noisy": {"noise": 0.1, "seed": 8, "cut": 5},
    "all at once": {"loss": 0.1, "noise": 0.1, "seed": 9, "cut": 3, "delay_ms": 15},
}


def some_messages(count: int, seed: int = 3) -> list[bytes]:
    rng = random.Random(seed)
    return [rng.randbytes(rng.choice([0, 1, 20, 236, 237, 238, 900])) for _ in range(count)]


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES.keys())
def test_every_message_arrives_once_and_in_order_over_any_wire(wire):
    pair = Pair(**wire).open()
    pair.run_until_up()
    up, down = some_messages(120, 3), some_messages(40, 4)
    to_send_up, to_send_down = list(up), list(down)

    def finished():
        while to_send_up and pair.device.can_send:
            pair.device.send(to_send_up.pop(0), pair.now_ms)
        while to_send_down and pair.host.can_send:
            pair.host.send(to_send_down.pop(0), pair.now_ms)
        return len(pair.messages_at_host()) >= len(up) and len(pair.messages_at_device()) >= len(down)

    pair.run_until(finished)
    assert pair.messages_at_host() == up
    assert pair.messages_at_device() == down
    assert pair.downs() == []


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES.keys())
def test_each_transmission_is_accepted_a_duplicate_spoilt_or_lost(wire):
    pair = Pair(**wire).open()
    pair.run_until_up()
    for body in some_messages(60):
        pair.run_until(lambda: pair.device.can_send)
        pair.device.send(body, pair.now_ms)
    pair.run_until(lambda: pair.device.unacked_messages == 0)
    sent, host = pair.device.counters, pair.host.counters
    distinct = sent.data_sent - sent.data_resent
    assert host.data_accepted == distinct
    assert host.data_accepted + host.data_duplicate + host.data_out_of_window <= sent.data_sent
    if wire.get("loss", 0) == 0 and wire.get("noise", 0) == 0:
        assert host.data_accepted + host.data_duplicate == sent.data_sent


def test_the_host_learns_who_the_device_is():
    pair = Pair().open()
    pair.run_until_up()
    assert HelloReceived(HELLO) in pair.host_events
    assert pair.host_events[-1] == SessionUp(1)


def test_a_message_of_32_kilobytes_goes_in_parts():
    pair = Pair(loss=0.03, seed=5).open()
    pair.run_until_up()
    body = random.Random(1).randbytes(32_768)
    number = pair.device.send(body, pair.now_ms)
    pair.run_until(lambda: MessageAcked(number) in pair.device_events)
    assert pair.messages_at_host() == [body]


def test_a_message_past_the_limit_is_refused_at_once():
    pair = Pair().open()
    pair.run_until_up()
    with pytest.raises(MessageTooLongError, match="65537 bytes, the limit is 65536"):
        pair.device.send(b"x" * (MAX_MESSAGE_BYTES + 1), pair.now_ms)


def test_a_full_queue_says_so():
    pair = Pair(limits=LinkLimits(window=2, max_queue=3)).open()
    pair.run_until_up()
    for _ in range(5):  # two under way, three waiting
        pair.device.send(b"x", pair.now_ms)
    assert not pair.device.can_send
    with pytest.raises(LinkBusyError, match="3 messages already wait"):
        pair.device.send(b"x", pair.now_ms)


def test_nothing_can_be_sent_without_a_session():
    with pytest.raises(LinkDownError):
        Pair().open().device.send(b"x", 0)


def test_messages_that_are_not_done_hold_the_device_back():
    pair = Pair(host_limits=LinkLimits(max_undone=10), auto_done=False).open()
    pair.run_until_up()
    for number in range(40):
        pair.device.send(bytes([number]), pair.now_ms)
    pair.run(30_000)
    assert len(pair.messages_at_host()) == 10
    assert pair.host.undone_messages == 10
    assert pair.downs() == []
    pair.auto_done = True
    pair.host.done(10)
    pair.run_until(lambda: len(pair.messages_at_host()) == 40)
    assert pair.messages_at_host() == [bytes([number]) for number in range(40)]


def test_credit_that_is_lost_on_the_way_is_asked_for_again():
    pair = Pair(host_limits=LinkLimits(max_undone=4), auto_done=False).open()
    pair.run_until_up()
    for number in range(8):
        pair.device.send(bytes([number]), pair.now_ms)
    pair.run(100)
    pair.host.done(4)
    assert pair.host.frames_to_send()  # the acknowledgement with new credit: thrown away
    pair.run(1200)
    assert len(pair.messages_at_host()) == 8


def test_a_host_that_starts_anew_asks_for_hello_and_gets_a_session():
    pair = Pair().open()
    pair.run_until_up()
    pair.device.send(b"before", pair.now_ms)
    pair.run(20)
    pair.host = Link(Role.HOST)
    pair.next_session = 500
    pair.host.open(pair.now_ms)
    pair.run_until_up()
    assert pair.device.session == 500
    pair.device.send(b"after", pair.now_ms)
    pair.run(20)
    assert pair.messages_at_host() == [b"before", b"after"]


def test_frames_of_an_older_session_are_answered_with_reset_and_counted():
    pair = Pair().open()
    pair.run_until_up()
    pair.host = Link(Role.HOST)
    pair.next_session = 500
    pair.host.open(pair.now_ms)
    pair.host.frames_to_send()  # its RESET is lost
    pair.device.send(b"old session", pair.now_ms)
    pair.run_until_up()
    assert pair.host.counters.data_stale >= 1
    assert SessionDown(ResetReason.NO_SESSION, 1) in pair.device_events


def test_a_device_that_reboots_takes_a_new_session():
    pair = Pair().open()
    pair.run_until_up()
    pair.device = Link(Role.DEVICE, Hello(kind="till", uid="uid-0001", boot_id="boot-2"), first_greeting=900)
    pair.device.open(pair.now_ms)
    pair.run_until_up()
    assert pair.device.session == 2
    assert [event.hello.boot_id for event in pair.host_events if isinstance(event, HelloReceived)] == [
        "boot-1",
        "boot-2",
    ]


def test_a_hello_that_is_repeated_keeps_the_session():
    pair = Pair().open()
    pair.run_until(lambda: pair.host.session is not None)
    pair.host.frames_to_send()  # HELLO_ACK is lost, the device says HELLO again
    pair.run_until_up()
    assert pair.host.session == 1
    assert pair.downs() == []


def test_a_silent_peer_ends_the_session():
    pair = Pair(limits=LinkLimits(idle_ms=500, probe_ms=100, max_silent_probes=3)).open()
    pair.run_until_up()
    silent_device = pair.device
    pair.device = Link(Role.DEVICE, HELLO)  # closed: says nothing
    pair.run(2000)
    assert SessionDown(ResetReason.SILENT, 0) in pair.host_events
    assert silent_device.state is LinkState.UP


def test_an_idle_line_stays_up_for_an_hour():
    pair = Pair(limits=LinkLimits(idle_ms=2000)).open()
    pair.run_until_up()
    for _ in range(3600):
        pair.now_ms += 999
        pair.run(3)
    assert pair.downs() == []


def test_a_frame_that_is_never_acknowledged_ends_the_session_and_says_what_is_open():
    pair = Pair(limits=LinkLimits(max_tries=4)).open()
    pair.run_until_up()
    pair.up._loss = 1.0
    pair.device.send(b"into the void", pair.now_ms)
    pair.run_until(lambda: SessionDown(ResetReason.UNANSWERED, 1) in pair.device_events, 20_000)
    assert pair.device.counters.data_sent == 4


def test_one_spoilt_frame_is_sent_again_without_waiting_for_the_timeout():
    pair = Pair(delay_ms=1).open()
    pair.run_until_up()
    pair.device.send(b"a", pair.now_ms)
    (frame,) = pair.device.frames_to_send()
    pair.up.write(frame[:4] + bytes([frame[4] ^ 1 or 2]) + frame[5:], pair.now_ms)
    pair.run(10)
    assert pair.messages_at_host() == [b"a"]
    assert pair.device.counters.data_resent == 1
    assert sum(pair.host.decoder.rejected.values()) == 1


def test_an_unknown_device_is_refused_and_asks_again_much_later():
    host, device = Link(Role.HOST), Link(Role.DEVICE, HELLO)
    host.open(0)
    device.open(0)
    assert host.receive_data(device.data_to_send(), 1) == [HelloReceived(HELLO)]
    host.refuse(1)
    device.receive_data(host.data_to_send(), 2)
    device.data_to_send()
    assert device.on_time(4000) == []
    assert device.data_to_send() == b""
    device.on_time(5100)
    assert host.receive_data(device.data_to_send(), 5101) == [HelloReceived(HELLO)]


def test_log_text_has_a_frame_of_its_own():
    pair = Pair().open()
    pair.run_until_up()
    pair.device.send_log(b"heap low\n")
    pair.run(5)
    assert LogReceived(b"heap low\n") in pair.host_events


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x01", b"\xff\xff\x03hello", b"\x01\x00\x02middle without a start"],
    ids=["empty", "one byte", "another session", "no first part"],
)
def test_frames_that_break_the_rules_never_raise(payload):
    pair = Pair().open()
    pair.run_until_up()
    for frame_type in FrameType:
        pair.host.receive_data(frame_to_bytes(Frame(frame_type, 0, payload)), pair.now_ms)
        pair.device.receive_data(frame_to_bytes(Frame(frame_type, 200, payload)), pair.now_ms)
    pair.run_until_up()
    pair.device.send(b"still works", pair.now_ms)
    pair.run_until(lambda: b"still works" in pair.messages_at_host())


def test_closing_twice_is_one_closing():
    pair = Pair().open()
    pair.run_until_up()
    assert pair.host.close() == [SessionDown(ResetReason.CLOSING, 0)]
    assert pair.host.close() == []
    assert pair.host.next_timeout_ms is None


def test_opening_an_open_wire_is_a_mistake():
    with pytest.raises(ImpossibleMoveError, match="WIRE_OPENED in state GREETING"):
        Pair().open().host.open(5)


def test_a_frame_of_another_version_is_rejected_with_its_reason():
    pair = Pair().open()
    good = frame_to_bytes(Frame(FrameType.PING, 0, b"\x01\x00"))
    assert BadFrameReason.VERSION not in pair.host.decoder.rejected
    import struct
    import zlib

    from cobs import cobs

    plain = b"\x02" + cobs.decode(good[1:-1])[1:-4]
    pair.host.receive_data(b"\0" + cobs.encode(plain + struct.pack("<I", zlib.crc32(plain))) + b"\0", 5)
    assert pair.host.decoder.rejected[BadFrameReason.VERSION] == 1


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    noise=st.sampled_from([0.0, 0.05, 0.3]),
    cut=st.sampled_from([None, 1, 7]),
    delay_ms=st.sampled_from([0, 3, 90]),
    restarts=st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["host", "device", "wire"])), max_size=4),
)
def test_a_journal_and_the_link_deliver_everything_over_any_wire_and_any_restarts(
    seed, loss, noise, cut, delay_ms, restarts
):
    """At least once on the wire, in order of first arrival, exactly once after dedupe."""
    pair = Pair(seed=seed, loss=loss, noise=noise, cut=cut, delay_ms=delay_ms).open()
    journal = [bytes([number]) * 40 for number in range(150)]
    unsent: list[bytes] = []
    ups = 0
    for at_ms, what in [*restarts, (1 << 30, "never")]:
        end_ms = pair.now_ms + at_ms

        def finished(end_ms=end_ms):
            nonlocal ups, unsent
            if pair.ups_at_device() > ups:
                ups = pair.ups_at_device()
                unsent = [body for body in journal if body not in pair.messages_at_host()]
            while unsent and pair.device.can_send:
                pair.device.send(unsent.pop(0), pair.now_ms)
            return pair.now_ms >= end_ms or set(pair.messages_at_host()) == set(journal)

        pair.run_until(finished)
        if what == "host":
            pair.host = Link(Role.HOST)
            pair.next_session += 100
            pair.host.open(pair.now_ms)
        elif what == "device":
            pair.device = Link(Role.DEVICE, HELLO, first_greeting=pair.now_ms)
            pair.device.open(pair.now_ms)
        elif what == "wire":
            for link in (pair.host, pair.device):
                link.close()
                link.open(pair.now_ms)
    arrived = list(dict.fromkeys(pair.messages_at_host()))
    assert arrived == journal


def test_without_restarts_nothing_is_doubled_even_when_acknowledgements_are_lost():
    pair = Pair(seed=3).open()
    pair.run_until_up()
    pair.down._loss = 0.5
    for number in range(50):
        pair.run_until(lambda: pair.device.can_send)
        pair.device.send(bytes([number]), pair.now_ms)
    pair.run_until(lambda: pair.device.unacked_messages == 0)
    assert pair.messages_at_host() == [bytes([number]) for number in range(50)]
    assert pair.host.counters.data_duplicate > 0


@pytest.mark.parametrize("bad", [{"window": 0}, {"window": 65}, {"max_undone": 0}])
def test_limits_that_cannot_work_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        LinkLimits(**bad)
