"""The wires as an AsyncAPI 3 document, made from the classes that read and write them.

Three servers: the shop's broker (devices and gateway), the centre (batches over HTTP, webhooks out of it), and the chain's
broker (outgoing events). Source: AsyncAPI Specification 3.0.0; MQTT bindings 0.2.0; HTTP bindings 0.3.0.
"""

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contract import topics
from contract.api.feed import CloudEvent, CouponEventData, TriggerCancelledData, TriggerEventData
from contract.batch import COLUMNS_BY_KIND, Batch, BatchReceipt
from contract.devices import COUNTED_STREAMS, EVENT_CLASSES, DeviceState, PriceCommand, Stored
from contract.ids import ID_PATTERN

ASYNCAPI = "3.0.0"
EVENTS_TOPIC = "shelfloop/events"
"""What the topics of outgoing events begin with, unless the centre's `mqtt_topic` says otherwise."""
CLOUD_EVENTS = "application/cloudevents+json"
EVENT_DATA: dict[str, type[BaseModel]] = {
    "shelfloop.restock.trigger.v1": TriggerEventData,
    "shelfloop.restock.change.v1": TriggerEventData,
    "shelfloop.restock.cancelled.v1": TriggerCancelledData,
    "shelfloop.coupon.issued.v1": CouponEventData,
    "shelfloop.coupon.redeemed.v1": CouponEventData,
    "shelfloop.coupon.reversed.v1": CouponEventData,
}
"""Type of an outgoing event -> what its `data` is."""
_REF = "#/components/schemas/{model}"
_MQTT = {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}}
_RETAINED = {"mqtt": {"qos": 1, "retain": True, "bindingVersion": "0.2.0"}}
_COMMANDS: dict[str, type[BaseModel]] = {"stored": Stored, "price": PriceCommand}
_PARAMETERS = {
    "device": {"description": f"The device's id: {ID_PATTERN}"},
    "gateway": {"description": f"The gateway's id: {ID_PATTERN}"},
    "store": {"description": f"The shop's id: {ID_PATTERN}"},
}
Json = dict[str, Any]


def asyncapi_document(version: str) -> Json:
    """version: of the program. Equal code gives an equal document."""
    channels: Json = {}
    operations: Json = {}
    messages: Json = {}

    def channel(
        name: str,
        address: str | None,
        server: str,
        payload: str,
        text: str,
        *,
        content_type: str = "application/json",
    ) -> None:
        messages.setdefault(
            payload,
            {"name": payload, "contentType": content_type, "payload": {"$ref": _REF.format(model=payload)}},
        )
        parameters = {part: _PARAMETERS[part] for part in re.findall(r"{(\w+)}", address or "")}
        channels[name] = {
            "address": address, "description": text, "servers": [{"$ref": f"#/servers/{server}"}],
            "messages": {payload: {"$ref": f"#/components/messages/{payload}"}},
            **({"parameters": parameters} if parameters else {}),
        }  # fmt: skip

    def operation(name: str, action: str, of: str, text: str, bindings: Json) -> None:
        operations[name] = {
            "action": action, "channel": {"$ref": f"#/channels/{of}"}, "summary": text, "bindings": bindings,
        }  # fmt: skip

    for event in EVENT_CLASSES:
        name = f"device.{event.stream}"
        kept = " Kept by the device until `stored`." if event.stream in COUNTED_STREAMS else ""
        address = topics.stream_topic("{device}", event.stream)
        channel(name, address, "shop", event.__name__, _text(event) + kept)
        operation(
            f"receive.{event.stream}", "receive", name, f"The gateway takes {event.stream} events.", _MQTT
        )
    channel(
        "device.state",
        topics.stream_topic("{device}", topics.STATE),
        "shop",
        "DeviceState",
        _text(DeviceState),
    )
    operation("receive.state", "receive", "device.state", "The gateway sees who is there.", _RETAINED)
    for command, model in _COMMANDS.items():
        name = f"command.{command}"
        channel(name, topics.command_topic("{device}", command), "shop", model.__name__, _text(model))
        operation(f"send.{command}", "send", name, f"The gateway tells a device: {command}.", _MQTT)
    _batches(channel, operation)
    operations["receive.batch"]["reply"] = {"channel": {"$ref": "#/channels/batchReceipt"}}
    for kind in EVENT_DATA:
        name = kind.removeprefix("shelfloop.").removesuffix(".v1")
        text = f"Events of type {kind}: at least once, in the feed's order; dedupe on `source` and `id`."
        channel(
            f"event.{name}",
            f"{EVENTS_TOPIC}/{{store}}/{kind}",
            "chain",
            _event_name(kind),
            text,
            content_type=CLOUD_EVENTS,
        )
        operation(f"send.{name}", "send", f"event.{name}", f"The centre publishes {kind}.", _MQTT)
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "Shelfloop wires",
            "version": version,
            "description": "Devices to gateway, gateway to centre, centre to the world. Examples of all: docs/wire.md.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "shop": {"host": "gateway:8883", "protocol": "mqtts", "description": "The shop's own broker, on its gateway."},
            "centre": {"host": "centre:443", "protocol": "https", "description": "The centre's API; docs/openapi.json has all of it."},
            "chain": {"host": "broker:8883", "protocol": "mqtts", "description": "The chain's broker, where `mqtt_host` names one."},
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": _schemas()},
    }  # fmt: skip


def _batches(channel: Any, operation: Any) -> None:
    channel("batch", "/v1/gateways/{gateway}/batches", "centre", "Batch", _text(Batch))
    channel("batchReceipt", None, "centre", "BatchReceipt", _text(BatchReceipt))
    post = {"http": {"method": "POST", "bindingVersion": "0.3.0"}}
    operation("receive.batch", "receive", "batch", "The centre takes a batch; zstd or plain.", post)
    channel(
        "webhook", None, "centre", "CloudEvent",
        "To the URL of each endpoint: Standard Webhooks 1.0 signs `id.timestamp.body`.", content_type=CLOUD_EVENTS,
    )  # fmt: skip
    operation("send.webhook", "send", "webhook", "The centre pushes events to an endpoint.", post)


def _schemas() -> Json:
    models: list[type[BaseModel]] = [
        *EVENT_CLASSES, DeviceState, *_COMMANDS.values(), Batch, BatchReceipt, CloudEvent, *set(EVENT_DATA.values()),
        *COLUMNS_BY_KIND.values(),
    ]  # fmt: skip
    models.sort(key=lambda model: model.__name__)
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas: Json = {name: _plain(schema) for name, schema in found["$defs"].items()}
    # What a batch's columns are stands in the code beside Batch, which takes them unread.
    columns = {kind: {"$ref": _REF.format(model=model.__name__)} for kind, model in COLUMNS_BY_KIND.items()}
    schemas["Batch"]["properties"]["records"] = {
        "type": "object", "properties": columns, "additionalProperties": False, "default": {},
    }  # fmt: skip
    for kind, data in EVENT_DATA.items():
        schemas[_event_name(kind)] = {
            "allOf": [
                {"$ref": _REF.format(model="CloudEvent")},
                {"properties": {"type": {"const": kind}, "data": {"$ref": _REF.format(model=data.__name__)}}},
            ]
        }
    return schemas


def _plain(part: Any) -> Any:
    """A discriminator as AsyncAPI has it: the property's name alone, where OpenAPI has an object."""
    if isinstance(part, list):
        return [_plain(each) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {name: _plain(value) for name, value in part.items()}
    if isinstance(part.get("discriminator"), dict):
        plain["discriminator"] = part["discriminator"]["propertyName"]
    return plain


def _event_name(kind: str) -> str:
    """shelfloop.restock.trigger.v1 -> RestockTriggerEvent."""
    return "".join(part.title() for part in kind.split(".")[1:3]) + "Event"


def _text(model: type[BaseModel]) -> str:
    own = model.__doc__ if model.__doc__ and model.__doc__ != BaseModel.__doc__ else model.__name__
    return " ".join((own or model.__name__).split())
