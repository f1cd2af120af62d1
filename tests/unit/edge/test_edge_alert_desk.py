"""The shop's own way to note an alert: a function, and a door of the status port that only this machine opens."""

import http.client
import json
import queue
import threading

import pytest
from edge_shop import Shop
from test_edge_rules import FRIDGE, alerts, config, heartbeat

from edge.acknowledge import PATH, act_of, send
from edge.alert_desk import AlertDesk
from runtime.status import MAX_ACT_BYTES, StatusServer


@pytest.fixture
def shop():
    shop = Shop()
    shop.batch(config(cold_chain={**FRIDGE, "after_min": 0}), heartbeat(shop, 9.0))
    return shop


@pytest.fixture
def inbox():
    return queue.Queue(2)


@pytest.fixture
def port(shop, inbox):
    server = StatusServer(0, dict, acts=act_of(AlertDesk(shop.core, inbox)))
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.port
    server.close()
    thread.join()


def test_the_desk_gives_the_open_alerts_and_notes_one(shop, inbox):
    desk = AlertDesk(shop.core, inbox)
    (found,) = [alert for alert in desk.open_alerts() if alert.code == "cold-chain"]
    assert desk.acknowledge(found.code, found.subject, " M. Keeper ")
    shop.batch(inbox.get_nowait())
    assert alerts(shop, "cold-chain") == [("fridge-1", "raised"), ("fridge-1", "noted")]
    assert shop.of_kind("alert")[-1].acknowledged_by == "M. Keeper"
    assert not desk.acknowledge("cold-chain", "fridge-2", "M. Keeper")


@pytest.mark.parametrize("who", ["", "   ", "x" * 81, "a\nb"])
def test_a_note_needs_a_name(shop, inbox, who):
    with pytest.raises(ValueError, match="1 to 80 printable"):
        AlertDesk(shop.core, inbox).acknowledge("cold-chain", "fridge-1", who)
    assert inbox.empty()


def test_a_full_queue_is_said_not_waited_for(shop, inbox):
    desk = AlertDesk(shop.core, inbox)
    assert [desk.acknowledge("cold-chain", "fridge-1", "M.") for _ in range(3)] == [True, True, False]


def test_the_command_sends_the_note_through_the_status_port(port, inbox):
    assert send("127.0.0.1", port, "cold-chain", "fridge-1", "M. Keeper") == ""
    assert inbox.get_nowait().who == "M. Keeper"
    assert "no open alert low-stock of sku-9" in send("127.0.0.1", port, "low-stock", "sku-9", "M. Keeper")
    assert "printable" in send("127.0.0.1", port, "cold-chain", "fridge-1", "")
    assert "no gateway answers on port 9" in send("127.0.0.1", 9, "cold-chain", "fridge-1", "M.")


@pytest.mark.parametrize(
    ("path", "body", "kind", "code"),
    [
        ("/elsewhere", b"{}", "application/json", 404),
        (PATH, b"{}", "text/plain", 415),
        (PATH, b"code=x", "application/x-www-form-urlencoded", 415),
        (PATH, b"{", "application/json", 400),
        (PATH, b"[]", "application/json", 400),
        (PATH, b'{"code": 1}', "application/json", 400),
        (PATH, b" " * (MAX_ACT_BYTES + 1), "application/json", 413),
    ],
)
def test_what_is_no_note_is_refused(port, inbox, path, body, kind, code):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    assert answer.status == code
    assert json.loads(answer.read())["error"]
    connection.close()
    assert inbox.empty()
