"""docs/asyncapi.json is what the code says, and what really goes over the wires is what it says."""

import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from asyncapi_check import PAGE, document, message_of_topic, problems

from cli.settings_docs import asyncapi_text
from contract.api.feed import EventType
from contract.asyncapi import EVENT_DATA
from contract.batch import BatchReceipt, batch_from_records
from contract.devices import EVENT_CLASSES
from contract.records import RECORD_CLASSES, Record

sys.path += [str(Path(__file__).parents[1] / room) for room in ("central", "edge")]

EXAMPLES = dict(
    re.findall(
        r"^```json (\S+)\n(.*?)^```$",
        (PAGE.parent / "wire.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == asyncapi_text(), (
        "a wire changed: run `make wire-page` and commit docs/asyncapi.json"
    )


def test_every_reference_leads_somewhere_and_every_channel_is_used() -> None:
    found = document()
    for ref in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(found))):
        place: Any = found
        for part in ref.split("/"):
            place = place[part]
    used = {operation["channel"]["$ref"] for operation in found["operations"].values()}
    used |= {
        operation["reply"]["channel"]["$ref"]
        for operation in found["operations"].values()
        if "reply" in operation
    }
    assert used == {f"#/channels/{name}" for name in found["channels"]}
    assert found["asyncapi"] == "3.0.0"
    assert '"discriminator": {' not in json.dumps(found)


def test_it_names_every_stream_every_record_and_every_outgoing_event() -> None:
    for event in EVENT_CLASSES:
        assert message_of_topic(f"shelfloop/1/shelf-1/{event.stream}") == event.__name__
    records = document()["components"]["schemas"]["Batch"]["properties"]["records"]["properties"]
    assert set(records) == {record.kind for record in RECORD_CLASSES}
    assert set(EVENT_DATA) == set(get_args(EventType))


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) & set(document()["components"]["messages"])))
def test_the_examples_of_the_wire_page_are_valid(name: str) -> None:
    assert problems(name, json.loads(EXAMPLES[name])) == []


@pytest.mark.parametrize("kind", sorted(record.kind for record in RECORD_CLASSES))
def test_the_columns_of_each_record_are_valid_and_wrong_ones_are_not(kind: str) -> None:
    batch = json.loads(EXAMPLES["Batch"])
    batch["records"] = {kind: json.loads(EXAMPLES[f"records.{kind}"])}
    assert problems("Batch", batch) == []
    batch["records"][kind]["at_ms"] = ["yesterday"]
    assert problems("Batch", batch) != []


@pytest.mark.parametrize(
    "change",
    [{"misspelt": 1}, {"seq": "1"}, {"lines": []}, {"device": "Till 1"}, {"total_cents": None}],
    ids=str,
)
def test_what_a_gateway_would_refuse_is_refused(change: dict[str, Any]) -> None:
    assert problems("Receipt", {**json.loads(EXAMPLES["Receipt"]), **change}) != []


def test_what_devices_send_and_gateways_answer_is_valid() -> None:
    from edge_shop import Shop, gtin

    from edge.core.effects import PublishStored

    shop = Shop()
    lines = [{"gtin": gtin(1), "quantity_units": 11, "expected_units": 12}]
    sent = [
        shop.weigh(c1=5, c2=3), shop.receipt(1, (1, 2)), shop.event("dock", "delivery", despatch="D-7", lines=lines),
        shop.event("dock", "stocktake", place="store", opening=True, lines=[{"gtin": gtin(1), "counted_units": 4}]),
    ]  # fmt: skip
    for message in sent:
        assert problems(message_of_topic(message.topic), json.loads(message.payload)) == [], message.topic
    shop.core.step(sent[1], shop.now)
    effects, _ = shop.core.take()
    [stored] = [effect for effect in effects if isinstance(effect, PublishStored)]
    assert problems("Stored", {"boot_id": stored.boot_id, "through_seq": stored.through_seq}) == []


def test_what_gateways_and_the_centre_send_is_valid(tmp_path: Path) -> None:
    import central_rows
    from test_ledger import GATEWAY, STORE, Bench

    bench = Bench(tmp_path)
    bench.put_supply()
    makers = (
        "receipt",
        "day_close",
        "level",
        "window",
        "forecast",
        "proposal",
        "alert",
        "gap",
        "health",
        "quarantined",
    )
    rows: list[Record] = [getattr(central_rows, name)() for name in makers]
    numbered = [row.model_copy(update={"seq": place}) for place, row in enumerate(rows, 1)]
    batch = batch_from_records(
        gateway=GATEWAY, store=STORE, epoch="e", sent_at_ms=central_rows.START_MS, have={}, rows=numbered
    )
    assert problems("Batch", json.loads(batch.to_json())) == []
    answer = bench.send(numbered)
    assert answer is not None
    receipt = BatchReceipt(
        gateway=GATEWAY, epoch="e", acked_through=answer.acked_through, rejected=list(answer.rejected),
        documents=[json.loads(text) for text in answer.documents], server_time_ms=central_rows.START_MS,
    )  # fmt: skip
    assert {document.kind for document in receipt.documents} >= {"supply"}
    assert problems("BatchReceipt", json.loads(receipt.to_json())) == []
    events = [json.loads(str(body)) for [body] in bench.rows("SELECT body FROM outgoing")]
    assert [event["type"] for event in events] == ["shelfloop.restock.trigger.v1"]
    for event in events:
        assert problems(message_of_topic(f"shelfloop/events/{STORE}/{event['type']}"), event) == []
        assert problems("CloudEvent", event) == []
        event["data"]["quantity_units"] = "many"
        assert problems(message_of_topic(f"shelfloop/events/{STORE}/{event['type']}"), event) != []
    bench.ledger.close()
