"""One suite for what the bridge publishes through: the real client with a real broker, and the tests' one in memory."""

import queue
import sys
import threading
import time
from pathlib import Path

import pytest

from firmware_bridge.publisher import Publisher
from runtime.mqtt_link import BrokerAddress, MqttLink

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "firmware_bridge"))
from bridge_broker import NarrowBroker

ROOM = 5


class Rig:
    """answer: from now on the broker answers."""

    def __init__(self, broker, publisher, answer):
        self.broker, self.publisher, self.answer = broker, publisher, answer
        publisher.attach(broker)

    def settle(self):
        self.answer()
        until_s = time.monotonic() + 60
        while self.publisher.unconfirmed and time.monotonic() < until_s:
            time.sleep(0.01)
        assert self.publisher.unconfirmed == 0


@pytest.fixture(params=["mqtt", "memory"])
def rig(request):
    publisher = Publisher()
    if request.param == "memory":
        broker = NarrowBroker(ROOM, publisher.confirmed)
        yield Rig(broker, publisher, broker.confirm)
        return
    server = request.getfixturevalue("local_broker")
    link = MqttLink(
        BrokerAddress(port=server.port), "contract", on_published=publisher.confirmed, persistent=False, max_queued=ROOM
    )  # fmt: skip
    thread = threading.Thread(target=link.run, daemon=True)
    yield Rig(link, publisher, lambda: None if thread.is_alive() else thread.start())
    link.close()
    if thread.is_alive():
        thread.join(60)


def test_each_message_is_confirmed_once(rig):
    confirmed = []
    for name in "abc":
        rig.publisher.publish("shelfloop/t", b"x", lambda name=name: confirmed.append(name))
    assert rig.publisher.unconfirmed == 3
    rig.settle()
    assert sorted(confirmed) == ["a", "b", "c"]


def test_numbers_of_messages_under_way_differ(rig):
    numbers = [rig.broker.publish("shelfloop/t", b"x") for _ in range(ROOM)]
    assert len(set(numbers)) == ROOM


def test_a_full_client_says_so_and_takes_more_when_the_broker_has_answered(rig):
    for _ in range(ROOM):
        rig.publisher.publish("shelfloop/t", b"x")
    with pytest.raises(queue.Full):
        rig.publisher.publish("shelfloop/t", b"x")
    assert rig.publisher.unconfirmed == ROOM  # what was refused is not waited for
    rig.settle()
    rig.publisher.publish("shelfloop/t", b"x", retain=True)
    rig.settle()
