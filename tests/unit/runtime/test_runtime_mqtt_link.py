"""The MQTT connection over a real Mosquitto: it comes back, subscribes again, and acks only when told."""

import queue
import threading
from collections.abc import Callable, Iterator

import pytest
from local_broker import LocalBroker

from runtime.mqtt_link import BrokerAddress, MqttLink, MqttMessage, Will

WAIT_S = 60


@pytest.fixture
def links(local_broker: LocalBroker) -> Iterator[Callable[..., MqttLink]]:
    started: list[tuple[MqttLink, threading.Thread]] = []

    def start(client_id: str, *topics: str, protocol: int = 5, **options: object) -> MqttLink:
        address = BrokerAddress(port=local_broker.port, protocol=protocol)
        link = MqttLink(address, client_id, topics, **options)  # type: ignore[arg-type]
        thread = threading.Thread(target=link.run, name=client_id)
        thread.start()
        started.append((link, thread))
        assert link.connected.wait(WAIT_S)
        return link

    yield start
    for link, thread in started:
        link.close()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def _next(link: MqttLink) -> MqttMessage:
    return link.inbox.get(timeout=WAIT_S)


def _send_and_wait(link: MqttLink, acked: "queue.Queue[int]", topic: str, *payloads: bytes) -> None:
    mids = {link.publish(topic, payload) for payload in payloads}
    while mids:
        mids.discard(acked.get(timeout=WAIT_S))


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_published_message_arrives(links: Callable[..., MqttLink], protocol: int) -> None:
    reader = links("reader", "a/+", protocol=protocol)
    writer = links("writer", protocol=protocol)
    _wait_for_subscription(reader, writer, "a/b")
    writer.publish("a/b", b"1")
    message = _next(reader)
    assert (message.topic, message.payload, message.retained) == ("a/b", b"1", False)
    message.ack()


@pytest.mark.parametrize("protocol", [4, 5])
def test_what_was_not_acked_comes_again_on_the_next_connection(
    local_broker: LocalBroker, links: Callable[..., MqttLink], protocol: int
) -> None:
    acked: queue.Queue[int] = queue.Queue()
    writer = links("writer", protocol=protocol, on_published=acked.put)
    first = MqttLink(BrokerAddress(port=local_broker.port, protocol=protocol), "reader", ("a",))
    thread = threading.Thread(target=first.run)
    thread.start()
    assert first.connected.wait(WAIT_S)
    # The subscription's own answer is not waited for by the link: send until the first one is through.
    _wait_for_subscription(first, writer, "a")
    _send_and_wait(writer, acked, "a", b"1", b"2")
    one, two = _next(first), _next(first)
    assert (one.payload, two.payload) == (b"1", b"2")
    one.ack()
    first.close()
    thread.join(WAIT_S)

    second = links("reader", "a", protocol=protocol)
    again = _next(second)
    assert again.payload == b"2"
    again.ack()
    two.ack()  # of a connection that is gone: must not ack another message by its number


def _wait_for_subscription(reader: MqttLink, writer: MqttLink, topic: str) -> None:
    """Until the last probe has come: they come in order, so none is on its way any more."""
    for number in range(int(WAIT_S / 0.1)):
        newest = b"probe %d" % number
        writer.publish(topic, newest)
        try:
            message = reader.inbox.get(timeout=0.1)
        except queue.Empty:
            continue
        message.ack()
        while message.payload != newest:
            message = _next(reader)
            message.ack()
        return
    raise AssertionError(f"no probe came on {topic} within {WAIT_S} s")


def test_after_the_broker_died_the_link_is_up_and_subscribed_again(
    local_broker: LocalBroker, links: Callable[..., MqttLink]
) -> None:
    connections = threading.Semaphore(0)
    reader = links("reader", "a/#", on_connected=connections.release)
    writer_up = threading.Semaphore(0)
    writer = links("writer", on_connected=writer_up.release)
    assert connections.acquire(timeout=WAIT_S)
    assert writer_up.acquire(timeout=WAIT_S)
    local_broker.kill()
    local_broker.start()
    assert connections.acquire(timeout=WAIT_S)
    assert writer_up.acquire(timeout=WAIT_S)
    _wait_for_subscription(reader, writer, "a/b")
    writer.publish("a/b", b"after")
    assert _next(reader).payload == b"after"


def test_a_message_waits_for_the_broker_to_come_back(
    local_broker: LocalBroker, links: Callable[..., MqttLink]
) -> None:
    acked: queue.Queue[int] = queue.Queue()
    writer = links("writer", on_published=acked.put)
    local_broker.kill()
    mid = writer.publish("a", b"1")
    local_broker.start()
    assert acked.get(timeout=WAIT_S) == mid


def test_the_will_says_that_a_device_is_gone(
    local_broker: LocalBroker, links: Callable[..., MqttLink]
) -> None:
    import socket

    reader = links("reader", "state/+")
    _wait_for_subscription(reader, links("writer"), "state/probe")
    dying = links("dying", will=Will("state/dying", b"offline"))
    sock = dying._client.socket()
    assert sock is not None
    sock.shutdown(socket.SHUT_RDWR)
    message = _next(reader)
    assert (message.topic, message.payload) == ("state/dying", b"offline")


def test_a_full_outgoing_queue_slows_the_caller_down(local_broker: LocalBroker) -> None:
    link = MqttLink(BrokerAddress(port=local_broker.port), "never-started", max_queued=3)
    for _ in range(3):
        link.publish("a", b"1")
    with pytest.raises(queue.Full):
        _publish_many(link)


def _publish_many(link: MqttLink) -> None:
    for _ in range(200):
        link.publish("a", b"1")


def test_at_most_the_inbox_is_unacknowledged(links: Callable[..., MqttLink]) -> None:
    """The Receive Maximum holds the broker back: a slow owner is never buried."""
    acked: queue.Queue[int] = queue.Queue()
    reader = links("reader", "a", inbox_size=5)
    writer = links("writer", on_published=acked.put)
    _wait_for_subscription(reader, writer, "a")
    while not acked.empty():
        acked.get()
    _send_and_wait(writer, acked, "a", *[str(n).encode() for n in range(30)])
    seen = []
    for _ in range(30):
        message = _next(reader)
        assert reader.inbox.qsize() <= 5
        seen.append(int(message.payload))
        message.ack()
    assert seen == list(range(30))


def test_acknowledgements_leave_in_the_order_of_arrival(
    links: Callable[..., MqttLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = links("reader", "a")
    writer = links("writer")
    _wait_for_subscription(reader, writer, "a")
    left: list[int] = []
    monkeypatch.setattr(reader._client, "ack", lambda mid, _qos: left.append(mid))
    for payload in (b"1", b"2", b"3"):
        writer.publish("a", payload)
    one, two, three = _next(reader), _next(reader), _next(reader)
    three.ack()
    two.ack()
    assert left == []
    one.ack()
    one.ack()
    assert left == sorted(left)
    assert len(left) == 3
