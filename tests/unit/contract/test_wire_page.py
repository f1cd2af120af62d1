"""docs/wire.md: every example is parsed by the class it names, and no message is without one."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from contract import batch, devices, documents
from contract.api import common, deliveries, feed, offers, restock, stores
from contract.errors import MalformedMessageError
from contract.records import RECORD_BY_KIND

PAGE = Path(__file__).resolve().parents[3] / "docs" / "wire.md"
MODULES = (devices, documents, batch, common, deliveries, feed, offers, restock, stores)
EXAMPLES = re.findall(
    r"^```json (\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
EXAMPLE_BY_TAG = dict(EXAMPLES)
KNOWN: dict[str, type[BaseModel]] = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, BaseModel)
}
DOCUMENTS = [cls.__name__ for cls in get_args(get_args(documents.AnyDocument)[0])]
EVENT_DATA = ["TriggerEventData", "TriggerCancelledData", "CouponEventData"]
WRITTEN_BY_STRANGERS = [
    "StorePut", "ItemsPut", "PlanogramPut", "PricesPut", "SupplyPut", "HistoryPut", "MemberPut", "CampaignPut",
    "KillSwitch", "Decision", "StatusPost", "OutsideOrder", "WebhookPost", "DeliveryNote", "AssortmentPost",
]  # fmt: skip
READ_BY_STRANGERS = [
    "Batch",
    "BatchReceipt",
    "Problem",
    "Feed",
    "WebhookCreated",
    "Stored",
    "PriceCommand",
    "DeviceState",
]


def test_each_message_has_one_example() -> None:
    tags = [tag for tag, _ in EXAMPLES]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize(("tag", "text"), EXAMPLES, ids=[tag for tag, _ in EXAMPLES])
def test_every_example_is_what_the_code_accepts(tag: str, text: str) -> None:
    if tag.startswith("records."):
        kind = tag.removeprefix("records.")
        whole = batch.Batch(
            gateway="gw-1", store="store-1", epoch="e-1", seq_from=1, seq_to=1, sent_at_ms=1, records={kind: json.loads(text)}
        )  # fmt: skip
        found = batch.records_from_batch(whole)
        assert found.rejected == ()
        assert [type(row) for row in found.rows] == [RECORD_BY_KIND[kind]]
        return
    cls = KNOWN[tag]
    parsed = cls.model_validate_json(text)
    assert json.loads(text).keys() <= json.loads(parsed.model_dump_json()).keys()


@pytest.mark.parametrize("cls", devices.EVENT_CLASSES, ids=lambda cls: cls.stream)
def test_every_stream_has_an_example_that_a_gateway_accepts(cls: type[devices.DeviceEvent]) -> None:
    text = EXAMPLE_BY_TAG[cls.__name__]
    device = json.loads(text)["device"]
    assert isinstance(devices.event_from_json(device, cls.stream, text.encode()), cls)


@pytest.mark.parametrize("kind", sorted(RECORD_BY_KIND))
def test_every_record_kind_has_an_example(kind: str) -> None:
    assert f"records.{kind}" in EXAMPLE_BY_TAG


@pytest.mark.parametrize("name", [*DOCUMENTS, *EVENT_DATA, *WRITTEN_BY_STRANGERS, *READ_BY_STRANGERS])
def test_every_message_at_a_strangers_door_has_an_example(name: str) -> None:
    assert name in EXAMPLE_BY_TAG


def test_the_batch_in_the_page_is_a_batch_to_the_row() -> None:
    found = batch.records_from_batch(batch.Batch.model_validate_json(EXAMPLE_BY_TAG["Batch"]))
    assert [row.seq for row in found.rows] == [1, 2]


def test_a_misspelt_field_is_refused_with_its_name() -> None:
    text = EXAMPLE_BY_TAG["Receipt"].replace('"member"', '"mebmer"')
    with pytest.raises(MalformedMessageError, match="mebmer"):
        devices.Receipt.from_json(text)
