"""A device's commands and its owner, and the publisher's confirmations: no process, no broker."""

import itertools
import threading

import pytest

from firmware_bridge.device_lane import MAX_COMMANDS, DeviceLane, PendingCommand, replaced_by
from firmware_bridge.publisher import Publisher


class FakePort:
    def __init__(self) -> None:
        self.wakes = 0
        self.evictions = 0
        self.sent: list[bytes] = []

    def wake(self) -> None:
        self.wakes += 1

    def evict(self) -> None:
        self.evictions += 1

    def send(self, message: bytes) -> int:
        self.sent.append(message)
        return len(self.sent)


class Commands:
    def __init__(self) -> None:
        self.acked: list[bytes] = []

    def make(self, message: bytes, name: str = "price", replaces: str | None = None) -> PendingCommand:
        return PendingCommand(name, message, replaces, lambda: self.acked.append(message))


@pytest.fixture
def lane(tmp_path):
    return DeviceLane("till-1", tmp_path)


@pytest.fixture
def port(lane):
    port = FakePort()
    lane.claim(port)
    lane.up(port)
    return port


def test_the_broker_forgets_a_command_when_the_device_has_it(lane, port):
    commands = Commands()
    lane.offer(commands.make(b"a"))
    assert port.wakes == 1
    assert lane.outstanding_commands == 1
    assert lane.hand_over(port, port.send)
    assert not lane.hand_over(port, port.send)
    assert (port.sent, commands.acked, lane.outstanding_commands) == ([b"a"], [], 1)
    lane.acked(1)
    assert (commands.acked, lane.outstanding_commands) == ([b"a"], 0)


def test_commands_under_way_when_the_session_ends_go_again_in_order(lane, port):
    commands = Commands()
    for message in (b"a", b"b", b"c"):
        lane.offer(commands.make(message))
    lane.hand_over(port, port.send)
    lane.hand_over(port, port.send)
    assert lane.down(port)
    assert lane.outstanding_commands == 0
    assert lane.waiting_commands == 3
    assert commands.acked == [b"a", b"b", b"c"]  # the broker's window is for devices that are here
    lane.claim(port)
    lane.up(port)
    while lane.hand_over(port, port.send):
        pass
    assert port.sent == [b"a", b"b", b"a", b"b", b"c"]


def test_only_the_newest_stored_of_a_boot_waits(lane):
    commands = Commands()
    for boot, through in (("b1", 1), ("b2", 1), ("b1", 2)):
        body = b'{"boot_id":"%s","through_seq":%d}' % (boot.encode(), through)
        lane.offer(commands.make(body, "stored", replaced_by("stored", body)))
    assert lane.waiting_commands == 2
    assert replaced_by("price", b"{}") is None


def test_a_full_queue_drops_the_oldest_and_counts_it(lane):
    commands = Commands()
    for number in range(MAX_COMMANDS + 3):
        lane.offer(commands.make(bytes([number])))
    assert lane.waiting_commands == MAX_COMMANDS
    assert lane.counters()["commands_dropped"] == 3


def test_a_device_that_turns_up_elsewhere_evicts_its_old_port(lane, port):
    other = FakePort()
    lane.claim(other)
    assert port.evictions == 1
    lane.up(other)
    assert not lane.down(port)  # its goodbye comes late and means nothing
    assert lane.online
    assert lane.down(other)
    assert not lane.online


def test_counters_outlive_the_process(tmp_path):
    DeviceLane("till-1", tmp_path).count({"frames_accepted": 5, "resent": 0})
    again = DeviceLane("till-1", tmp_path)
    again.count({"frames_accepted": 2})
    assert again.counters()["frames_accepted"] == 7


class FakeBroker:
    """early: confirms before `publish` returns, as paho's network thread may."""

    def __init__(self, publisher: Publisher, *, early: bool) -> None:
        self._publisher, self._early = publisher, early
        self._mids = itertools.count(1)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        mid = next(self._mids)
        if self._early:
            thread = threading.Thread(target=self._publisher.confirmed, args=(mid,))
            thread.start()
            thread.join(60)
            assert not thread.is_alive(), "the publisher holds its lock while it publishes"
        return mid


@pytest.mark.parametrize("early", [False, True])
def test_each_confirmation_reaches_who_asked_once(early):
    publisher = Publisher()
    publisher.attach(FakeBroker(publisher, early=early))
    confirmed = []
    for name in ("a", "b"):
        publisher.publish("t", b"", lambda name=name: confirmed.append(name))
    publisher.publish("t", b"", retain=True)
    if not early:
        assert (confirmed, publisher.unconfirmed) == ([], 3)
        for mid in (2, 1, 3):
            publisher.confirmed(mid)
    assert sorted(confirmed) == ["a", "b"]
    assert publisher.unconfirmed == 0


def test_a_broker_that_takes_nothing_leaves_nothing_behind():
    class Full:
        def publish(self, *_args, **_more):
            raise BlockingIOError

    publisher = Publisher()
    publisher.attach(Full())
    with pytest.raises(BlockingIOError):
        publisher.publish("t", b"", None)
    assert publisher.unconfirmed == 0
