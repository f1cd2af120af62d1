"""The retained states, when the broker's client has no room for them. No process, no broker."""

import pytest
from bridge_broker import NarrowBroker

from contract.devices import DeviceState
from firmware_bridge.publisher import Publisher
from firmware_bridge.state_board import StateBoard


def retained(broker):
    """What the broker would tell who comes later."""
    assert all(retain for _, _, retain in broker.messages)
    return {
        topic.split("/")[2]: DeviceState.from_json(payload, "state").state
        for topic, payload, _ in broker.messages
    }


@pytest.fixture
def broker():
    return NarrowBroker(2)


@pytest.fixture
def board(broker):
    publisher = Publisher()
    publisher.attach(broker)
    return StateBoard(publisher, ["bridge-1", "till-1", "shelf-1"])


def test_a_state_that_found_no_room_is_published_when_there_is_some(board, broker):
    for device in ("bridge-1", "till-1", "shelf-1"):
        board.set(device, online=True)
    assert "shelf-1" not in retained(broker)
    board.publish_rest()  # still no room
    broker.room = 9  # waiting ones included
    board.publish_rest()
    assert retained(broker) == {"bridge-1": "online", "till-1": "online", "shelf-1": "online"}
    board.publish_rest()
    assert len(broker.messages) == 3  # nothing is said twice


def test_what_is_published_late_is_the_state_of_now(board, broker):
    board.publish_all()
    board.set("shelf-1", online=True)
    board.set("shelf-1", online=False)
    broker.room = 9
    board.publish_rest()
    assert retained(broker)["shelf-1"] == "offline"
    assert len(broker.messages) == 3


def test_states_that_found_no_room_after_a_connection_all_follow(board, broker):
    broker.room = 0
    board.publish_all()
    broker.room = 9
    board.publish_rest()
    assert set(retained(broker)) == {"bridge-1", "till-1", "shelf-1"}
