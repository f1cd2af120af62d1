"""What comes into the centre from outside and what goes out of it: files, delivery notes, MQTT. One centre for all."""

import json
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from asyncapi_check import message_of_topic, problems
from central_rig import START_MS, STORE, CentreProcess, Gateway, kill_leftover
from central_rows import delivery, gtin, level, proposal
from local_broker import LocalBroker
from paho.mqtt.enums import CallbackAPIVersion
from test_central_loop import get, post, set_up_store, supply_on_order

from central.__main__ import main
from central.ledger.audit_check import verify_audit
from central.ledger.engine import Ledger
from central.settings import CentralSettings

TOPIC = "chain/events"
TRIGGER = "shelfloop.restock.trigger.v1"
WAIT_S = 60


class Listener:
    """What comes on all topics of the events, by another client than ours."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, dict[str, Any], str, bool]] = []
        self.subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "listener", protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("chain/#", qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def _take(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        kind = getattr(message.properties, "ContentType", "")
        self.messages.append((message.topic, json.loads(message.payload), kind, message.retain))

    def news(self, known: set[str]) -> list[tuple[str, dict[str, Any], str, bool]]:
        return [message for message in list(self.messages) if message[1]["id"] not in known]

    def ids(self) -> set[str]:
        return {event["id"] for _, event, _, _ in list(self.messages)}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, broker: LocalBroker) -> Iterator[CentreProcess]:
    process = CentreProcess(
        tmp_path_factory.mktemp("outside"), auto_approve_below_cents=100_000, mqtt_host="127.0.0.1",
        mqtt_port=broker.port, mqtt_topic=TOPIC,
    )  # fmt: skip
    process.command("init")
    process.start()
    set_up_store(process.client())
    yield process
    if sys.exc_info()[0] is None:
        process.stop()
    kill_leftover(process.process)


@pytest.fixture(scope="module")
def gateway(centre: CentreProcess) -> Gateway:
    return Gateway(centre, centre.add_gateway())


def audit_of(centre: CentreProcess, action: str) -> list[dict[str, Any]]:
    return [
        row for row in get(centre.client("hq"), "/v1/audit", limit=500)["rows"] if row["action"] == action
    ]


def test_an_item_file_is_taken_row_by_row_and_once(
    centre: CentreProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, token = tmp_path / "items.csv", tmp_path / "token"
    token.write_text(centre.token("system"))
    file.write_text(
        "sku,gtins,name,category\nnew-1,9521234567899,Bananas,Fruit\nsku-2,9521234567899,Pears,Fruit\n"
        f"sku-3,{gtin(3)},Renamed,food\nnew-2,{gtin(1)},Of sku-1,food\n"
    )
    words = ["import", "items", str(file), "--store", STORE, "--token-file", str(token)]
    assert main([*words, "--config", str(centre.config)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in told] == [
        f"{file}:3, gtins", f"{file}:5, gtins", f"/v1/stores/{STORE}/items",
    ]  # fmt: skip
    assert told[-1].endswith("4 rows: 1 new, 1 changed, 0 as before, 2 refused")
    report = centre.client("system").post(
        f"/v1/stores/{STORE}/items", content=file.read_bytes(), headers={"Content-Type": "text/csv"}
    ).json()  # fmt: skip
    assert (report["added"], report["changed"], report["unchanged"], report["rejected_total"]) == (0, 0, 2, 2)
    assert [(row["line"], row["column"]) for row in report["rejected"]] == [(3, "gtins"), (5, "gtins")]
    assert "is SKU sku-1's" in report["rejected"][1]["what"]
    names = {
        row["sku"]: row["name"]
        for row in get(centre.client("hq"), f"/v1/stores/{STORE}/skus", limit=100)["rows"]
    }
    assert (names["new-1"], names["sku-2"], names["sku-3"]) == ("Bananas", "Good 2", "Renamed")
    [entry] = audit_of(centre, "import-items")
    assert (entry["who"], entry["reason"]) == ("the system", "1 new, 1 changed")


def test_a_supplier_file_is_taken_row_by_row_and_once(centre: CentreProcess) -> None:
    system = centre.client("system")
    body = (
        "supplier,name,timezone,order_weekdays,cutoff_minute,lead_time_days\n"
        "dairy,Dairy,Europe/Berlin,0 1 2,600,1\nmars,Olympus,Mars/Olympus,0,600,1\n"
    )

    def send(text: str | bytes, kind: str = "text/csv; charset=utf-8") -> httpx.Response:
        return system.post("/v1/suppliers", content=text, headers={"Content-Type": kind})

    first, second = send(body).json(), send(body).json()
    assert (first["added"], second["added"], second["unchanged"]) == (1, 0, 1)
    assert [(row["line"], row["column"]) for row in second["rejected"]] == [(3, "timezone")]
    assert "dairy" in {row["supplier"] for row in get(system, "/v1/suppliers")["rows"]}
    assert len(audit_of(centre, "put-supplier")) == 1
    for reply, words in (
        (send(body, "application/json"), "Content-Type must be text/csv"),
        (send(b"supplier,\xff\n"), "line 1 is not UTF-8"),
        (send("supplier,name\n"), "timezone, order_weekdays, cutoff_minute, lead_time_days missing"),
    ):
        assert reply.status_code == 422
        assert words in reply.json()["detail"]


def test_a_calendar_goes_down_to_gateways_that_know_it_and_to_no_other(
    centre: CentreProcess, gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, token = tmp_path / "calendar.csv", tmp_path / "token"
    token.write_text(centre.token("system"))
    file.write_text(
        "kind,from_day,until_day,sku,discount_percent,name\nholiday,2026-12-25,2026-12-26,,,Christmas\n"
        "promotion,2026-12-14,2026-12-20,sku-1,20,Leaflet 51\npromotion,2026-12-14,2026-12-20,,20,Of nothing\n"
    )
    words = ["import", "calendar", str(file), "--chain", "--token-file", str(token)]
    assert main([*words, "--config", str(centre.config)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(f"{file}:4: a promotion names a sku or a category")
    assert told[1] == f"{STORE}: 3 rows: 2 new, 0 changed, 0 as before, 1 refused"

    earlier = gateway.send(level())
    assert "calendar" not in {document.kind for document in earlier.documents}
    gateway.have["calendar"] = 0
    [document] = [each for each in gateway.send(level()).documents if each.kind == "calendar"]
    assert (document.version, document.promotions[0].skus) == (1, ["sku-1"])
    assert gateway.have["calendar"] == 1

    system = centre.client("system")
    path = f"/v1/stores/{STORE}/calendar"
    view = get(system, path)
    assert view["calendar"]["days"][0]["name"] == "Christmas"
    whole = {"from_day": "2026-12-01", "until_day": "2026-12-31"}
    assert system.put("/v1/calendar", params={"region": "nowhere"}, json=whole).status_code == 404
    bad = system.put(path, json={**whole, "until_day": "2026-11-30"})
    assert bad.status_code == 422
    assert "lies before from_day" in bad.json()["detail"]
    assert system.put(path, json=whole).json()["version"] == 2
    assert system.put(path, json=whole).json()["version"] == 2, "an equal calendar is no new document"
    [after] = [each for each in gateway.send(level()).documents if each.kind == "calendar"]
    assert (after.version, after.promotions) == (2, [])
    assert len(audit_of(centre, "put-calendar")) == 2

    # A shop that opens later has what the chain has, without the rows that another shop keeps for itself.
    profile = {"name": "Later", "timezone": "UTC", "currency": "USD", "hours": []}
    assert centre.client().put("/v1/stores/store-later", json=profile).status_code == 200
    later = get(system, "/v1/stores/store-later/calendar")["calendar"]
    assert [each["name"] for each in later["days"]] == ["Christmas"]
    assert later["promotions"][0]["skus"] == ["sku-1"]

    # One that changes its region has the new one's from then on.
    opened = {**profile, "name": "Early", "region": "harbour"}
    assert centre.client().put("/v1/stores/store-early", json=opened).status_code == 200
    regatta = {
        **whole,
        "days": [{"kind": "event", "from_day": "2026-12-05", "until_day": "2026-12-05", "name": "Regatta"}],
    }
    assert system.put("/v1/calendar", params={"region": "harbour"}, json=regatta).status_code == 200
    assert (
        centre.client().put("/v1/stores/store-later", json={**profile, "region": "harbour"}).status_code
        == 200
    )
    moved = get(system, "/v1/stores/store-later/calendar")["calendar"]
    assert [each["name"] for each in moved["days"]] == ["Regatta"]


def test_hq_sees_what_a_region_has_who_set_it_and_who_differs_and_takes_a_day_out(
    centre: CentreProcess,
) -> None:
    hq, one, two, far = centre.client("hq"), "far-1", "far-2", {"region": "far"}
    for store in (one, two):
        profile = {"name": store, "timezone": "UTC", "currency": "USD", "hours": [], **far}
        assert centre.client().put(f"/v1/stores/{store}", json=profile).status_code == 200
    rows = (
        "kind,from_day,until_day,sku,name\nholiday,2026-12-25,2026-12-26,,Christmas\n"
        "promotion,2026-12-14,2026-12-20,sku-1,Leaflet\n"
    )
    csv = {"Content-Type": "text/csv"}
    reports = hq.post("/v1/calendar", params=far, content=rows, headers=csv).json()["stores"]
    assert set(reports) == {one, two}
    fair = "kind,from_day,name\nevent,2026-12-19,Fair\n"
    assert hq.post(f"/v1/stores/{one}/calendar", content=fair, headers=csv).json()["added"] == 1
    kept = get(hq, "/v1/calendar", **far)
    assert "Christmas" in {each["name"] for each in kept["calendar"]["days"]}
    assert kept["set_by"] == audit_of(centre, "keep-calendar")[0]["who"] != ""
    assert kept["set_ms"] > 0
    assert {each["store"]: each["differs"] for each in kept["stores"]} == {one: True, two: False}
    assert get(hq, f"/v1/stores/{two}/calendar")["set_by"] == kept["set_by"]

    day = {"kind": "holiday", "from_day": "2026-12-25", "until_day": "2026-12-26"}
    gone = hq.post("/v1/calendar/remove", params=far, json={"entries": [day]}).json()["stores"]
    assert gone == {one: 1, two: 1}
    own = get(hq, f"/v1/stores/{one}/calendar")
    assert [each["name"] for each in own["calendar"]["days"]] == ["Fair"], "a shop's own rows stay"
    assert "Christmas" not in {each["name"] for each in get(hq, "/v1/calendar", **far)["calendar"]["days"]}
    again = hq.post(f"/v1/stores/{one}/calendar/remove", json={"entries": [day]}).json()
    assert (again["accepted"], again["version"]) == (0, own["version"])
    assert hq.post("/v1/calendar/remove", params=far, json={"entries": []}).status_code == 422
    empty = get(hq, "/v1/calendar", region="nowhere")
    assert empty["stores"] == []


def test_a_note_goes_down_to_the_gateway_and_comes_back_as_a_delivery(
    centre: CentreProcess, gateway: Gateway
) -> None:
    system = centre.client("system")
    note = {
        "note": "DN-1", "store": STORE, "at_ms": START_MS, "despatch": "D-1",
        "lines": [{"sku": "sku-1", "quantity_units": 18, "expected_units": 24}],
    }  # fmt: skip
    order = {
        "order": "PO-1",
        "store": STORE,
        "sku": "sku-1",
        "quantity_units": 24,
        "at_ms": START_MS,
        "despatch": "D-1",
    }
    post(system, "/v1/orders", order)
    assert [post(system, "/v1/deliveries", note)["accepted"] for _ in range(2)] == [1, 0]
    reply = gateway.send(level())
    [document] = [document for document in reply.documents if document.kind == "deliveries"]
    [line] = document.lines
    assert (line.sku, line.quantity_units, line.despatch) == ("sku-1", 18, "D-1")
    assert supply_on_order(reply)["sku-1"] == 18
    after = gateway.send(delivery("D-1", 18), level(on_hand=28))
    assert supply_on_order(after)["sku-1"] == 0
    [view] = get(centre.client("hq"), f"/v1/stores/{STORE}/deliveries")["rows"]
    assert (view["state"], view["booked_units"]) == ("arrived", 18)
    changed = {**note, "lines": [{"sku": "sku-1", "quantity_units": 1}]}
    assert "is known with other lines" in post(system, "/v1/deliveries", changed, 409)["detail"]


def test_a_delisting_ahead_is_kept_until_its_minute(centre: CentreProcess, gateway: Gateway) -> None:
    system, hq = centre.client("system"), centre.client("hq")
    change = {"sku": "sku-4", "from_ms": START_MS + 600_000, "change": "delist"}
    path = f"/v1/stores/{STORE}/assortment"
    assert post(system, path, {"changes": [change, {**change, "sku": "nothing"}]})["accepted"] == 1
    gateway.send(proposal(4, doubt="cell silent"))
    states = lambda: [row["state"] for row in get(hq, "/v1/triggers", sku="sku-4")["rows"]]  # noqa: E731
    assert states() == ["proposed"]
    centre.advance_to(START_MS + 660_000)
    centre.wait_until(lambda: states() == ["cancelled"])
    assert [(row["sku"], row["applied"]) for row in get(hq, path)["rows"]] == [("sku-4", True)]


def test_the_audit_keeps_a_digest_of_what_was_set_and_holds(centre: CentreProcess) -> None:
    ledger = Ledger(CentralSettings.load(centre.config).url)
    try:
        with ledger.read.connect() as connection:
            assert verify_audit(connection).breaks == ()
            rows = connection.exec_driver_sql(
                "SELECT action, digest FROM audit WHERE action LIKE 'put-%'"
            ).all()
    finally:
        ledger.close()
    assert {"put-store", "put-items", "put-prices", "put-supply", "put-history"} <= {
        row.action for row in rows
    }
    assert all(len(row.digest) == 64 for row in rows)


def test_every_event_of_the_feed_is_published_whoever_dies(
    centre: CentreProcess, gateway: Gateway, broker: LocalBroker
) -> None:
    system = centre.client("system")
    before = {row["event"]["id"] for row in get(system, "/v1/feed")["rows"]}
    listener = Listener(broker.port)

    def new_in_feed() -> set[str]:
        return {row["event"]["id"] for row in get(system, "/v1/feed")["rows"]} - before

    try:
        assert listener.subscribed.wait(WAIT_S)
        centre.wait_until(lambda: published_through(centre) >= 0, WAIT_S)
        gateway.send(proposal(2))
        centre.wait_until(lambda: bool(listener.news(before)), WAIT_S)
        topic, event, kind, retained = listener.news(before)[0]
        assert (topic, kind, retained) == (
            f"{TOPIC}/{STORE}/{TRIGGER}",
            "application/cloudevents+json",
            False,
        )
        assert problems(message_of_topic(f"shelfloop/events/{STORE}/{event['type']}"), event) == []
        assert (event["specversion"], event["type"], event["data"]["sku"]) == ("1.0", TRIGGER, "sku-2")

        assert broker.process is not None
        broker.process.send_signal(signal.SIGSTOP)  # it answers nobody, and forgets nothing
        gateway.send(proposal(3))
        centre.kill()
        broker.process.send_signal(signal.SIGCONT)
        centre.start()
        centre.wait_until(lambda: len(new_in_feed()) == 2 and new_in_feed() <= listener.ids(), WAIT_S)

        listener.subscribed.clear()
        broker.kill()
        gateway.send(proposal(5))
        centre.wait_until(lambda: len(new_in_feed()) == 3, WAIT_S)
        assert new_in_feed() - listener.ids() != set(), "the broker is away"
        broker.start()
        # The listener may have subscribed after the event was there: what counts is that the broker has acknowledged it.
        centre.wait_until(lambda: published_through(centre) == get(system, "/v1/feed")["next"], WAIT_S)
    finally:
        listener.close()


def published_through(centre: CentreProcess) -> int:
    with sqlite3.connect(centre.folder / "state" / "ledger.sqlite3") as db:
        found = db.execute("SELECT value FROM meta WHERE key = 'mqtt_position'").fetchone()
    return -1 if found is None else int(found[0])
